"""The API as the users see it. `v1alpha1` is the only source of the CRDs, their defaults, bounds, descriptions and CEL rules."""
