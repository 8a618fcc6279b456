"""Decisions without side effects: when to try again, when something is due, what goes into one call, how it ended."""
