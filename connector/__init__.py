"""Consent connector: privacy requests from a consent platform, carried out in Lytics, reported back."""

__version__ = "0.1.0"
