"""The invariants, one file a concern. A check has memory but no clock and no I/O: it is shown one world after another."""
