"""Lytics: both published deletion APIs, the look-up, and the one client that talks to an account.

Rules come from the vendor's Identity Deletion guide, Bulk User Deletion guide and published v2 specification; where
these are silent, docs/lytics.md says which reading was chosen.
"""
