"""Whatever the product sends to the vendors in these tests is held against what they publish."""

from tests.support.contracts import as_the_vendors_describe

__all__ = ["as_the_vendors_describe"]
