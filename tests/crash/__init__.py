"""The operator killed before and after every write of a whole run, on a real API server, with the outcome of a run that nothing disturbed.

`gate` stands before the API server and holds one write; `writes` names writes so that one of a run is found again in the next; `stories`
are what happens; `picture` is what it came to; `invariants` is the observer's eye on it; `matrix` plays many stories at once.
"""
