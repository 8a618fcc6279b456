"""Tokens as their senders make them, by the standard library and `cryptography` (`tests.support.tokens`)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from connector.model import KeyAddress
from connector.ports import Verifier
from connector.private import Secret
from connector.verify.grammar import SignatureEncoding
from connector.verify.key_format import KeyFormat
from connector.verify.token.body import BodyRule, Detached, Hashed, InToken, Repeated, Unsigned
from connector.verify.token.claims import ClaimRules
from connector.verify.token.compact import PayloadForm
from connector.verify.token.configured_keys import static_keys
from connector.verify.token.jwk import TokenAlgorithm
from connector.verify.token.jws import Jws
from connector.verify.token.key_places import OneAddress
from connector.verify.token.key_sources import KeySource, PublishedKeys
from connector.verify.token.place import InBearer, InBody, InForm, InHeader, InMember, TokenPlace
from tests.contract.subjects.subject import CONTENT, CURRENT, NOW, Sent, Subject
from tests.support.documents import PublishedDocuments
from tests.support.tokens import Signer, b64, segment, signer

ISSUER: Final = "https://login.example.com"
US: Final = "https://connector.example.com"
KEYS: Final = f"{ISSUER}/keys.json"
TIMED: Final = ClaimRules((ISSUER,), (US,), expires=False, max_age_s=300, future_s=30)
FREE: Final = ClaimRules(expires=False)
# A content that is the payload of its token has to bring its id itself.
CLAIMS: Final = b'{"jti":"d-0001","sub":{"identifierType":"email","identifierValue":"someone@example.com"}}'
UNENCODED: Final[dict[str, Any]] = {"b64": False, "crit": ["b64"]}
ATTACKER: Final = "attacker"

Write = Callable[[Signer, bytes, datetime], Sent]
Place = Callable[[str], Sent]


def key(name: str, algorithm: str) -> Signer:
    return signer(f"{name}-{algorithm}", algorithm)


def written(one: Signer) -> str:
    return one.key.hex() if isinstance(one.key, bytes) else one.pem


def configured(algorithm: str, *names: str) -> KeySource:
    secrets = tuple(Secret(written(key(name, algorithm)), f"test:{name}") for name in names)
    return static_keys(secrets, {TokenAlgorithm(algorithm)}, KeyFormat.HEX)


def published(algorithm: str, *names: str) -> KeySource:
    body = json.dumps({"keys": [key(name, algorithm).jwk() for name in names]}).encode()
    return PublishedKeys(PublishedDocuments({KEYS: body}), OneAddress(KeyAddress(KEYS)))


def claims_at(at: datetime, **more: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "aud": [US], "iat": at.timestamp(), "jti": f"d-{at.isoformat()}", **more}


def der_of(signature: bytes) -> bytes:
    half = len(signature) // 2
    return encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:half], signature[half:])))


def forgeries(
    algorithm: str, payload: Any, good: Signer, place: Callable[[str], Sent]
) -> dict[str, Callable[[], Sent]]:
    """Return tokens that an attacker could make of a good one, each put in its place."""
    evil = key(ATTACKER, algorithm)

    def of(text: Callable[[], str]) -> Callable[[], Sent]:
        return lambda: place(text())

    def forged(**header: Any) -> Callable[[], Sent]:
        return of(lambda: Signer(good.name, evil.key).token(algorithm, payload, **header))

    def unsigned(name: str) -> Callable[[], Sent]:
        return of(lambda: f"{segment({'alg': name, 'kid': good.name})}.{segment(payload)}.")

    def genuine(**header: Any) -> Callable[[], Sent]:
        return of(lambda: good.token(algorithm, payload, **header))

    cases = {
        **{f"alg {name}": unsigned(name) for name in ("none", "None", "NONE", "nOnE", "", algorithm)},
        "alg none with a signature": genuine(alg="none"),
        "no alg": genuine(alg=None),
        "alg in small letters": genuine(alg=algorithm.lower()),
        "another alg over the same bytes": genuine(alg={"ES384": "ES256", "RS256": "PS256"}.get(algorithm, "RS256")),
        "foreign kid": of(lambda: evil.token(algorithm, payload)),
        "foreign key under our kid": forged(),
        "key in the token": forged(jwk={**({} if isinstance(evil.key, bytes) else evil.jwk()), "kid": good.name}),
        "address of keys in the token": forged(jku="https://evil.example/keys.json"),
        "address of a certificate in the token": forged(x5u="https://evil.example/chain.pem"),
        "unknown critical extension": genuine(crit=["urn:example:policy"], **{"urn:example:policy": 1}),
        "critical and empty": genuine(crit=[]),
        "encrypted": of(lambda: f"{good.token(algorithm, payload)}.AAAA.AAAA"),
        "JSON serialisation": of(lambda: serialised(good.token(algorithm, payload))),
        "padding": of(lambda: good.token(algorithm, payload) + "="),
        "no payload": of(lambda: "..".join(good.token(algorithm, payload).split(".")[::2])),
    }
    if not isinstance(good.key, bytes):
        cases["certificate in the token"] = forged(x5c=[base64.b64encode(evil.der).decode()])
        for what, secret in (("PEM", good.pem.encode()), ("PEM cut", good.pem.strip().encode()), ("DER", good.der)):
            cases[f"HMAC with the public key as {what}"] = hmac_with(good, secret, payload, place)
        for what, jwk in (("JWK", good.jwk()), ("bare JWK", {k: v for k, v in good.jwk().items() if k != "kid"})):
            cases[f"HMAC with the public key as {what}"] = hmac_with(good, json.dumps(jwk).encode(), payload, place)
    if algorithm.startswith("ES"):
        cases["signature in DER"] = of(lambda: in_der(good.token(algorithm, payload)))
        cases["signature of zeros"] = of(lambda: zeroed(good.token(algorithm, payload)))
    return cases


def hmac_with(good: Signer, secret: bytes, payload: Any, place: Place) -> Callable[[], Sent]:
    return lambda: place(Signer(good.name, secret).token("HS256", payload))


def serialised(text: str) -> str:
    protected, payload, signature = text.split(".")
    return json.dumps({"payload": payload, "protected": protected, "signature": signature})


def in_der(text: str) -> str:
    start, _, signature = text.rpartition(".")
    return f"{start}.{b64(der_of(base64.urlsafe_b64decode(signature + '==')))}"


def zeroed(text: str) -> str:
    start, _, signature = text.rpartition(".")
    return f"{start}.{'A' * len(signature)}"


def subject(
    name: str,
    algorithm: str,
    place: TokenPlace,
    body: BodyRule,
    write: Write,
    keys: Callable[..., KeySource] = configured,
    claims: ClaimRules = TIMED,
    confused: Mapping[str, Callable[[], Sent]] | None = None,
    **more: Any,
) -> Subject:
    def verifier(*names: str) -> Verifier:
        return Jws(place, frozenset({TokenAlgorithm(algorithm)}), keys(algorithm, *names), claims, body)

    def misconfigured(**changed: Any) -> Callable[[], object]:
        given = {"place": place, "algorithms": {TokenAlgorithm(algorithm)}, "keys": keys(algorithm, CURRENT)}
        return lambda: Jws(**{**given, "claims": claims, "body": body, **changed})  # type: ignore[arg-type]

    return Subject(
        name=name,
        verifier=verifier,
        send=lambda who, content, at: write(key(who, algorithm), content, at),
        window_s=None if claims.max_age_s is None else (claims.max_age_s, claims.future_s),
        confused=confused or {},
        misconfigured={
            "no algorithm": misconfigured(algorithms=frozenset()),
            "shared secrets and public keys": misconfigured(
                algorithms=frozenset({TokenAlgorithm.HS256, TokenAlgorithm.ES256})
            ),
            "no key": lambda: static_keys((), {TokenAlgorithm(algorithm)}),
            "a key of another kind": lambda: static_keys(
                (Secret(signer("other", "EdDSA" if algorithm != "EdDSA" else "ES256").pem, "test:other"),),
                {TokenAlgorithm(algorithm)},
            ),
        },
        **more,
    )


def in_header(name: str, prefix: str = "") -> Place:
    return lambda text: Sent({name: prefix + text})


def write_published(who: Signer, content: bytes, at: datetime) -> Sent:
    hashed = b64(hashlib.sha512(content).digest())
    return Sent({"X-Signed": who.token("ES384", claims_at(at, body=hashed), typ="JWT")}, content)


def write_bearer(who: Signer, content: bytes, at: datetime) -> Sent:
    hashed = hashlib.sha256(content).hexdigest()
    return Sent({"Authorization": f"Bearer {who.token('RS256', claims_at(at, request_body_sha256=hashed))}"}, content)


def write_member(who: Signer, content: bytes, _: datetime) -> Sent:
    return Sent({}, json.dumps({"rqJWT": who.token("PS256", content)}).encode())


def write_repeated(who: Signer, content: bytes, at: datetime) -> Sent:
    repeated = json.loads(content)["subTaskId"]
    return Sent({"X-Token": who.token("ES384", claims_at(at, value=repeated))}, content)


def confused_detached() -> dict[str, Callable[[], Sent]]:
    good = key(CURRENT, "HS256")

    def sent(text: str) -> Sent:
        return Sent({"X-JWS-Signature": text})

    return {
        "not announced": lambda: sent(good.detached("HS256", CONTENT)),
        "not critical": lambda: sent(good.detached("HS256", CONTENT, b64=False)),
        "another critical extension too": lambda: sent(
            good.detached("HS256", CONTENT, b64=False, crit=["b64", "x"], x=1)
        ),
        "payload in the token": lambda: sent(good.token("HS256", CONTENT)),
        "payload in the token, unencoded": lambda: sent(
            f"{segment({'alg': 'HS256', **UNENCODED})}.{CONTENT.decode()}.AAAA"
        ),
        "alg none": lambda: sent(good.detached("HS256", CONTENT, alg="none", **UNENCODED)),
        "foreign key": lambda: sent(key(ATTACKER, "HS256").detached("HS256", CONTENT, **UNENCODED)),
    }


PUBLISHED: Final = subject(
    "jws in a header, keys published",
    "ES384",
    InHeader("X-Signed"),
    Hashed("body", "sha512", SignatureEncoding.BASE64URL),
    write_published,
    published,
    credentials=("X-Signed",),
    secret_id=lambda who: f"login.example.com#{who}-ES384",
    primitive="ecdsa-p384",
    confused={
        **forgeries(
            "ES384",
            claims_at(NOW, body=b64(hashlib.sha512(CONTENT).digest())),
            key(CURRENT, "ES384"),
            in_header("X-Signed"),
        ),
        "hash of another body": lambda: Sent(
            {"X-Signed": key(CURRENT, "ES384").token("ES384", claims_at(NOW, body=b64(hashlib.sha512(b"").digest())))}
        ),
        "hash cut": lambda: Sent({"X-Signed": key(CURRENT, "ES384").token("ES384", claims_at(NOW, body="AAAA"))}),
        "no hash": lambda: Sent({"X-Signed": key(CURRENT, "ES384").token("ES384", claims_at(NOW))}),
    },
)

BEARER: Final = subject(
    "jws as a bearer token, body by its hash",
    "RS256",
    InBearer(),
    Hashed("request_body_sha256"),
    write_bearer,
    credentials=("Authorization",),
    primitive="rsa-pkcs1",
    # The scheme's name means the same in any case; the token behind it does not.
    confused={
        **forgeries(
            "RS256",
            claims_at(NOW, request_body_sha256=hashlib.sha256(CONTENT).hexdigest()),
            key(CURRENT, "RS256"),
            in_header("Authorization", "Bearer "),
        ),
        **{
            f"claim {name}": (
                lambda changed=changed: write_bearer_with(changed)  # type: ignore[misc]
            )
            for name, changed in {
                "iss": {"iss": "https://evil.example"},
                "aud": {"aud": "https://other.example.com"},
                "exp": {"exp": NOW.timestamp() - 61},
                "nbf": {"nbf": NOW.timestamp() + 61},
                "iat as text": {"iat": str(NOW.timestamp())},
                "no iat": {"iat": None},
            }.items()
        },
    },
)


def write_bearer_with(changed: Mapping[str, Any]) -> Sent:
    claims = claims_at(NOW, request_body_sha256=hashlib.sha256(CONTENT).hexdigest(), **changed)
    return Sent({"Authorization": f"Bearer {key(CURRENT, 'RS256').token('RS256', claims)}"})


SUBJECTS: Final = (
    PUBLISHED,
    BEARER,
    subject(
        "jws as the whole body",
        "EdDSA",
        InBody(),
        InToken(),
        lambda who, content, at: Sent({}, who.token("EdDSA", content).encode()),
        claims=FREE,
        credentials=(),
        content=CLAIMS,
        primitive="ed25519",
        confused=forgeries("EdDSA", CLAIMS, key(CURRENT, "EdDSA"), lambda text: Sent({}, text.encode())),
    ),
    subject(
        "jws in a member of the body",
        "PS256",
        InMember("/rqJWT"),
        InToken(),
        write_member,
        claims=FREE,
        credentials=(),
        content=CLAIMS,
        primitive="rsa-pss",
        confused=forgeries(
            "PS256", CLAIMS, key(CURRENT, "PS256"), lambda text: Sent({}, json.dumps({"rqJWT": text}).encode())
        ),
    ),
    subject(
        "jws in a form",
        "ES256",
        InForm("token"),
        InToken(),
        lambda who, content, at: Sent({}, f"token={who.token('ES256', content)}".encode()),
        claims=FREE,
        credentials=(),
        content=CLAIMS,
        primitive="ecdsa-p256",
        confused=forgeries("ES256", CLAIMS, key(CURRENT, "ES256"), lambda text: Sent({}, f"token={text}".encode())),
    ),
    subject(
        "jws beside an unencoded payload",
        "HS256",
        InHeader("X-JWS-Signature"),
        Detached(PayloadForm.DETACHED_UNENCODED),
        lambda who, content, at: Sent({"X-JWS-Signature": who.detached("HS256", content, **UNENCODED)}, content),
        claims=FREE,
        credentials=("X-JWS-Signature",),
        primitive="hmac-sha256",
        confused=confused_detached(),
    ),
    subject(
        "jws beside an encoded payload",
        "ES512",
        InHeader("X-JWS-Signature"),
        Detached(),
        lambda who, content, at: Sent({"X-JWS-Signature": who.detached("ES512", content)}, content),
        claims=FREE,
        credentials=("X-JWS-Signature",),
        primitive="ecdsa-p521",
    ),
    subject(
        "jws that repeats a member of the body",
        "ES384",
        InHeader("X-Token"),
        Repeated((("value", "/subTaskId"),)),
        write_repeated,
        published,
        credentials=("X-Token",),
        secret_id=lambda who: f"login.example.com#{who}-ES384",
        covers_body=False,
        primitive="ecdsa-p384",
        confused={
            "another value": lambda: Sent(
                {"X-Token": key(CURRENT, "ES384").token("ES384", claims_at(NOW, value="other"))}
            ),
            "no value": lambda: Sent({"X-Token": key(CURRENT, "ES384").token("ES384", claims_at(NOW))}),
            "member twice": lambda: Sent(
                {"X-Token": key(CURRENT, "ES384").token("ES384", claims_at(NOW, value="a"))},
                b'{"subTaskId": "b", "subTaskId": "a"}',
            ),
        },
    ),
    subject(
        "jws that says nothing of the body",
        "HS512",
        InBearer(),
        Unsigned(),
        lambda who, content, at: Sent({"Authorization": f"Bearer {who.token('HS512', claims_at(at))}"}, content),
        credentials=("Authorization",),
        covers_body=False,
        primitive="hmac-sha512",
    ),
)
