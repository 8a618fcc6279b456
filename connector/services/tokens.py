"""Gives a client a token for its own source, if it shows its secret (RFC 6749 section 4.4). Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Rejected
from connector.ids import new_id
from connector.private import Private, Secret
from connector.services.intake import note_use
from connector.services.site import Site
from connector.verify.token.ask import TokenRequest
from connector.verify.token.issued import SCOPE, TokenClient

_GRANT: Final = "client_credentials"


@dataclass(frozen=True, slots=True)
class Holder:
    """A client and the source that its tokens are for."""

    source: str
    client: TokenClient


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and for how many seconds its client may use it."""

    token: Private
    expires_in_s: int
    scope: str = field(default=SCOPE)


# Compared with where nobody is known by the name given, so that the time taken does not tell.
_NOBODY: Final = TokenClient(
    "nobody", "nobody", (Secret("no client shows this secret", "none"),), (Secret("-" * 32, "none"),)
)


def grant(site: Site, clients: Mapping[str, Holder], asked: TokenRequest) -> Granted:
    """Return a token for the client that asks.

    Raises:
        Rejected: with a code of a credential, `grant_not_supported` or `scope_unknown`.
        Temporary: the use of the secret cannot be noted.
    """
    now = site.clock.now()
    holder, secret = _authenticated(site, clients, asked, now)
    if asked.grant_type != _GRANT:
        raise Rejected(Code.GRANT_NOT_SUPPORTED)
    if asked.scope not in {"", SCOPE}:
        raise Rejected(Code.SCOPE_UNKNOWN)
    note_use(site, holder.source, secret.id, now)
    token = holder.client.issue(secret, now, new_id(now))
    site.log.info("token_granted", source=holder.source, secret_id=secret.id)
    return Granted(Private(token), holder.client.lifetime_s)


def _authenticated(
    site: Site, clients: Mapping[str, Holder], asked: TokenRequest, now: datetime
) -> tuple[Holder, Secret]:
    refusal = Rejected(Code.CREDENTIAL_WRONG)
    for one in asked.credentials:
        holder = clients.get(one.client_id)
        try:
            secret = (holder.client if holder else _NOBODY).authenticate(one.secret.reveal(), now)
        except Rejected as error:
            if holder is not None and error.secret_id:
                # Whoever rotates a secret has to see that the old one still arrives after its end.
                note_use(site, holder.source, error.secret_id, now)
                refusal = error
            continue
        if holder is not None:
            return holder, secret
    raise refusal from None
