"""What an HTTP message signature covers: components of a request, by name and parameters (RFC 9421 section 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import http_sf

from connector.codes import Code
from connector.errors import Misconfigured

# RFC 9421 section 2.2, without what only a response has.
_DERIVED: Final = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query", "@query-param"}
)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# Of section 2.1; `req` belongs to responses, and of trailers we know nothing.
_OF_HEADERS: Final = frozenset({"sf", "bs", "key"})


@dataclass(frozen=True, slots=True)
class Component:
    """A name and its parameters, whose order does not matter (RFC 9421 section 2)."""

    name: str
    parameters: frozenset[tuple[str, object]] = frozenset()

    @classmethod
    def of(cls, name: str, parameters: Mapping[str, object]) -> Component:
        return cls(name, frozenset(parameters.items()))


def component(text: str) -> Component:
    """Read a component of the settings: a bare name, or the notation of RFC 9421 with parameters.

    Raises:
        Misconfigured: it cannot be read, or a request has no such thing.
    """
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="item") if text.startswith('"') else (text, {})
    except ValueError:
        parsed = ("", {})
    name, parameters = parsed if isinstance(parsed, tuple) else ("", {})
    if not isinstance(name, str) or not isinstance(parameters, dict) or not _exists(name, parameters):
        raise Misconfigured(
            Code.CONFIG_INVALID,
            f"http-message-signature: {text!r} is no component of a request, such as content-digest, @method or "
            '"@query-param";name="id"',
        )
    return Component.of(name, parameters)


def is_covered(required: Component, covered: frozenset[Component]) -> bool:
    """Say whether a signature covers what is required, under that name or in other words for the same."""
    return any(wanted <= covered for wanted in (frozenset({required}), *_SAME.get(required, ())))


def _exists(name: str, parameters: Mapping[str, object]) -> bool:
    if name == "@query-param":
        return set(parameters) == {"name"} and isinstance(parameters["name"], str)
    if name.startswith("@"):
        return name in _DERIVED and not parameters
    key, flags = parameters.get("key", ""), {parameters[flag] for flag in ("sf", "bs") if flag in parameters}
    return (
        _HEADER.fullmatch(name) is not None
        and set(parameters) <= _OF_HEADERS
        and isinstance(key, str)
        and flags <= {True}
        and not ("bs" in parameters and len(parameters) > 1)
    )


def _named(*names: str) -> frozenset[Component]:
    return frozenset(Component(name) for name in names)


def _digest(**parameters: object) -> frozenset[Component]:
    return frozenset({Component.of("content-digest", parameters)})


# The whole target, but for its scheme, is the same as its parts. A signed digest holds the body in any of these
# notations; that every digest fits the body is checked in any case.
_SAME: Final[Mapping[Component, tuple[frozenset[Component], ...]]] = {
    Component("@target-uri"): (_named("@authority", "@path", "@query"), _named("@authority", "@request-target")),
    Component("content-digest"): (
        _digest(sf=True),
        _digest(bs=True),
        *(_digest(key=algorithm) for algorithm in ("sha-256", "sha-512")),
        *(_digest(key=algorithm, sf=True) for algorithm in ("sha-256", "sha-512")),
    ),
}
