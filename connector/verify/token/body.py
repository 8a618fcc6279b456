"""What a token vouches for: how its claims are tied to the body, and which bytes are verified in the end."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.pointer import NOTHING, at_pointer, is_pointer
from connector.verify.grammar import SignatureEncoding, decode
from connector.verify.strict_json import is_same, read_json
from connector.verify.token.compact import PayloadForm, Token

HASHES: Final = ("sha256", "sha384", "sha512")


class BodyRule(Protocol):
    """One way of tying a token to a body."""

    @property
    def form(self) -> PayloadForm:
        """Where the payload of the token has to be."""
        ...

    @property
    def covers_body(self) -> bool:
        """Whether not a byte of what is handed on can be altered."""
        ...

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:
        """Return the verified bytes of a token whose signature is good, or raise `Rejected`."""
        ...


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The token says who calls, and nothing of the body: that rests on TLS alone."""

    form: ClassVar[PayloadForm] = PayloadForm.ATTACHED
    covers_body: ClassVar[bool] = False

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:  # noqa: ARG002
        return inbound.body


@dataclass(frozen=True, slots=True)
class InToken:
    """The payload of the token is the content; whatever else the delivery holds is dropped."""

    form: ClassVar[PayloadForm] = PayloadForm.ATTACHED
    covers_body: ClassVar[bool] = True

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:  # noqa: ARG002
        return token.payload


@dataclass(frozen=True, slots=True)
class Detached:
    """The body is the payload and stands outside of the token (RFC 7515 appendix F, RFC 7797)."""

    form: PayloadForm = PayloadForm.DETACHED

    covers_body: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.form is PayloadForm.ATTACHED:
            raise Misconfigured(Code.CONFIG_INVALID, "jws: a detached payload does not stand in the token")

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:  # noqa: ARG002
        return inbound.body


@dataclass(frozen=True, slots=True)
class Hashed:
    """A claim holds a hash of the raw body."""

    claim: str
    hash_name: str = "sha256"
    encoding: SignatureEncoding = SignatureEncoding.HEX

    form: ClassVar[PayloadForm] = PayloadForm.ATTACHED
    covers_body: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.claim or self.hash_name not in HASHES:
            raise Misconfigured(
                Code.CONFIG_INVALID, f"jws: name the claim with the body's hash, which is one of {', '.join(HASHES)}"
            )

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:  # noqa: ARG002
        told = claims.get(self.claim)
        digest = decode(told, self.encoding) if isinstance(told, str) else None
        if digest is None:
            raise Rejected(Code.CLAIM_WRONG, f"claim {self.claim} holds no hash in {self.encoding}")
        if not hmac.compare_digest(digest, hashlib.new(self.hash_name, inbound.body).digest()):
            raise Rejected(Code.BODY_DIGEST_WRONG, f"claim {self.claim}")
        return inbound.body


@dataclass(frozen=True, slots=True)
class Repeated:
    """Claims repeat members of the JSON body; the rest of the body rests on TLS.

    Attributes:
        pairs: claim and JSON pointer into the body; compared as JSON values.
    """

    pairs: tuple[tuple[str, str], ...]

    form: ClassVar[PayloadForm] = PayloadForm.ATTACHED
    covers_body: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", tuple(self.pairs))
        if not self.pairs or not all(claim and is_pointer(pointer) for claim, pointer in self.pairs):
            raise Misconfigured(
                Code.CONFIG_INVALID, "jws: name the claims that the body repeats, each with a JSON pointer such as /id"
            )

    def content(self, token: Token, claims: Mapping[str, object], inbound: Inbound) -> bytes:  # noqa: ARG002
        body = read_json(inbound.body)
        if body is NOTHING:
            raise Rejected(Code.CREDENTIAL_MALFORMED, "the body is not JSON with unique names in UTF-8")
        for claim, pointer in self.pairs:
            told, found = claims.get(claim, NOTHING), at_pointer(body, pointer)
            if NOTHING in (told, found) or not is_same(told, found):
                raise Rejected(Code.CLAIM_WRONG, f"claim {claim} is not what stands at {pointer or 'the top'}")
        return inbound.body
