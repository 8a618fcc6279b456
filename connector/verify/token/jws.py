"""Checks a token: a JSON Web Signature in compact form, in most cases a JSON Web Token (RFC 7515, RFC 7519, RFC 8725).

The algorithms come from the settings and so do the keys, or the addresses where keys are published. What a token says
about algorithm, key and issuer is compared with that and never followed. There are three ways out: what was verified,
`Rejected` with a 401 code, or `Temporary` while published keys cannot be had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.base import pick_live
from connector.verify.strict_json import read_object
from connector.verify.token.body import BodyRule, Hashed, InToken
from connector.verify.token.claims import ClaimRules, Times
from connector.verify.token.compact import PayloadForm, Token, read_token
from connector.verify.token.jwk import TokenAlgorithm, TokenKey, require_one_kind
from connector.verify.token.key_sources import Found, KeySource, Wanted
from connector.verify.token.place import TokenPlace

MAX_ID_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Jws:
    """A check of a token.

    Attributes:
        algorithms: the only ones accepted: either of public keys or of shared secrets.
        kinds: what `typ` in the header may say, in any case; empty for anything. Keeps tokens apart that the same
            issuer makes for other purposes (RFC 8725 section 3.11).
        inner: a claim that holds another token, of an earlier sender, which has to pass as well: with a key of its own
            issuer, under the same rules but those of age and of required claims. Empty if there is none.
        single_use: whether each token belongs to one delivery. An access token is used for many.

    Raises:
        Misconfigured: settings that do not work together, or that would accept a stranger's token.
    """

    place: TokenPlace
    algorithms: frozenset[TokenAlgorithm]
    keys: KeySource
    claims: ClaimRules
    body: BodyRule
    kinds: frozenset[str] = frozenset()
    inner: str = ""
    single_use: bool = True
    _needs_claims: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "algorithms", frozenset(self.algorithms))
        kinds = frozenset(kind.lower().removeprefix("application/") for kind in self.kinds)
        object.__setattr__(self, "kinds", kinds)
        detached = self.body.form is not PayloadForm.ATTACHED
        # A detached payload may be anything: it is read only if a rule needs it.
        needs_claims = not detached or self.claims.demand_claims or bool(self.inner) or self.keys.needs_issuer
        object.__setattr__(self, "_needs_claims", needs_claims)
        self._require_fitting_keys()
        self._require_fitting_body()

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        where = self.place.where
        token = read_token(self.place.find(inbound), where, self.body.form, inbound.body)
        used = self._require_signature(token, where, now)
        claims = _claims(token, where) if self._needs_claims else {}
        times = self.claims.judge(claims, now)
        holders = [used, *self._inner(claims, where, now)]
        return Verified(
            payload=self.body.content(token, claims, inbound),
            principal="jws",
            secret_ids=tuple(dict.fromkeys(holder.id for holder in holders)),
            sender_time=times.issued_at,
            replay_key=self._replay_key(token, claims, times),
            replay_until=times.until if self.single_use else None,
        )

    def _require_signature(self, token: Token, where: str, now: datetime) -> Secret:
        """Return the holder of the key that made the signature."""
        algorithm = next((one for one in self.algorithms if one == token.algorithm), None)
        if algorithm is None:
            raise Rejected(Code.ALGORITHM_NOT_ALLOWED, where)
        if self.kinds and token.kind not in self.kinds:
            raise Rejected(Code.CLAIM_WRONG, f"{where}: typ in its header is not one that is accepted")
        # Read before it is verified, and only to choose among the issuers that are allowed.
        issuer = _claims(token, where).get("iss") if self.keys.needs_issuer else None
        wanted = Wanted(issuer, token.key_id, algorithm)
        found = self.keys.find(wanted, now)
        matching = _matching(found, token, algorithm)
        if not matching:
            # The sender may have changed its keys since they were read.
            found = self.keys.find_again(found, wanted, now) or found
            matching = _matching(found, token, algorithm)
        if not matching and found.unreadable:
            raise Temporary(Code.KEYS_UNAVAILABLE, f"what {found.unreadable} publishes cannot be read as keys")
        if not found.keys:
            raise Rejected(Code.KEY_UNKNOWN, where)
        return pick_live([key.holder for key in matching], now, where)

    def _inner(self, claims: Mapping[str, object], where: str, now: datetime) -> tuple[Secret, ...]:
        """Verify the token inside, if there has to be one, and return the holder of its key."""
        if not self.inner:
            return ()
        text, where = claims.get(self.inner), f"{where}, claim {self.inner}"
        if not isinstance(text, str):
            raise Rejected(Code.CLAIM_WRONG, f"{where} holds no token")
        token = read_token(text, where, PayloadForm.ATTACHED, b"")
        used = self._require_signature(token, where, now)
        self.claims.of_an_older_token().judge(_claims(token, where), now)
        return (used,)

    def _replay_key(self, token: Token, claims: Mapping[str, object], times: Times) -> str:
        if not self.single_use:
            return ""
        token_id = claims.get("jti")
        if isinstance(token_id, str) and 0 < len(token_id) <= MAX_ID_CHARS:
            # An id is unique for its issuer only (RFC 7519 section 4.1.7).
            return f"jti:{json.dumps([claims.get('iss'), token_id])}"
        if times.issued_at is None and times.until is None and not token_id:
            # Nothing tells a token from the same one made again on purpose.
            return ""
        # Without the signature: ECDSA lets anybody turn a good one into another good one.
        return f"sha256:{hashlib.sha256(token.signed).hexdigest()}"

    def _require_fitting_keys(self) -> None:
        require_one_kind(self.algorithms)
        if self.keys.is_published and any(one.is_shared for one in self.algorithms):
            raise _wrong("what is published is no secret; HS256, HS384 and HS512 need `secrets`")

    def _require_fitting_body(self) -> None:
        if self.place.is_in_body and (self.body.form is not PayloadForm.ATTACHED or isinstance(self.body, Hashed)):
            raise _wrong("a token in the body cannot sign that body; it has to stand in a header")
        if not self.place.leaves_body and not isinstance(self.body, InToken):
            raise _wrong("the token is all that comes; what it holds has to be the content")
        aimed = bool(self.claims.audiences or self.claims.exact)
        if self.keys.is_published and not self.body.covers_body and not aimed:
            raise _wrong(
                "keys that are published sign for others too, and nothing of the body is signed: name your audiences, "
                "or a claim that only this sender's tokens have"
            )


def _matching(found: Found, token: Token, algorithm: TokenAlgorithm) -> list[TokenKey]:
    # A list: every key that may fit is tried, whichever matches first.
    return [key for key in found.keys if key.matches(algorithm, token.signed, token.signature)]


def _claims(token: Token, where: str) -> Mapping[str, object]:
    claims = read_object(token.payload)
    if claims is None:
        raise Rejected(Code.CREDENTIAL_MALFORMED, f"{where}: its payload is not a JSON object with unique names")
    return claims


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"jws: {why}")
