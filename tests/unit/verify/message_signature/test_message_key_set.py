"""Keys of message signatures that a sender publishes: which are used, and when the publisher is asked again."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from connector.codes import Code
from connector.errors import Rejected, Temporary
from connector.model import KeyAddress
from connector.verify.message.key import MessageAlgorithm
from connector.verify.message.key_set import KeySet
from connector.verify.message.signature import MessageSignature
from tests.contract.subjects.message_sender import (
    ATTACKER,
    ED25519,
    KEYS_URL,
    P256,
    Draft,
    both,
    by,
    good,
    jwk_of,
    key_set,
    on_curve,
)
from tests.contract.subjects.subject import CURRENT, NEXT, NOW, Sent
from tests.support.documents import PublishedDocuments


def publishing(*jwks: Mapping[str, object]) -> PublishedDocuments:
    return PublishedDocuments({KEYS_URL: key_set(*jwks)})


def check(
    documents: PublishedDocuments, algorithm: MessageAlgorithm = MessageAlgorithm.ED25519, **more: object
) -> MessageSignature:
    return MessageSignature(**{"keys": ()} | more, published=KeySet(documents, KeyAddress(KEYS_URL), algorithm))


def ids(verifier: MessageSignature, sent: Sent) -> tuple[str, ...]:
    return verifier.verify(sent.inbound(), NOW).secret_ids


def code(verifier: MessageSignature, sent: Sent) -> Code:
    with pytest.raises(Rejected) as caught:
        verifier.verify(sent.inbound(), NOW)
    return caught.value.code


def encoded(number: int, size: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).decode().rstrip("=")


def test_configured_keys_come_first_and_then_nothing_is_fetched() -> None:
    documents = publishing(jwk_of(NEXT))
    verifier = check(documents, keys=(ED25519.key("key-current", CURRENT),))
    assert ids(verifier, both(good(Draft(label="a"), name=NEXT), good())) == ("test:current",)
    assert documents.asked == []
    assert ids(verifier, good(name=NEXT)) == ("keys.example.com#key-next",)


def test_a_configured_id_is_never_looked_up() -> None:
    documents = publishing(jwk_of(ATTACKER, "key-current"))
    verifier = check(documents, keys=(ED25519.key("key-current", CURRENT),))
    assert code(verifier, Draft().sent(by(ED25519, ATTACKER), "key-current")) is Code.CREDENTIAL_WRONG
    assert documents.asked == []


def test_a_new_key_is_found_by_asking_once_more() -> None:
    documents = publishing(jwk_of(CURRENT))
    verifier = check(documents)
    assert ids(verifier, good())
    documents.published[KEYS_URL] = key_set(jwk_of(NEXT))
    assert ids(verifier, good(name=NEXT)) == ("keys.example.com#key-next",)
    assert (len(documents.fetched), len(documents.renewed)) == (2, 1)
    assert code(verifier, good()) is Code.KEY_UNKNOWN


def test_a_new_key_under_an_old_id_is_found_by_asking_once_more() -> None:
    documents = publishing(jwk_of(CURRENT, "the-key"))
    verifier = check(documents)
    assert ids(verifier, Draft().sent(by(ED25519), "the-key"))
    documents.published[KEYS_URL] = key_set(jwk_of(NEXT, "the-key"))
    assert ids(verifier, Draft().sent(by(ED25519, NEXT), "the-key")) == ("keys.example.com#the-key",)


def test_one_message_makes_us_ask_at_most_once_more() -> None:
    documents = publishing(jwk_of(CURRENT))
    verifier = check(documents)
    many = good(Draft(label="a"), name=ATTACKER)
    for label in "bcdef":
        many = both(many, Draft(label=label).sent(by(ED25519, ATTACKER), f"key-{label}"))
    assert code(verifier, many) is Code.KEY_UNKNOWN
    assert (len(documents.asked), len(documents.renewed)) == (1, 1)


def test_nobody_is_asked_again_for_a_signature_that_is_good_but_late() -> None:
    documents = publishing(jwk_of(CURRENT))
    assert code(check(documents), good(at=NOW - timedelta(hours=1))) is Code.TIMESTAMP_TOO_OLD
    assert documents.renewed == []


def test_when_it_is_too_soon_to_ask_again_the_message_is_refused() -> None:
    documents = publishing(jwk_of(CURRENT))
    documents.may_renew = False
    assert code(check(documents), good(name=NEXT)) is Code.KEY_UNKNOWN
    assert code(check(documents), Draft().sent(by(ED25519, NEXT), "key-current")) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [], "keys": []}', b"\xff"])
def test_while_no_keys_can_be_had_the_sender_has_to_repeat(body: bytes) -> None:
    documents = PublishedDocuments({KEYS_URL: body})
    for _ in range(2):
        with pytest.raises(Temporary) as caught:
            check(documents).verify(good().inbound(), NOW)
        assert caught.value.code is Code.KEYS_UNAVAILABLE
        documents.fails = True


def test_a_signature_that_names_no_key_is_refused_without_asking_anybody() -> None:
    documents = publishing(jwk_of(CURRENT))
    documents.fails = True
    inbound = good().inbound()
    nameless = tuple((name, value.replace(';keyid="key-current"', "")) for name, value in inbound.headers)
    assert nameless != inbound.headers
    with pytest.raises(Rejected) as caught:
        check(documents).verify(replace(inbound, headers=nameless), NOW)
    assert (caught.value.code, documents.asked) == (Code.KEY_UNKNOWN, [])


def test_a_set_that_is_mended_is_read_anew() -> None:
    documents = PublishedDocuments({KEYS_URL: b"<html>"})
    verifier = check(documents)
    with pytest.raises(Temporary):
        verifier.verify(good().inbound(), NOW)
    documents.published[KEYS_URL] = key_set(jwk_of(CURRENT))
    assert ids(verifier, good())


def test_a_set_that_breaks_on_the_second_look_helps_nobody() -> None:
    documents = publishing(jwk_of(CURRENT))
    verifier = check(documents)
    assert ids(verifier, good())
    documents.published[KEYS_URL] = b"<html>"
    assert code(verifier, good(name=NEXT)) is Code.KEY_UNKNOWN


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"alg": "ES256"},
        {"alg": "none"},
        {"key_ops": ["sign"]},
        {"kid": ""},
        {"kid": ["key-current"]},
        {"kid": "KEY-current"},
        {"crv": "X25519"},
        {"kty": "oct"},
        {"x": "AAAA"},
        {"x": None},
    ],
    ids=str,
)
def test_a_jwk_that_is_not_for_this_is_left_out(more: dict[str, object]) -> None:
    assert code(check(publishing({**jwk_of(CURRENT), **more})), good()) is Code.KEY_UNKNOWN


@pytest.mark.parametrize(
    "more", [{"use": "sig"}, {"alg": "EdDSA"}, {"alg": "Ed25519"}, {"key_ops": ["verify"]}], ids=str
)
def test_a_jwk_may_say_what_it_is_for(more: dict[str, object]) -> None:
    assert ids(check(publishing({**jwk_of(CURRENT), **more})), good())


def test_an_id_that_is_empty_names_no_key() -> None:
    documents = publishing(jwk_of(CURRENT, " "), {**jwk_of(CURRENT), "kid": ""})
    assert code(check(documents), Draft().sent(by(ED25519), "")) is Code.KEY_UNKNOWN


def test_two_keys_of_one_id_count_as_a_rotation() -> None:
    documents = publishing(jwk_of(CURRENT, "the-key"), "no key", jwk_of(NEXT, "the-key"))
    for name in (CURRENT, NEXT):
        assert ids(check(documents), Draft().sent(by(ED25519, name), "the-key"))


def test_a_set_of_very_many_keys_is_not_used() -> None:
    documents = publishing(*(jwk_of(CURRENT, f"key-{n}") for n in range(101)))
    with pytest.raises(Temporary):
        check(documents).verify(good().inbound(), NOW)


def test_keys_on_curves_are_published_too() -> None:
    numbers = on_curve(CURRENT, ec.SECP256R1()).public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x, 32), "y": encoded(numbers.y, 32), "kid": "key-current"}
    assert ids(check(publishing(jwk), MessageAlgorithm.ECDSA_P256), good(kind=P256))
    for other in (MessageAlgorithm.ECDSA_P384, MessageAlgorithm.ED25519, MessageAlgorithm.RSA_PSS):
        assert code(check(publishing(jwk), other), good(kind=P256)) is Code.KEY_UNKNOWN


def test_a_key_of_rsa_serves_the_algorithm_of_the_settings_and_no_other() -> None:
    private = rsa.generate_private_key(65_537, 2_048)
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": encoded(numbers.n, 256), "e": "AQAB", "kid": "rsa"}
    pss = Draft().sent(
        lambda base: private.sign(base, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512()), "rsa"
    )
    old = Draft().sent(lambda base: private.sign(base, padding.PKCS1v15(), hashes.SHA256()), "rsa")
    assert ids(check(publishing(jwk), MessageAlgorithm.RSA_PSS), pss)
    assert ids(check(publishing({**jwk, "alg": "RS256"}), MessageAlgorithm.RSA_V1_5), old)
    assert code(check(publishing(jwk), MessageAlgorithm.RSA_V1_5), pss) is Code.CREDENTIAL_WRONG
    assert code(check(publishing(jwk), MessageAlgorithm.RSA_PSS), old) is Code.CREDENTIAL_WRONG
    assert code(check(publishing({**jwk, "alg": "PS256"}), MessageAlgorithm.RSA_PSS), pss) is Code.KEY_UNKNOWN
    short = rsa.generate_private_key(65_537, 1_024).public_key().public_numbers()
    weak = {**jwk, "n": encoded(short.n, 128)}
    assert code(check(publishing(weak), MessageAlgorithm.RSA_PSS), pss) is Code.KEY_UNKNOWN


def test_nothing_in_the_message_leads_to_other_keys() -> None:
    documents = publishing(jwk_of(CURRENT))
    headers = {"Signature-Agent": '"https://attacker.example.org/"', "Signature-Key": json.dumps(jwk_of(ATTACKER))}
    assert code(check(documents), good(Draft(headers=headers), name=ATTACKER)) is Code.KEY_UNKNOWN
    assert {one.url for one in documents.asked} == {KEYS_URL}
