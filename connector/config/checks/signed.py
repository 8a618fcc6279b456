"""Checks of a signature over the content: a known sender's layout by its name, or one spelled out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final, Literal

from pydantic import Field, field_validator

from connector.config.checks.base import CheckSection, KeysOrSecrets, require_effect
from connector.config.fields import HeaderName, HeaderNameOrNone, HeaderPrefix
from connector.ports import Documents
from connector.verify.grammar import Grammar, Pairs, Plain, SignatureEncoding, Versioned
from connector.verify.key_format import KeyFormat
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme
from connector.verify.signed import Signed
from connector.verify.stamp import MAX_TOLERANCE_S, TimeUnit, Tolerance

_FORM: Final = "application/x-www-form-urlencoded"

# A setting → the layout of the header with which it counts.
_OF_LAYOUT: Final = {
    "prefix": "plain",
    "signature_item": "pairs",
    "timestamp_item": "pairs",
    "item_separator": "pairs",
    "versions": "versions",
}
_OF_TIME: Final = ("timestamp_unit", "tolerance_s", "future_s")


class SignedCheck(CheckSection):
    """What both have in common: a scheme and its keys."""

    secrets: KeysOrSecrets

    @abstractmethod
    def layout(self) -> Scheme:
        """Return the scheme; `Misconfigured` if it could not work, or not protect."""

    @property
    def headers(self) -> tuple[str, ...]:
        names = self.layout().names
        return tuple(name for one in names for name in (one.signature, one.timestamp, one.id) if name)

    @property
    def media_types(self) -> frozenset[str]:
        return frozenset({_FORM}) if self.layout().template.uses("form") else frozenset()

    @property
    def needs_url(self) -> bool:
        template = self.layout().template
        return any(template.uses(part) for part in ("url", "host", "path", "query", "form"))

    def verifier(self, documents: Documents) -> Signed:  # noqa: ARG002 - the same call for every check
        return Signed(self.layout(), self.secrets)


class SchemeCheck(SignedCheck):
    """A signature in the layout of a known sender."""

    check: Literal["scheme"] = Field(description="The kind of check: a known sender's signature.")
    scheme: str = Field(
        description="The name of the layout, from docs/schemes.md.",
        json_schema_extra={"enum": [*sorted(PRESETS)]},
        examples=["standard-webhooks"],
    )

    @field_validator("scheme")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"not a scheme; known: {', '.join(sorted(PRESETS))}")
        return value

    def layout(self) -> Scheme:
        return PRESETS[self.scheme]


class SignatureCheck(SignedCheck):
    """A signature over the content, in a layout spelled out here."""

    check: Literal["signature"] = Field(description="The kind of check: a signature in a layout of your own.")
    header: HeaderName = Field(
        "X-OneTrust-Signature", description="The header with the signature; the name is ours, not OneTrust's."
    )
    algorithm: Literal[
        "hmac-sha256",
        "hmac-sha384",
        "hmac-sha512",
        "ed25519",
        "ecdsa-p256",
        "ecdsa-p256-raw",
        "ecdsa-p384",
        "ecdsa-p384-raw",
        "rsa-pkcs1-sha256",
        "rsa-pss-sha256",
    ] = Field("hmac-sha256", description="The only algorithm accepted; `-raw` is r and s without DER around them.")
    encoding: Literal["hex", "base64", "base64url"] = Field("hex", description="How the signature is written.")
    key: Literal["utf8", "hex", "base64", "base64url", "whsec", "whpk", "pem"] = Field(
        "utf8", description="How the secrets or public keys are written."
    )
    layout_of_header: Literal["plain", "pairs", "versions"] = Field(
        "plain",
        description="How the header is laid out: one signature behind `prefix`; `name=value` items; or "
        "`version,signature` entries behind blanks.",
    )
    prefix: HeaderPrefix = Field("", description="What stands before the signature, such as `sha256=`; plain only.")
    signature_item: str = Field("v1", description="The name of the items that hold a signature; pairs only.")
    timestamp_item: str = Field("", description="The name of the item that holds the time, if one does; pairs only.")
    item_separator: Literal[",", ";"] = Field(",", description="What stands between the items; pairs only.")
    versions: tuple[str, ...] = Field(("v1",), min_length=1, description="The versions that count; versions only.")
    timestamp_header: HeaderNameOrNone = Field(
        "", description="The header with the time of sending; empty if there is none. Needed against replay."
    )
    timestamp_unit: Literal["seconds", "milliseconds", "iso8601"] = Field(
        "seconds", description="How the time is written."
    )
    tolerance_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, the time may lie in the past."
    )
    future_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, the time may lie in the future."
    )
    id_header: HeaderNameOrNone = Field("", description="The header with the id of the delivery, if that is signed.")
    content: str = Field(
        "",
        description="What is signed, with `{id}`, `{ts}`, `{body}`, `{method}`, `{url}`, `{path}`, `{query}`, `{host}` "
        "and `{header:NAME}`; left empty, `{id}.{ts}.{body}` as far as there are id and time.",
    )

    def layout(self) -> Scheme:
        timed = bool(self.timestamp_header or self.timestamp_item)
        require_effect(self, self._effects(timed=timed))
        parts = ("{id}",) * bool(self.id_header) + ("{ts}",) * timed + ("{body}",)
        return Scheme(
            "signature",
            (Names(self.header, self.timestamp_header or None, self.id_header or None),),
            self.content or ".".join(parts),
            Algorithm(self.algorithm),
            self._grammar(),
            SignatureEncoding(self.encoding),
            KeyFormat(self.key),
            Tolerance(TimeUnit(self.timestamp_unit), self.tolerance_s, self.future_s) if timed else None,
        )

    def _effects(self, *, timed: bool) -> dict[str, tuple[bool, str]]:
        chosen = self.layout_of_header
        of_layout = {name: (chosen == one, f"layout_of_header = {one}") for name, one in _OF_LAYOUT.items()}
        return of_layout | dict.fromkeys(_OF_TIME, (timed, "timestamp_header or timestamp_item"))

    def _grammar(self) -> Grammar:
        if self.layout_of_header == "pairs":
            return Pairs(self.signature_item, self.timestamp_item or None, self.item_separator)
        if self.layout_of_header == "versions":
            return Versioned(self.versions)
        return Plain(self.prefix)
