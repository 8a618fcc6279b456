"""What a client says when it asks for a token: a form, and its credentials there or in Basic (RFC 6749 section 4.4).

Only read here. Nothing that stands in the address is looked at: addresses end up in logs on the way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Private
from connector.verify.base import decode_base64, malformed, read_form
from connector.verify.shared import after_scheme

_AUTHORIZATION: Final = "Authorization"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says it is, and the secret that it shows for that."""

    client_id: str
    secret: Private


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token.

    Attributes:
        credentials: the ways in which they may be read: as they are, and in Basic also with escapes undone, which
            section 2.3.1 asks of clients and many leave out.
        scope: empty if none is asked for.
    """

    credentials: tuple[Credentials, ...]
    grant_type: str = field(repr=False)
    scope: str = field(repr=False)


def read_token_request(inbound: Inbound, query: str) -> TokenRequest:
    """Read a request for a token.

    Args:
        inbound: the call; its body is a form.
        query: what stood behind the question mark of the address.

    Raises:
        Rejected: `token_request_invalid`, or one of the codes of a credential that is missing or cannot be read.
    """
    if query:
        raise _invalid("parameters belong into the form, not into the address")
    form = _form(inbound.body)
    shown = form.get("client_secret", "")
    if inbound.has(_AUTHORIZATION):
        if shown:
            raise _invalid("the client shows its secret twice")
        credentials = _basic(inbound)
        if form.get("client_id", credentials[0].client_id) not in {one.client_id for one in credentials}:
            raise _invalid("client_id is not the one in Authorization")
    elif not shown or not form.get("client_id"):
        raise Rejected(Code.CREDENTIAL_MISSING, "client_id and client_secret")
    else:
        credentials = (Credentials(form["client_id"], Private(shown)),)
    if not form.get("grant_type"):
        raise _invalid("grant_type is missing")
    return TokenRequest(credentials, form["grant_type"], form.get("scope", ""))


def _form(body: bytes) -> dict[str, str]:
    """Return the parameters that have a value; one without is as good as none (section 3.2)."""
    pairs = read_form(body.decode("ascii")) if body.isascii() else None
    if pairs is None:
        raise _invalid("the form cannot be read")
    if len({name for name, _ in pairs}) != len(pairs):
        raise _invalid("a parameter came more than once")
    return {name: value for name, value in pairs if value}


def _basic(inbound: Inbound) -> tuple[Credentials, ...]:
    given = decode_base64(after_scheme(inbound, "basic"), _AUTHORIZATION)
    try:
        client_id, colon, secret = given.decode().partition(":")
    except UnicodeDecodeError:
        raise malformed(_AUTHORIZATION, "it is not UTF-8") from None
    if not colon or not client_id or not secret:
        raise malformed(_AUTHORIZATION, "it does not hold a client and its secret")
    readings = [(client_id, secret)]
    with suppress(UnicodeDecodeError):  # then what looks like escapes are none
        readings.append((unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")))
    return tuple(Credentials(one, Private(other)) for one, other in dict.fromkeys(readings))


def _invalid(why: str) -> Rejected:
    return Rejected(Code.TOKEN_REQUEST_INVALID, why)
