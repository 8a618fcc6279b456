"""Measurements of the product on the machine at hand, each beside a floor of its own, because only ratios travel."""
