"""A platform that is described in the configuration alone."""
