"""A client that calls a Service at a fixed rate, come what may, and writes down every answer."""
