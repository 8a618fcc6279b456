"""Access tokens that this receiver issues itself, to clients that it was told of, and the check of them.

They are JWTs for our own use (RFC 9068), short-lived, and signed with HMAC: whoever issues them is whoever checks them.
The key under each is made of a signing key, the client, the audience and the secret with which the client asked. So a
token is worth nothing at another source, and nothing any more as soon as its client or that secret is taken out.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import jwt

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import pick_live, require_secrets
from connector.verify.token.body import Unsigned
from connector.verify.token.claims import ClaimRules
from connector.verify.token.jwk import TokenAlgorithm, TokenKey
from connector.verify.token.jws import Jws
from connector.verify.token.key_sources import StaticKeys
from connector.verify.token.place import InBearer

ISSUER: Final = "consent-connector"
#: What `typ` says: keeps other tokens under the same key out (RFC 9068 section 2.1).
KIND: Final = "at+jwt"
#: The one scope there is; a client that has to name one names this.
SCOPE: Final = "deliver"
MIN_KEY_BYTES: Final = 32
MIN_LIFETIME_S: Final = 60
MAX_LIFETIME_S: Final = 3_600
#: A token counts so much longer than its client is told, for calls made in its last second and clocks that differ.
SLACK_S: Final = 60

_ALGORITHM: Final = TokenAlgorithm.HS256
# RFC 6749 appendix A.1, without what Basic cannot carry (RFC 7617) or what a blank end would hide.
_CLIENT_ID: Final = re.compile(r"[!-9;-~]{1,100}")


@dataclass(frozen=True, slots=True)
class TokenClient:
    """A client that may ask for tokens, and what its tokens are good for.

    Attributes:
        audience: what `aud` says; no other source takes a token of it.
        secrets: the client's secrets that are live, any of which it may show.
        signing_keys: ours; the first one signs, and all are accepted.
        lifetime_s: how long a token counts, as the client is told.

    Raises:
        Misconfigured: a name, secret, key or lifetime that is not fit for use.
    """

    client_id: str
    audience: str
    secrets: tuple[Secret, ...]
    signing_keys: tuple[Secret, ...]
    lifetime_s: int = 600

    def __post_init__(self) -> None:
        if _CLIENT_ID.fullmatch(self.client_id) is None:
            raise _wrong("client_id is 1 to 100 characters of printable ASCII without blanks and colons")
        if not self.audience:
            raise _wrong("name the audience")
        object.__setattr__(self, "secrets", require_secrets(self.secrets, "issued-token"))
        object.__setattr__(self, "signing_keys", tuple(self.signing_keys))
        if not self.signing_keys:
            raise _wrong("no signing key is given")
        for key in self.signing_keys:
            if len(key.reveal_bytes()) < MIN_KEY_BYTES:
                raise _wrong(f"signing key {key.id} has fewer than {MIN_KEY_BYTES} bytes")
            if any(key.matches(one.reveal()) for one in self.secrets):
                raise _wrong(f"signing key {key.id} is a secret of the client, who could then make tokens itself")
        if not MIN_LIFETIME_S <= self.lifetime_s <= MAX_LIFETIME_S:
            raise _wrong(f"a token lives {MIN_LIFETIME_S} to {MAX_LIFETIME_S} seconds")

    def authenticate(self, given: str, now: datetime) -> Secret:
        """Return the secret that was given; `credential_wrong` or `credential_expired`."""
        # Every secret is compared, so that the time taken does not tell which one it was.
        return pick_live([one for one in self.secrets if one.matches(given)], now, "the secret of the client")

    def issue(self, secret: Secret, now: datetime, token_id: str) -> str:
        """Return a token for whoever showed that secret.

        Args:
            token_id: a fresh id, for the claim `jti`.
        """
        issued_at = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": self.audience,
            "sub": self.client_id,
            "client_id": self.client_id,
            "scope": SCOPE,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_s + SLACK_S,
            "jti": token_id,
        }
        return jwt.encode(claims, self.key_of(self.signing_keys[0], secret), _ALGORITHM.value, {"typ": KIND})

    def key_of(self, signing_key: Secret, secret: Secret) -> bytes:
        """Return the key under the tokens that are made with a signing key for a secret of this client."""
        bound = json.dumps([KIND, self.client_id, self.audience, secret.reveal()])
        return hmac.digest(signing_key.reveal_bytes(), bound.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """The check: `Authorization: Bearer` with a token that was issued to one client.

    It vouches for the caller and not for the body, as every bearer token does.
    """

    client: TokenClient
    _check: Jws = field(init=False, repr=False, compare=False)
    _pairs: dict[str, tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        client = self.client
        pairs = [(secret, key) for secret in client.secrets for key in client.signing_keys]
        # A holder counts as long as the client's secret does; its name is only the way back to the pair.
        names = {str(number): (secret.id, key.id) for number, (secret, key) in enumerate(pairs)}
        keys = (
            TokenKey(_holder(secret, name), None, client.key_of(key, secret), frozenset({_ALGORITHM}))
            for name, (secret, key) in zip(names, pairs, strict=True)
        )
        object.__setattr__(self, "_pairs", names)
        rules = ClaimRules(
            issuers=(ISSUER,),
            audiences=(client.audience,),
            exact={"client_id": client.client_id, "scope": SCOPE},
            required=("sub", "jti"),
            # Whatever `exp` says: a lifetime that was shortened counts for tokens that are out, too.
            max_age_s=client.lifetime_s + SLACK_S,
            future_s=SLACK_S,
            leeway_s=0,
        )
        check = Jws(
            place=InBearer(),
            algorithms=frozenset({_ALGORITHM}),
            keys=StaticKeys(tuple(keys)),
            claims=rules,
            body=Unsigned(),
            kinds=frozenset({KIND}),
            single_use=False,
        )
        object.__setattr__(self, "_check", check)

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        try:
            verified = self._check.verify(inbound, now)
        except Rejected as error:
            if not error.secret_id:
                raise
            raise Rejected(error.code, error.detail, secret_id=self._pairs[error.secret_id][0]) from None
        return replace(verified, principal="issued-token", secret_ids=tuple(self._ids(verified)))

    def _ids(self, verified: Verified) -> Iterator[str]:
        for name in verified.secret_ids:
            yield from self._pairs[name]


def _holder(secret: Secret, name: str) -> Secret:
    return Secret("", name, not_before=secret.not_before, not_after=secret.not_after)


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"issued-token: {why}")
