"""The dashboard: pages for people, on a port of their own, rendered here and needing no script."""
