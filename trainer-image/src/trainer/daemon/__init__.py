"""What the two commands that run for ever share: listener, database, JSON lines, signals, environment."""
