"""The edge: each port's one real implementation. Here live the sockets, the clock and the foreign data, and nothing is decided."""
