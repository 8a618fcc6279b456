"""The platforms that the product speaks: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from connector.ports import Source
from connector.sources.onetrust.parse import OneTrustSource


class SourceFactory(Protocol):
    """Makes the dialect of one configured source.

    `require_identity` is False where the identifiers may come from the platform itself afterwards (read-back).
    """

    def __call__(self, *, require_identity: bool = True) -> Source: ...


PLATFORMS: Final[Mapping[str, SourceFactory]] = MappingProxyType(
    {
        "onetrust": OneTrustSource,
    }
)
