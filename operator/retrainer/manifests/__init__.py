"""Objects as plain dicts, each a function of what was decided: no I/O, no clock."""
