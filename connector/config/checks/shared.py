"""Checks of a shared value, as they are written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.checks.base import CheckSection, HeaderSecrets, Secrets
from connector.config.fields import HeaderName, HeaderPrefix
from connector.ports import Documents
from connector.verify.shared import Basic, Bearer, QueryParameter, StaticHeader


class HeaderCheck(CheckSection):
    """A secret value in a header."""

    check: Literal["header"] = Field(description="The kind of check: a secret value in a header.")
    name: HeaderName = Field(description="The header's name.", examples=["X-Connector-Secret"])
    prefix: HeaderPrefix = Field("", description="What stands before the secret, such as `Token `.")
    secrets: HeaderSecrets

    @property
    def headers(self) -> tuple[str, ...]:
        return (self.name,)

    def verifier(self, documents: Documents) -> StaticHeader:  # noqa: ARG002 - the same call for every check
        return StaticHeader(self.name, self.secrets, self.prefix)


class BearerCheck(CheckSection):
    """`Authorization: Bearer` with a fixed token."""

    check: Literal["bearer"] = Field(description="The kind of check: a fixed bearer token.")
    secrets: HeaderSecrets

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def verifier(self, documents: Documents) -> Bearer:  # noqa: ARG002 - the same call for every check
        return Bearer(self.secrets)


class BasicCheck(CheckSection):
    """`Authorization: Basic`."""

    check: Literal["basic"] = Field(description="The kind of check: user and password.")
    user: str = Field(min_length=1, description="The user name; no colon in it.")
    passwords: Secrets

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    def verifier(self, documents: Documents) -> Basic:  # noqa: ARG002 - the same call for every check
        return Basic(self.user, self.passwords)


class QueryCheck(CheckSection):
    """A secret value in the URL."""

    check: Literal["query"] = Field(description="The kind of check: a secret value in a parameter of the URL.")
    name: str = Field(min_length=1, description="The parameter's name.", examples=["token"])
    secrets: Secrets

    @property
    def headers(self) -> tuple[str, ...]:
        return ()

    @property
    def needs_url(self) -> bool:
        return True

    def verifier(self, documents: Documents) -> QueryParameter:  # noqa: ARG002 - the same call for every check
        return QueryParameter(self.name, self.secrets)
