"""Where the keys for tokens come from: the settings, or documents that a sender publishes.

Published keys come through `ports.Documents` only, from addresses that the settings fix. A token may select one of
them, by the name of its key or, among those allowed, of its issuer; it can never add one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, Protocol

from connector.codes import Code
from connector.errors import Misconfigured
from connector.model import Document
from connector.pointer import at_pointer, is_pointer
from connector.ports import Documents
from connector.private import Secret
from connector.verify.strict_json import read_json
from connector.verify.token.jwk import TokenAlgorithm, TokenKey, algorithms_of, id_of, material_of_pem, published_key
from connector.verify.token.key_places import Locator, host_of

#: A large provider publishes about ten; more would only make us compute.
MAX_PUBLISHED_KEYS: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token says about its key, before anything is believed."""

    issuer: object = field(repr=False)
    key_id: str | None = field(repr=False)
    algorithm: TokenAlgorithm


@dataclass(frozen=True, slots=True)
class Found:
    """The keys with which a token may be checked.

    Attributes:
        document: what was read for it, if anything was.
        unreadable: where the document came from, if it could not be read; empty if all is well.
    """

    keys: tuple[TokenKey, ...]
    document: Document | None = None
    unreadable: str = ""


class KeySource(Protocol):
    """Finds keys."""

    @property
    def is_published(self) -> bool:
        """Whether the keys are published, so that they may sign for other receivers too."""
        ...

    @property
    def needs_issuer(self) -> bool: ...

    def find(self, wanted: Wanted, now: datetime) -> Found:
        """Return the keys that may fit.

        Raises:
            Rejected: `claim_wrong` for an issuer that is not allowed.
            Temporary: `keys_unavailable`.
        """
        ...

    def find_again(self, found: Found, wanted: Wanted, now: datetime) -> Found | None:
        """Look at the publisher's once more, because nothing found did fit; None if that is of no use now."""
        ...


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """The keys that are configured."""

    keys: tuple[TokenKey, ...]

    is_published: ClassVar[bool] = False
    needs_issuer: ClassVar[bool] = False

    def find(self, wanted: Wanted, now: datetime) -> Found:  # noqa: ARG002 - a key's time is judged once it matched
        return Found(_fitting(self.keys, wanted))

    def find_again(self, found: Found, wanted: Wanted, now: datetime) -> None:
        """Never: settings do not change while they are in use."""


class KeyForm(StrEnum):
    """What is published: JWKs in JSON, or one public key as PEM text."""

    JWKS = "jwks"
    PEM = "pem"


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """Keys that a sender publishes.

    Attributes:
        pointer: where the list of JWKs stands in the document, as a JSON pointer.
    """

    documents: Documents = field(repr=False)
    locator: Locator
    form: KeyForm = KeyForm.JWKS
    pointer: str = "/keys"

    is_published: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not is_pointer(self.pointer):
            raise _wrong("the member with the keys is a JSON pointer such as /keys")

    @property
    def needs_issuer(self) -> bool:
        return self.locator.needs_issuer

    def find(self, wanted: Wanted, now: datetime) -> Found:
        return self._read(self.documents.get(self.locator.address(wanted.issuer, now), now), wanted)

    def find_again(self, found: Found, wanted: Wanted, now: datetime) -> Found | None:
        renewed = self.documents.renew(found.document, now) if found.document is not None else None
        return self._read(renewed, wanted) if renewed is not None else None

    def _read(self, document: Document, wanted: Wanted) -> Found:
        place = host_of(document.address.url)
        keys = self._keys(document, place, wanted)
        if keys is None:
            return Found((), document, unreadable=place)
        return Found(_fitting(keys, wanted), document)

    def _keys(self, document: Document, place: str, wanted: Wanted) -> Collection[TokenKey] | None:
        if self.form is KeyForm.PEM:
            material = material_of_pem(document.body)
            if material is None:
                return None
            return (TokenKey(Secret("", id_of(None, material, place)), None, material, algorithms_of(material)),)
        listed = at_pointer(read_json(document.body), self.pointer)
        if not isinstance(listed, list) or len(listed) > MAX_PUBLISHED_KEYS:
            return None
        return tuple(_published(listed, place, wanted))


def _published(listed: list[object], place: str, wanted: Wanted) -> Iterator[TokenKey]:
    for jwk in listed:
        # Only those that may fit are built: that is what takes time.
        if isinstance(jwk, dict) and (wanted.key_id is None or jwk.get("kid") in (None, wanted.key_id)):
            key = published_key(jwk, place, (wanted.algorithm,))
            if key is not None:
                yield key


def _fitting(keys: Collection[TokenKey], wanted: Wanted) -> tuple[TokenKey, ...]:
    return tuple(key for key in keys if key.could_be(wanted.key_id, wanted.algorithm))


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"jws: {why}")
