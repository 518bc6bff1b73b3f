"""The story of one model, told by the real parts on a real cluster: `make demo`.

`__main__` tells the steps in order, each step is a module with one function, `stage` holds what they share.
"""
