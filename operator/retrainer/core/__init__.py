"""What to do, decided: pure functions from what was seen to what should happen. No I/O, no clock, no framework."""
