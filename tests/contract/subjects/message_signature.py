"""HTTP message signatures as subjects of the suite, and all that only looks like one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connector.model import KeyAddress
from connector.private import Secret
from connector.verify.key_format import KeyFormat
from connector.verify.message.key import MessageAlgorithm, SenderKey
from connector.verify.message.key_set import KeySet
from connector.verify.message.signature import MessageSignature
from connector.verify.stamp import Tolerance
from tests.contract.subjects.message_sender import (
    ATTACKER,
    DEFAULT,
    ED25519,
    ELSEWHERE,
    HMAC,
    HOST,
    KEYS_URL,
    P256,
    P384,
    PARTS,
    Draft,
    Kind,
    both,
    by,
    changed,
    digest_of,
    ed25519,
    good,
    jwk_of,
    key_set,
    on_curve,
)
from tests.contract.subjects.subject import CONTENT, CURRENT, NOW, URL, Sent, Subject
from tests.support.documents import PublishedDocuments

ALTERED: Final = CONTENT.replace(b"a6f2b0c4", b"00000000")


def mac_with_public_key(base: bytes) -> bytes:
    return hmac.new(ED25519.configured(CURRENT).encode(), base, hashlib.sha256).digest()


def with_parameters(**parameters: str) -> Callable[[], Sent]:
    return lambda: good(Draft(parameters=parameters))


def covering(*components: str, **lines: str) -> Callable[[], Sent]:
    return lambda: good(Draft(components, lines={f'"{name}"': text for name, text in lines.items()}))


def foreign_label() -> Sent:
    """Give the signature of one list of components to another list, under the label of the former."""
    small, whole = good(Draft(('"@method"',), label="sig1")), good(Draft(label="sig2"))
    swapped = both(small, whole)
    inputs = f"sig2={small.headers['Signature-Input'][5:]}, sig1={whole.headers['Signature-Input'][5:]}"
    return changed(swapped, Signature_Input=inputs)


def disagreeing() -> Sent:
    digest = f"{digest_of(CONTENT)}, {digest_of(ALTERED, 'sha-512')}"
    return good(Draft(headers={"Content-Digest": digest}))


CONFUSED: Final[dict[str, Callable[[], Sent]]] = {
    "another body": lambda: replace(good(), body=ALTERED),
    "another body and its digest": lambda: changed(replace(good(), body=ALTERED), Content_Digest=digest_of(ALTERED)),
    "another body and a second digest": lambda: changed(
        replace(good(), body=ALTERED), Content_Digest=f"{digest_of(CONTENT)}, {digest_of(ALTERED, 'sha-512')}"
    ),
    "digest not covered": covering('"@method"', '"@target-uri"'),
    "digest not covered, another body": lambda: changed(
        replace(good(Draft(DEFAULT[:2])), body=ALTERED), Content_Digest=digest_of(ALTERED)
    ),
    "only an unknown digest covered": lambda: good(
        Draft(
            (*DEFAULT[:2], '"content-digest";key="md5"'),
            headers={"Content-Digest": f"md5=:AAAA:, {digest_of(CONTENT)}"},
            lines={'"content-digest";key="md5"': ":AAAA:"},
        )
    ),
    "only an unknown digest": lambda: good(Draft(headers={"Content-Digest": "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"})),
    "two digests that disagree": disagreeing,
    "a digest as text": lambda: good(Draft(headers={"Content-Digest": 'sha-256="x"'})),
    "a digest of another content": lambda: good(Draft(headers={"Content-Digest": digest_of(ALTERED)})),
    "a digest cut short": lambda: good(Draft(headers={"Content-Digest": "sha-256=:AAAA:"})),
    "a digest in hexadecimal": lambda: good(
        Draft(headers={"Content-Digest": f"sha-256={hashlib.sha256(CONTENT).hexdigest()}"})
    ),
    "a digest twice": lambda: good(Draft(headers={"Content-Digest": f"{digest_of(ALTERED)}, {digest_of(CONTENT)}"})),
    "nothing covered": covering(),
    "method not covered": covering(*DEFAULT[1:]),
    "target not covered": covering('"@method"', '"content-digest"'),
    "path without query": covering('"@method"', '"@authority"', '"@path"', '"content-digest"'),
    "path and query of any host": covering('"@method"', '"@path"', '"@query"', '"content-digest"'),
    "host in the place of the authority": lambda: good(
        Draft(('"@method"', '"host"', '"@request-target"', '"content-digest"'), headers={"Host": HOST})
    ),
    "another method": lambda: replace(good(), method="PUT"),
    "a method in lower case": lambda: replace(good(Draft(method="post")), method="post"),
    "another authority": lambda: good(Draft(url=ELSEWHERE), url=URL),
    "another authority, its host sent along": lambda: good(
        Draft(url=ELSEWHERE, headers={"Host": "other.example.org", "X-Forwarded-Host": "other.example.org"}), url=URL
    ),
    "another query": lambda: good(url=URL.replace("tenant=7", "tenant=8")),
    "another scheme": lambda: good(Draft(url=URL.replace("https", "http")), url=URL),
    "alg of another key": with_parameters(alg='"hmac-sha256"'),
    "alg in capitals": with_parameters(alg='"ED25519"'),
    "alg none": with_parameters(alg='"none"'),
    "alg empty": with_parameters(alg='""'),
    "alg as a token": with_parameters(alg="ed25519"),
    "alg none and no signature": lambda: Draft(parameters={"alg": '"none"'}).sent(lambda _: b"", "key-current"),
    "a mac with the public key": lambda: Draft(parameters={"alg": '"hmac-sha256"'}).sent(
        mac_with_public_key, "key-current"
    ),
    "a mac with the public key, silently": lambda: Draft().sent(mac_with_public_key, "key-current"),
    "another key under a known id": lambda: Draft().sent(by(ED25519, ATTACKER), "key-current"),
    "a foreign id": lambda: Draft().sent(by(ED25519), "key-unknown"),
    "a foreign id and key": lambda: good(name=ATTACKER),
    "an id in another case": lambda: Draft().sent(by(ED25519), "KEY-current"),
    "no id": with_parameters(keyid=""),
    "an id as a token": with_parameters(keyid="key-current"),
    "an id as bytes": with_parameters(keyid=":a2V5LWN1cnJlbnQ=:"),
    "labels swapped": foreign_label,
    "a label of one header only": lambda: changed(
        good(), Signature_Input=good().headers["Signature-Input"] + ", sig2=()"
    ),
    "a label twice": lambda: both(good(name=ATTACKER), good()),
    "the input of another": lambda: changed(
        good(), Signature_Input=good(Draft(('"@method"',))).headers["Signature-Input"]
    ),
    "too many signatures": lambda: changed(
        good(),
        **{
            "Signature-Input": ", ".join(f"s{n}={good().headers['Signature-Input'][5:]}" for n in range(40)),
            "Signature": ", ".join(f"s{n}={good().headers['Signature'][5:]}" for n in range(40)),
        },
    ),
    "an input that is no list": lambda: changed(good(), Signature_Input='sig1="@method";created=1'),
    "an input of numbers": lambda: changed(good(), Signature_Input='sig1=(1 2 3);created=1;keyid="key-current"'),
    "a signature that is no bytes": lambda: changed(good(), Signature='sig1="aGVsbG8="'),
    "a signature that is a list": lambda: changed(good(), Signature="sig1=(:aGVsbG8=:)"),
    "no created": with_parameters(created=""),
    "created as text": with_parameters(created='"1793610873"'),
    "created as a date": with_parameters(created="@1793610873"),
    "created with a fraction": with_parameters(created="1793610873.5"),
    "created before all time": with_parameters(created="-1"),
    "created in milliseconds": with_parameters(created="1793610873000"),
    "created true": with_parameters(created="?1"),
    "expired": with_parameters(expires=str(int(NOW.timestamp()) - 1)),
    "expired before it was created": with_parameters(expires="1"),
    "expires as text": with_parameters(expires='"1893610873"'),
    "expires at no time": with_parameters(expires="-5"),
    "a parameter of its own": with_parameters(scope='"all"'),
    "nonce as a number": with_parameters(nonce="1"),
    "a component twice": covering(*DEFAULT, '"@method"'),
    "a component of a response": covering(*DEFAULT, '"@status"', **{"@status": "200"}),
    "a component that is not there": covering(*DEFAULT, '"x-absent"', **{"x-absent": ""}),
    "a component unknown": covering(*DEFAULT, '"@made-up"', **{"@made-up": "x"}),
    "a component in capitals": covering(*DEFAULT, '"Content-Type"', **{"Content-Type": "application/json"}),
    "the parameters themselves": covering(*DEFAULT, '"@signature-params"', **{"@signature-params": "x"}),
    "of a request to which this answers": lambda: good(
        Draft((*DEFAULT, '"@method";req'), lines={'"@method";req': "POST"})
    ),
    "digest of a request to which this answers": lambda: good(
        Draft((*DEFAULT[:2], '"content-digest";req'), lines={'"content-digest";req': digest_of(CONTENT)})
    ),
    "in a trailer": lambda: good(
        Draft((*DEFAULT[:2], '"content-digest";tr'), lines={'"content-digest";tr': digest_of(CONTENT)})
    ),
    "method with a parameter": lambda: good(Draft(('"@method";sf', *DEFAULT[1:]), lines={'"@method";sf': "POST"})),
    "a line feed in a field": lambda: good(Draft((*DEFAULT, '"x-note"'), headers={"X-Note": 'a\n"@method": PUT'})),
    "beyond ASCII in a field": lambda: good(Draft((*DEFAULT, '"x-note"'), headers={"X-Note": "caf\xe9"})),
    "the old Signature header": lambda: changed(
        good(), Signature='keyId="key-current",algorithm="ed25519",headers="date",signature="aGVsbG8="'
    ),
}


def refused(*keys: SenderKey, **settings: Any) -> Callable[[], object]:
    return lambda: MessageSignature(keys or (ED25519.key("key-current", CURRENT),), **settings)


def odd_key(algorithm: MessageAlgorithm, text: str, written: KeyFormat = KeyFormat.PEM) -> Callable[[], object]:
    return lambda: SenderKey("key-odd", algorithm, (Secret(text, "test:odd"),), written)


PRIVATE: Final = ed25519(CURRENT).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
MISCONFIGURED: Final[dict[str, Callable[[], object]]] = {
    "no key": lambda: MessageSignature(()),
    "one id twice": refused(ED25519.key("key", CURRENT), P256.key("key", CURRENT)),
    "no digest": refused(components=("@method", "@target-uri")),
    "only an unknown digest": refused(components=("@method", '"content-digest";key="md5"')),
    "nothing": refused(components=()),
    "a component of responses": refused(components=("@status", "content-digest")),
    "an unknown derived component": refused(components=("@body", "content-digest")),
    "a component in capitals": refused(components=("Content-Digest",)),
    "a component that is empty": refused(components=("", "content-digest")),
    "a component that is no header": refused(components=("content type", "content-digest")),
    "a component beyond ASCII": refused(components=('"höst"', "content-digest")),
    "a component that cannot be read": refused(components=('"content-digest', "content-digest")),
    "a component of a request": refused(components=('"content-type";req', "content-digest")),
    "a trailer": refused(components=('"content-type";tr', "content-digest")),
    "a query parameter without a name": refused(components=("@query-param", "content-digest")),
    "a method with a parameter": refused(components=('"@method";sf', "content-digest")),
    "two notations at once": refused(components=('"content-type";sf;bs', "content-digest")),
    "a flag that is no flag": refused(components=('"content-type";sf=?0', "content-digest")),
    "a tag that no signature can have": refused(tag="Löschung"),
    "no id": lambda: ED25519.key("", CURRENT),
    "an id beyond ASCII": lambda: ED25519.key("clé", CURRENT),
    "no secret": lambda: ED25519.key("key"),
    "a key of another kind": odd_key(MessageAlgorithm.ED25519, P256.configured(CURRENT)),
    "a key of another curve": odd_key(MessageAlgorithm.ECDSA_P384, P256.configured(CURRENT)),
    "a private key": odd_key(MessageAlgorithm.ED25519, PRIVATE),
    "a public key as a secret": odd_key(MessageAlgorithm.HMAC, ED25519.configured(CURRENT), KeyFormat.UTF8),
    "a secret written as PEM": odd_key(MessageAlgorithm.HMAC, HMAC.configured(CURRENT)),
    "a secret that is too short": odd_key(MessageAlgorithm.HMAC, "fifteen-chars-x", KeyFormat.UTF8),
    "a public key written as text": odd_key(MessageAlgorithm.ED25519, ED25519.configured(CURRENT), KeyFormat.UTF8),
}


def of_ids(kind: Kind, **settings: Any) -> Callable[..., MessageSignature]:
    return lambda *names: MessageSignature(tuple(kind.key(f"key-{name}", name) for name in names), **settings)


def with_tag(key: str, content: bytes, at: datetime) -> Sent:
    expires = str(int(at.timestamp()) + 120)
    parameters = {"alg": '"hmac-sha256"', "expires": expires, "nonce": '"n-7f3a"', "tag": '"erasures"'}
    return good(Draft(PARTS, parameters), HMAC, key, content=content, at=at)


def der(name: str, base: bytes) -> bytes:
    return on_curve(name, ec.SECP256R1()).sign(base, ec.ECDSA(hashes.SHA256()))


def published(*names: str) -> MessageSignature:
    documents = PublishedDocuments({KEYS_URL: key_set(*(jwk_of(name) for name in names))})
    return MessageSignature((), published=KeySet(documents, KeyAddress(KEYS_URL), MessageAlgorithm.ED25519))


NAMES: Final = ("Signature-Input", "Signature", "Content-Digest")
SUBJECTS: Final = (
    Subject(
        name="http message, ed25519",
        verifier=of_ids(ED25519),
        send=lambda key, content, at: good(name=key, content=content, at=at),
        credentials=NAMES,
        window_s=(300, 300),
        primitive="ed25519",
        confused=CONFUSED,
        misconfigured=MISCONFIGURED,
    ),
    Subject(
        name="http message, parts with a tag",
        verifier=of_ids(HMAC, tag="erasures", window=Tolerance(past_s=300, future_s=60)),
        send=with_tag,
        credentials=NAMES,
        window_s=(120, 60),
        confused={
            "another tag": lambda: good(Draft(PARTS, {"tag": '"other"'}), HMAC),
            "no tag": lambda: good(Draft(PARTS), HMAC),
            "a tag in another case": lambda: good(Draft(PARTS, {"tag": '"Erasures"'}), HMAC),
            "a tag as a token": lambda: good(Draft(PARTS, {"tag": "erasures"}), HMAC),
            "the tag at a signature of another": lambda: both(
                good(Draft(PARTS, {"tag": '"erasures"'}), HMAC, ATTACKER), good(Draft(PARTS, label="sig2"), HMAC)
            ),
        },
    ),
    Subject(
        name="http message, one id for both keys",
        verifier=lambda *names: MessageSignature((P256.key("the-key", *names),)),
        send=lambda key, content, at: Draft().sent(by(P256, key), "the-key", content, at),
        credentials=NAMES,
        window_s=(300, 300),
        primitive="ecdsa-p256",
        confused={
            "a signature in DER": lambda: Draft().sent(lambda base: der(CURRENT, base), "the-key"),
            "r and s of zero": lambda: Draft().sent(lambda _: bytes(64), "the-key"),
            "r and s of all ones": lambda: Draft().sent(lambda _: b"\xff" * 64, "the-key"),
            "no signature": lambda: Draft().sent(lambda _: b"", "the-key"),
        },
    ),
    Subject(
        name="http message, published keys",
        verifier=published,
        send=lambda key, content, at: good(name=key, content=content, at=at),
        credentials=NAMES,
        secret_id=lambda key: f"keys.example.com#key-{key}",
        window_s=(300, 300),
        primitive="ed25519",
        confused={
            what: CONFUSED[what] for what in ("another body", "a foreign id", "no id", "alg none", "nothing covered")
        },
        misconfigured={
            "an address in the clear": lambda: KeySet(
                PublishedDocuments(), KeyAddress("http://keys.example.com/"), MessageAlgorithm.ED25519
            ),
            "secrets that are published": lambda: KeySet(
                PublishedDocuments(), KeyAddress(KEYS_URL), MessageAlgorithm.HMAC
            ),
        },
    ),
    Subject(
        name="http message, ecdsa p384",
        verifier=of_ids(P384),
        send=lambda key, content, at: good(kind=P384, name=key, content=content, at=at),
        credentials=("Signature",),
        window_s=(300, 300),
        primitive="ecdsa-p384",
    ),
)
