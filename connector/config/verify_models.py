"""The checks that a delivery has to pass, as they are written in the file."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from connector.config.fields import Section, StrongSecretRef

Secrets: TypeAlias = Annotated[
    tuple[StrongSecretRef, ...],
    Field(min_length=1, description="All secrets that are valid now, the newest first; any of them may be used."),
]


class HeaderCheck(Section):
    """A secret value in a header."""

    check: Literal["header"] = Field(description="The kind of check: a secret value in a header.")
    name: str = Field(description="The header's name.", examples=["X-Connector-Secret"])
    prefix: str = Field("", description="What stands before the secret, such as `Token `.")
    secrets: Secrets


class BearerCheck(Section):
    """`Authorization: Bearer` with a fixed token."""

    check: Literal["bearer"] = Field(description="The kind of check: a fixed bearer token.")
    secrets: Secrets


class BasicCheck(Section):
    """`Authorization: Basic`."""

    check: Literal["basic"] = Field(description="The kind of check: user and password.")
    user: str = Field(min_length=1, description="The user name.")
    passwords: Secrets


class HmacCheck(Section):
    """A signature over the raw body, or over timestamp and body."""

    check: Literal["hmac"] = Field(description="The kind of check: an HMAC over the raw body.")
    header: str = Field("X-OneTrust-Signature", description="The header with the signature; the name is ours.")
    algorithm: Literal["sha256", "sha512"] = Field("sha256", description="The hash.")
    encoding: Literal["hex", "base64"] = Field("hex", description="How the signature is written.")
    prefix: str = Field("", description="What stands before the signature, such as `sha256=`.")
    timestamp_header: str = Field(
        "", description="The header with the time of sending; empty if the body alone is signed. Needed against replay."
    )
    separator: str = Field(".", description="What stands between timestamp and body in the signed text.")
    timestamp_unit: Literal["seconds", "milliseconds"] = Field("seconds", description="What the timestamp counts.")
    tolerance_s: int = Field(
        300, ge=1, le=86_400, description="How far, in seconds, the timestamp may lie from now, in past and future."
    )
    secrets: Secrets


Check: TypeAlias = Annotated[HeaderCheck | BearerCheck | BasicCheck | HmacCheck, Field(discriminator="check")]
