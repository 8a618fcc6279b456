"""The accept path beside what others would build for the same promise, all in one run."""
