"""The check of HTTP message signatures, as it is written in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from connector.codes import Code
from connector.config.checks.base import CheckSection, KeysOrSecrets
from connector.config.section import Section
from connector.errors import Misconfigured
from connector.model import KeyAddress
from connector.ports import Documents
from connector.private import Secret
from connector.verify.key_format import KeyFormat
from connector.verify.message.key import MessageAlgorithm, SenderKey
from connector.verify.message.key_set import KeySet
from connector.verify.message.signature import DEFAULT_COMPONENTS, MessageSignature
from connector.verify.stamp import MAX_TOLERANCE_S, Tolerance


class MessageKeySection(Section):
    """One key of the sender."""

    keyid: str = Field(min_length=1, description="The `keyid` that its signatures carry.", examples=["key-2026"])
    algorithm: Literal[
        "ed25519",
        "ecdsa-p256-sha256",
        "ecdsa-p384-sha384",
        "rsa-pss-sha512",
        "rsa-v1_5-sha256",
        "hmac-sha256",
    ] = Field(description="The only algorithm for this key; a signature that names another is refused.")
    key_format: Literal["pem", "base64", "base64url", "hex", "whpk", "whsec", "utf8"] = Field(
        "pem", description="How the public keys, or for hmac-sha256 the secrets, are written."
    )
    secrets: KeysOrSecrets

    def key(self) -> SenderKey:
        return SenderKey(self.keyid, MessageAlgorithm(self.algorithm), self.secrets, KeyFormat(self.key_format))


class MessageSignatureCheck(CheckSection):
    """A signature over parts of the message by RFC 9421."""

    check: Literal["http-message-signature"] = Field(
        description="The kind of check: an HTTP message signature (RFC 9421) with a digest of the body (RFC 9530)."
    )
    keys: tuple[MessageKeySection, ...] = Field((), description="The sender's keys by their ids.")
    keys_url: str = Field(
        "",
        description="Where further keys are published, as a JWK Set (RFC 7517) in which `kid` is the `keyid`; empty if "
        "nowhere.",
        examples=["https://keys.example.com/jwks.json"],
    )
    keys_algorithm: (
        Literal["ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256"] | None
    ) = Field(None, description="The only algorithm for the published keys.")
    components: tuple[str, ...] = Field(
        DEFAULT_COMPONENTS,
        description="What a signature has to cover at least; `content-digest` is always among it.",
        examples=[["@method", "@target-uri", "content-digest", "content-type"]],
    )
    tag: str = Field("", description="The `tag` that a signature has to carry; empty for any.")
    tolerance_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, `created` may lie in the past."
    )
    future_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, `created` may lie in the future."
    )

    @property
    def headers(self) -> tuple[str, ...]:
        # A message may carry several signatures in the same two headers, so that two of these checks can pass together.
        return ()

    @property
    def needs_url(self) -> bool:
        return True

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return (KeyAddress(self.keys_url),) if self.keys_url else ()

    @property
    def live_secrets(self) -> Iterator[Secret]:
        for key in self.keys:
            yield from key.secrets

    def verifier(self, documents: Documents) -> MessageSignature:
        return MessageSignature(
            tuple(one.key() for one in self.keys),
            self.components,
            Tolerance(past_s=self.tolerance_s, future_s=self.future_s),
            self.tag,
            self._published(documents),
        )

    def _published(self, documents: Documents) -> KeySet | None:
        if bool(self.keys_url) != (self.keys_algorithm is not None):
            raise Misconfigured(Code.CONFIG_INVALID, "keys_url and keys_algorithm belong together")
        if self.keys_algorithm is None:
            return None
        return KeySet(documents, KeyAddress(self.keys_url), MessageAlgorithm(self.keys_algorithm))
