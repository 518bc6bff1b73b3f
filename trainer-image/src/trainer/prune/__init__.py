"""Removes the artifacts that a policy no longer keeps."""
