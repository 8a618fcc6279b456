"""Keyed hashes and, beside them, whatever else the product does with keys."""
