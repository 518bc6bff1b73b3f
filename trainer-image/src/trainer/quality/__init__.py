"""The guide's data-quality checks, by SQL, before anything is trained on the data."""
