"""The check of a token that this receiver issued itself, as it is written in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from connector.config.checks.base import CheckSection, Secrets
from connector.config.secrets import Distinct, KeyRef
from connector.ports import Documents
from connector.private import Secret
from connector.verify.token.issued import MAX_LIFETIME_S, MIN_LIFETIME_S, IssuedToken, TokenClient


class IssuedTokenCheck(CheckSection):
    """A bearer token that the sender fetched at `/oauth/token`, with the client credentials given here."""

    check: Literal["issued-token"] = Field(
        description="The kind of check: a token that the sender fetched at `/oauth/token` (client credentials)."
    )
    client_id: str = Field(
        description="The name by which the sender asks for tokens; no other check has the same.",
        examples=["onetrust-workflow"],
    )
    audience: str = Field(
        description="What its tokens are for, such as the address of this source; no other source has the same.",
        examples=["https://connector.example.com/webhooks/onetrust"],
    )
    secrets: Secrets
    signing_keys: Annotated[tuple[KeyRef, ...], Distinct] = Field(
        min_length=1,
        description="References to the keys that tokens are signed with, at least 32 random bytes each and the same in "
        "all web processes. The first one signs, all are accepted.",
    )
    lifetime_s: int = Field(
        600,
        ge=MIN_LIFETIME_S,
        le=MAX_LIFETIME_S,
        description="How long, in seconds, a token may be used; it counts a minute longer than its client is told.",
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return ("Authorization",)

    @property
    def live_secrets(self) -> Iterator[Secret]:
        yield from (*self.secrets, *self.signing_keys)

    @property
    def secret_groups(self) -> tuple[tuple[Secret, ...], ...]:
        return self.secrets, self.signing_keys

    @property
    def token_clients(self) -> tuple[TokenClient, ...]:
        return (self.client(),)

    def client(self) -> TokenClient:
        """Return the client that may ask for tokens."""
        return TokenClient(self.client_id, self.audience, self.secrets, self.signing_keys, self.lifetime_s)

    def verifier(self, documents: Documents) -> IssuedToken:  # noqa: ARG002 - the same call for every check
        return IssuedToken(self.client())
