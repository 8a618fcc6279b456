"""The receiver's HTTP surface. Views are thin: every rule lives in `services`."""
