"""Structured header fields (RFC 9651), and the one whose content is checked here: `Content-Digest` (RFC 9530)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, NoReturn, TypeAlias

import http_sf

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.verify.base import malformed

#: A member's value (a list of pairs like this one for an inner list) and its parameters.
Member: TypeAlias = tuple[object, Mapping[str, object]]

CONTENT_DIGEST: Final = "Content-Digest"
#: The active algorithms of RFC 9530 section 5; the others there are not fit against somebody who alters bodies.
DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

# Several signatures or digests need far less; more only makes us compute.
_MAX_CHARS: Final = 16_384


def read_dictionary(inbound: Inbound, name: str) -> tuple[str, dict[str, Member]]:
    """Return a dictionary field as text, its lines joined (RFC 9421 section 2.1), and its members.

    Raises:
        Rejected: `credential_missing`; `credential_malformed` also for a member or parameter that stands twice, of
            which RFC 9651 takes the last and other readers the first.
    """
    text = ", ".join(value.strip(" \t") for value in inbound.values(name))
    if not text:
        raise Rejected(Code.CREDENTIAL_MISSING, f"header {name}")
    if len(text) > _MAX_CHARS:
        raise malformed(name, "it is too long")
    members = _parse(text)
    if members is None:
        raise malformed(name, "it is not a dictionary of RFC 9651 in which every name stands once")
    return text, members


def require_digest(inbound: Inbound) -> None:
    """Refuse a body that `Content-Digest` does not fit; an empty body has a digest like any other.

    Every digest that we can compute has to agree, and there has to be one. Others are passed over: senders may add them
    without knowing what we can (RFC 9530 section 2).

    Raises:
        Rejected: `credential_missing`, `credential_malformed`, `body_digest_wrong`.
    """
    _, members = read_dictionary(inbound, CONTENT_DIGEST)
    given = {algorithm: members[algorithm][0] for algorithm in DIGESTS if algorithm in members}
    if not given:
        raise malformed(CONTENT_DIGEST, f"it has none of {', '.join(DIGESTS)}")
    for algorithm, value in given.items():
        if not isinstance(value, bytes):
            raise malformed(CONTENT_DIGEST, f"{algorithm} is not a byte sequence")
        if not hmac.compare_digest(value, DIGESTS[algorithm](inbound.body).digest()):
            raise Rejected(Code.BODY_DIGEST_WRONG, f"header {CONTENT_DIGEST}: {algorithm}")


def _parse(text: str) -> dict[str, Member] | None:
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=_once)
    except ValueError:  # the library's own error and those of decoding are ValueErrors
        return None
    # What the parser returns for a dictionary; its type covers what a serialiser takes as well.
    return dict(parsed) if isinstance(parsed, dict) else None  # type: ignore[arg-type]


def _once(_name: str, _context: str) -> NoReturn:
    raise ValueError
