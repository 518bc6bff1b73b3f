"""The schema's history; a released revision is never edited."""
