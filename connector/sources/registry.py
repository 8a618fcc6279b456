"""The platforms that the product speaks: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from connector.dialect.description import Description
from connector.ports import Source
from connector.sources.generic.parse import GenericSource
from connector.sources.onetrust.parse import OneTrustSource


class SourceFactory(Protocol):
    """Makes the dialect of one configured source.

    Args:
        described: what the configuration says of it; given exactly for a platform that is described there.
    """

    def __call__(self, described: Description | None, /) -> Source: ...


def _onetrust(_: Description | None) -> Source:
    return OneTrustSource()


def _generic(described: Description | None) -> Source:
    assert described is not None, "the configuration demands a description for this platform"
    return GenericSource(described)


PLATFORMS: Final[Mapping[str, SourceFactory]] = MappingProxyType(
    {
        "onetrust": _onetrust,
        "generic": _generic,
    }
)
