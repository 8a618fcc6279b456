"""Tokens that we issue ourselves, made here by the standard library: good ones, and those that others could make."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector.private import Secret
from connector.verify.token.issued import IssuedToken, TokenClient
from tests.contract.subjects.shared import VALUES, refused_secrets, secrets
from tests.contract.subjects.subject import CONTENT, CURRENT, NEXT, NOW, RETIRED, Sent, Subject
from tests.support.tokens import segment, signer

CLIENT: Final = "onetrust-workflow"
US: Final = "https://connector.example.com/webhooks/onetrust"
OTHER_SOURCE: Final = "https://connector.example.com/webhooks/other"
SIGNING: Final = {name: f"signing-key-of-thirty-two-bytes-{name}" for name in (CURRENT, NEXT, RETIRED)}
LIFETIME_S: Final = 600


def derived(signing: str, secret: str, client: str = CLIENT, audience: str = US) -> bytes:
    bound = json.dumps(["at+jwt", client, audience, secret]).encode()
    return hmac.new(signing.encode(), bound, "sha256").digest()


def claims(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """Return good claims with changes; a change to None takes one out."""
    issued = int(at.timestamp())
    whole = {
        "iss": "consent-connector",
        "aud": US,
        "sub": CLIENT,
        "client_id": CLIENT,
        "scope": "deliver",
        "iat": issued,
        "exp": issued + LIFETIME_S + 60,
        "jti": f"token-of-{issued}",
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def token(key: bytes, said: Any = None, **header: Any) -> str:
    head = {"typ": "at+jwt", "alg": "HS256"} | header
    signed = f"{segment(head)}.{segment(claims() if said is None else said)}"
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(str(head["alg"]), "sha256")
    signature = base64.urlsafe_b64encode(hmac.new(key, signed.encode(), digest).digest()).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def sent(text: str, content: bytes = CONTENT) -> Sent:
    return Sent({"Authorization": f"Bearer {text}"}, content)


GOOD_KEY: Final = derived(SIGNING[CURRENT], VALUES[CURRENT])


def client(live: Sequence[Secret], signing: Sequence[str] = (CURRENT,), **changes: Any) -> TokenClient:
    keys = tuple(Secret(SIGNING[name], f"test:{name}-signing") for name in signing)
    return TokenClient(**{"client_id": CLIENT, "audience": US, "secrets": live, "signing_keys": keys} | changes)


def of_secrets(*names: str) -> IssuedToken:
    return IssuedToken(client(secrets(names)))


def of_signing_keys(*names: str) -> IssuedToken:
    return IssuedToken(client(secrets((CURRENT,)), names))


def unsigned() -> str:
    return f"{segment({'typ': 'at+jwt', 'alg': 'none'})}.{segment(claims())}."


CONFUSED: Final[dict[str, Callable[[], Sent]]] = {
    "alg none": lambda: sent(unsigned()),
    "alg none with a signature": lambda: sent(token(GOOD_KEY, alg="none")),
    "another hash": lambda: sent(token(GOOD_KEY, alg="HS512")),
    "an algorithm of public keys": lambda: sent(token(GOOD_KEY, alg="RS256")),
    "a public-key signature": lambda: sent(signer("attacker-RS256", "RS256").token("RS256", claims(), typ="at+jwt")),
    "the signing key itself": lambda: sent(token(SIGNING[CURRENT].encode())),
    "the client's secret": lambda: sent(token(VALUES[CURRENT].encode())),
    "no key": lambda: sent(token(b"")),
    "another typ": lambda: sent(token(GOOD_KEY, typ="JWT")),
    "no typ": lambda: sent(token(GOOD_KEY, typ="")),
    "another source's token": lambda: sent(
        token(derived(SIGNING[CURRENT], VALUES[CURRENT], audience=OTHER_SOURCE), claims(aud=OTHER_SOURCE))
    ),
    "another source's key over our audience": lambda: sent(
        token(derived(SIGNING[CURRENT], VALUES[CURRENT], audience=OTHER_SOURCE))
    ),
    "another client's token": lambda: sent(
        token(derived(SIGNING[CURRENT], VALUES[CURRENT], "other"), claims(client_id="other", sub="other"))
    ),
    "another audience": lambda: sent(token(GOOD_KEY, claims(aud=OTHER_SOURCE))),
    "no audience": lambda: sent(token(GOOD_KEY, claims(aud=None))),
    "another issuer": lambda: sent(token(GOOD_KEY, claims(iss="https://login.example.com"))),
    "another client": lambda: sent(token(GOOD_KEY, claims(client_id="other"))),
    "another scope": lambda: sent(token(GOOD_KEY, claims(scope="admin"))),
    "no end": lambda: sent(token(GOOD_KEY, claims(exp=None))),
    "no beginning": lambda: sent(token(GOOD_KEY, claims(iat=None))),
    "no id": lambda: sent(token(GOOD_KEY, claims(jti=None))),
    "its end has come": lambda: sent(token(GOOD_KEY, claims(exp=int(NOW.timestamp())))),
    "a long life that we never gave": lambda: sent(
        token(GOOD_KEY, claims(NOW - timedelta(seconds=LIFETIME_S + 61), exp=int(NOW.timestamp()) + 9_999))
    ),
    "from the future": lambda: sent(token(GOOD_KEY, claims(NOW + timedelta(seconds=62)))),
    "claims that are a list": lambda: sent(token(GOOD_KEY, [claims()])),
    "Basic": lambda: Sent({"Authorization": f"Basic {token(GOOD_KEY)}"}),
    "the bare secret": lambda: sent(VALUES[CURRENT]),
    "in another header": lambda: Sent({"X-Token": token(GOOD_KEY)}),
}

SUBJECTS: Final = (
    Subject(
        name="issued token, by the client's secret",
        verifier=of_secrets,
        send=lambda key, content, at: sent(token(derived(SIGNING[CURRENT], VALUES[key]), claims(at)), content),
        credentials=("Authorization",),
        covers_body=False,
        confused=CONFUSED,
        misconfigured=refused_secrets(lambda live: IssuedToken(client(live)))
        | {
            "no signing key": lambda: client(secrets((CURRENT,)), ()),
            "short signing key": lambda: client(secrets((CURRENT,)), signing_keys=(Secret("k" * 31, "test:short"),)),
            "a secret of the client as signing key": lambda: client(
                (Secret(SIGNING[CURRENT], "test:both"), *secrets((CURRENT,)))
            ),
            "no audience": lambda: client(secrets((CURRENT,)), audience=""),
            "no client": lambda: client(secrets((CURRENT,)), client_id=""),
            "a colon in the client's name": lambda: client(secrets((CURRENT,)), client_id="one:two"),
            "a blank in the client's name": lambda: client(secrets((CURRENT,)), client_id="one two"),
            "a life too short": lambda: client(secrets((CURRENT,)), lifetime_s=59),
            "a life too long": lambda: client(secrets((CURRENT,)), lifetime_s=3_601),
        },
    ),
    Subject(
        name="issued token, by the signing key",
        verifier=of_signing_keys,
        send=lambda key, content, at: sent(token(derived(SIGNING[key], VALUES[CURRENT]), claims(at)), content),
        credentials=("Authorization",),
        covers_body=False,
        secret_id=lambda key: f"test:{key}-signing",
    ),
)
