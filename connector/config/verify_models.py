"""The checks that a delivery has to pass: as they are written in the file, and the verifiers that they become."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from connector.codes import Code
from connector.config.fields import (
    HeaderName,
    HeaderNameOrNone,
    HeaderPrefix,
    HeaderSecretRef,
    SecretRef,
    Section,
    SenderUrlOrNone,
    StrongSecretRef,
)
from connector.errors import Misconfigured
from connector.ports import Verifier
from connector.verify import Algorithm, AllOf, Basic, Bearer, Encoding, Hmac, StaticHeader, Unit, Window
from connector.verify.by_scheme import ByScheme
from connector.verify.presets import PRESETS
from connector.verify.signed import Signed

_LIVE = Field(
    min_length=1,
    description="References to all secrets that are valid now, the newest first, at least 16 characters each; any of "
    "them may be used.",
)
Secrets: TypeAlias = Annotated[tuple[StrongSecretRef, ...], _LIVE]
HeaderSecrets: TypeAlias = Annotated[tuple[HeaderSecretRef, ...], _LIVE]
# Public keys may be short and span lines; each scheme says itself what it accepts.
SchemeSecrets: TypeAlias = Annotated[
    tuple[SecretRef, ...],
    Field(
        min_length=1,
        description="References to all secrets, or public keys, that are valid now; any of them may have signed.",
    ),
]


class CheckSection(Section):
    """What all checks have in common."""

    @property
    @abstractmethod
    def headers(self) -> tuple[str, ...]:
        """The headers that it reads."""

    @abstractmethod
    def verifier(self) -> Verifier:
        """Build what checks a delivery; `Misconfigured` if it refuses its settings."""

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        try:
            self.verifier()
        except Misconfigured as error:
            raise ValueError(error.detail) from None
        return self


class HeaderCheck(CheckSection):
    """A secret value in a header."""

    check: Literal["header"] = Field(description="The kind of check: a secret value in a header.")
    name: HeaderName = Field(description="The header's name.", examples=["X-Connector-Secret"])
    prefix: HeaderPrefix = Field("", description="What stands before the secret, such as `Token `.")
    secrets: HeaderSecrets

    @property
    def headers(self) -> tuple[str, ...]:
        return (self.name,)

    def verifier(self) -> Verifier:
        return StaticHeader(self.name, self.secrets, self.prefix)


class BearerCheck(CheckSection):
    """`Authorization: Bearer` with a fixed token."""

    check: Literal["bearer"] = Field(description="The kind of check: a fixed bearer token.")
    secrets: HeaderSecrets

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def verifier(self) -> Verifier:
        return Bearer(self.secrets)


class BasicCheck(CheckSection):
    """`Authorization: Basic`."""

    check: Literal["basic"] = Field(description="The kind of check: user and password.")
    user: str = Field(min_length=1, description="The user name; no colon in it.")
    passwords: Secrets

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def verifier(self) -> Verifier:
        return Basic(self.user, self.passwords)


class HmacCheck(CheckSection):
    """A signature over the raw body, or over timestamp and body."""

    check: Literal["hmac"] = Field(description="The kind of check: an HMAC over the raw body.")
    header: HeaderName = Field(
        "X-OneTrust-Signature", description="The header with the signature; the name is ours, not OneTrust's."
    )
    algorithm: Literal["sha256", "sha512"] = Field("sha256", description="The hash.")
    encoding: Literal["hex", "base64"] = Field("hex", description="How the signature is written.")
    prefix: HeaderPrefix = Field("", description="What stands before the signature, such as `sha256=`.")
    timestamp_header: HeaderNameOrNone = Field(
        "", description="The header with the time of sending; empty if the body alone is signed. Needed against replay."
    )
    separator: str = Field(
        ".", description="What stands between timestamp and body in the signed text: ASCII, not starting with a digit."
    )
    timestamp_unit: Literal["seconds", "milliseconds"] = Field("seconds", description="What the timestamp counts.")
    tolerance_s: int = Field(
        300, ge=1, le=86_400, description="How far, in seconds, the timestamp may lie from now, in past and future."
    )
    secrets: Secrets

    @property
    def headers(self) -> tuple[str, ...]:
        return (self.header, self.timestamp_header) if self.timestamp_header else (self.header,)

    def verifier(self) -> Verifier:
        window = None
        if self.timestamp_header:
            window = Window(self.timestamp_header, Unit(self.timestamp_unit), self.tolerance_s)
        return Hmac(
            self.secrets,
            header=self.header,
            algorithm=Algorithm(self.algorithm),
            encoding=Encoding(self.encoding),
            prefix=self.prefix,
            window=window,
            separator=self.separator,
        )


class SchemeCheck(CheckSection):
    """A signature in the layout of a known sender."""

    check: Literal["scheme"] = Field(description="The kind of check: a known sender's signature.")
    scheme: str = Field(
        description="The name of the layout, from docs/schemes.md.",
        json_schema_extra={"enum": [*sorted(PRESETS)]},
        examples=["standard-webhooks"],
    )
    url: SenderUrlOrNone = Field(
        "", description="The address that the sender calls, for the schemes that sign it; as configured at the sender."
    )
    secrets: SchemeSecrets

    @field_validator("scheme")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"not a scheme; known: {', '.join(sorted(PRESETS))}")
        return value

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(
            name
            for names in PRESETS[self.scheme].names
            for name in (names.signature, names.timestamp, names.id)
            if name
        )

    def verifier(self) -> Verifier:
        scheme = PRESETS[self.scheme]
        if not self.url and any(scheme.template.uses(part) for part in ("url", "host", "path", "query")):
            raise Misconfigured(Code.CONFIG_INVALID, f"{self.scheme} signs the URL; set url to what the sender calls")
        return ByScheme(Signed(scheme, self.secrets), self.url)


Check: TypeAlias = Annotated[
    HeaderCheck | BearerCheck | BasicCheck | HmacCheck | SchemeCheck, Field(discriminator="check")
]


def verifier_of(checks: Sequence[Check]) -> Verifier:
    """Build the verifier of a source's checks; all of them have to pass."""
    return AllOf(tuple(one.verifier() for one in checks))


def can_pass_together(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return the checks; raise `ValueError` if two need the same header, which no delivery can have for both."""
    read = [name.lower() for one in checks for name in one.headers]
    twice = sorted({name for name in read if read.count(name) > 1})
    if twice:
        raise ValueError(f"two checks read the header {', '.join(twice)}; a delivery cannot pass both")
    return checks
