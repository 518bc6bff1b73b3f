"""A believable membership platform, the same for the same seed, whose world can be made to drift from a date."""
