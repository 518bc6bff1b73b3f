"""The training table: what is read of it, how it is split in time, and what of it may be learnt from."""
