"""Checks a signature over the content of a delivery, by any scheme: HMAC, digest or public key.

Every live key is tried with every signature in the header, in full, so that the time taken does not tell which one it
was. There are two ways out: what was verified, or `Rejected` with a 401 code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import pick_live
from connector.verify.grammar import Parts, decode
from connector.verify.key_format import make_key
from connector.verify.keys import Key
from connector.verify.scheme import Names, Scheme

MAX_ID_CHARS: Final = 200

_ID: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery shows before its signature is checked."""

    signatures: tuple[str, ...] = field(repr=False)
    timestamp: str | None = field(repr=False)
    sent_at: datetime | None
    delivery_id: str | None = field(repr=False)

    def values(self) -> dict[str, str]:
        found = {"ts": self.timestamp, "id": self.delivery_id}
        return {name: text for name, text in found.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Signed:
    """A scheme with the keys that are live now; any of them may have signed.

    Raises:
        Misconfigured: there is no key, or one that cannot be read or is too weak; names its id.
    """

    scheme: Scheme
    secrets: tuple[Secret, ...]
    _keys: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scheme = self.scheme
        object.__setattr__(self, "secrets", tuple(self.secrets))
        if not self.secrets:
            raise Misconfigured(Code.CONFIG_INVALID, f"{scheme.name}: no secret is given")
        made = (
            make_key(secret, scheme.algorithm, scheme.key, scheme.min_secret_bytes, scheme.max_secret_bytes)
            for secret in self.secrets
        )
        object.__setattr__(self, "_keys", tuple(made))

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        """Return what was verified, or raise `Rejected` with a 401 code."""
        names = self._names(inbound)
        reading = self._read(inbound, names)
        signatures = self._decode(names, reading)
        urls = self.scheme.urls(inbound)
        # A list, not a generator: every combination is tried, whichever matches first.
        hits = [
            (secret, url)
            for secret, key in zip(self.secrets, self._keys, strict=True)
            for url, content in zip(urls, self._fill(inbound, reading, urls, key.in_content), strict=True)
            for signature in signatures
            if key.matches(signature, content)
        ]
        used = pick_live([secret for secret, _ in hits], now, f"header {names.signature}")
        # Only now: what a timestamp says counts once it is known to be the sender's.
        if self.scheme.window is not None and reading.sent_at is not None:
            self.scheme.window.require_inside(reading.sent_at, now)
        url = next(url for secret, url in hits if secret is used)
        return Verified(
            payload=inbound.body,
            principal=self.scheme.name,
            secret_ids=(used.id,),
            sender_time=reading.sent_at,
            replay_key=self._replay_key(inbound, reading, url),
            replay_until=self._replay_until(reading),
        )

    def contents(self, inbound: Inbound) -> tuple[bytes, ...]:
        """Return the bytes that the sender should have signed, one for each spelling of the URL, without any secret.

        For explaining a refusal; they hold the body, so show their length and digest only.

        Raises:
            Rejected: the delivery does not even have the parts.
        """
        return tuple(self._fill(inbound, self.reading(inbound), self.scheme.urls(inbound), b""))

    def reading(self, inbound: Inbound) -> Reading:
        """Return what a delivery shows before its signature is checked; nothing of it is to be believed.

        Raises:
            Rejected: the delivery does not even have the parts.
        """
        return self._read(inbound, self._names(inbound))

    def _names(self, inbound: Inbound) -> Names:
        sets = self.scheme.names
        return next((names for names in sets if inbound.has(names.signature)), sets[0])

    def _read(self, inbound: Inbound, names: Names) -> Reading:
        parts = self._parts(inbound, names)
        text = parts.timestamp
        if names.timestamp is not None:
            text = inbound.only(names.timestamp, Code.TIMESTAMP_MISSING, Code.TIMESTAMP_MALFORMED)
        sent_at = None
        if self.scheme.window is not None:
            if not text:
                raise Rejected(Code.TIMESTAMP_MISSING, f"header {names.signature}")
            sent_at = self.scheme.window.read(text)
        delivery_id = None
        if names.id is not None:
            delivery_id = inbound.only(names.id)
            if len(delivery_id) > MAX_ID_CHARS or _ID.fullmatch(delivery_id) is None:
                raise Rejected(Code.CREDENTIAL_MALFORMED, f"header {names.id}: it is too long or holds blanks")
        return Reading(parts.signatures, text, sent_at, delivery_id)

    def _parts(self, inbound: Inbound, names: Names) -> Parts:
        value = inbound.only(names.signature)
        try:
            return self.scheme.grammar.read(value)
        except Rejected as error:
            raise Rejected(error.code, f"header {names.signature}: {error.detail}") from None

    def _decode(self, names: Names, reading: Reading) -> list[bytes]:
        decoded = [decode(text, self.scheme.encoding) for text in reading.signatures]
        usable = [one for one in decoded if one is not None and any(key.could_be(one) for key in self._keys)]
        if not usable:
            why = f"it is not {self.scheme.encoding} of the length of {self.scheme.algorithm}"
            raise Rejected(Code.CREDENTIAL_MALFORMED, f"header {names.signature}: {why}")
        return usable

    def _fill(self, inbound: Inbound, reading: Reading, urls: tuple[str, ...], secret: bytes) -> Iterator[bytes]:
        return (self.scheme.template.fill(inbound, {**reading.values(), "url": url}, secret) for url in urls)

    def _replay_key(self, inbound: Inbound, reading: Reading, url: str) -> str:
        if reading.delivery_id is not None:
            return f"id:{reading.delivery_id}"
        if reading.timestamp is None:
            # Nothing tells a delivery from the same one sent again on purpose.
            return ""
        # Without the secret: the digest is stored.
        (content,) = self._fill(inbound, reading, (url,), b"")
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def _replay_until(self, reading: Reading) -> datetime | None:
        if self.scheme.window is None or reading.sent_at is None:
            return None
        return self.scheme.window.end_of(reading.sent_at)
