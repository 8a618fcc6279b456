"""Tables and words inside of the check of a token."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from connector.config.fields import HeaderName, HeaderPrefix
from connector.config.secrets import HeaderSecretRef
from connector.config.section import Section
from connector.private import Secret

TokenAlgorithmName: TypeAlias = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
    "HS256",
    "HS384",
    "HS512",
]


class KeyHeaderSection(Section):
    """A header that the publisher of the keys wants."""

    name: HeaderName = Field(description="The header's name.", examples=["Authorization"])
    prefix: HeaderPrefix = Field("", description="What stands before the secret, such as `Bearer `.")
    secret: HeaderSecretRef = Field(description="A reference to the publisher's API key.")

    def value(self) -> Secret:
        return Secret(self.prefix + self.secret.reveal(), self.secret.id)


class RepeatedSection(Section):
    """A claim that repeats a member of the body."""

    claim: str = Field(min_length=1, description="The claim.", examples=["value"])
    member: str = Field(
        description="The member that has to be equal, as a JSON pointer.", examples=["/coreIdentifier/value"]
    )
