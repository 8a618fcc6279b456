"""From the identities that a source names to the values that Lytics is asked to delete: declarative rules, pure."""
