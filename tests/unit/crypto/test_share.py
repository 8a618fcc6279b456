"""Hashes that a collector makes too, by the page that describes them."""

from __future__ import annotations

import hashlib
import hmac

from connector.crypto.share import ShareKey
from connector.private import Private, Secret

SECRET = Secret("s" * 32, "env:SHARE")
PARTS = ("main", "user", "email")


def test_it_is_an_hmac_over_the_documented_text() -> None:
    text = b"consent-connector/suppression/1\0main\0user\0email\0ana@example.com"
    by_hand = hmac.new(b"s" * 32, text, hashlib.sha256).hexdigest()
    assert ShareKey(SECRET).hash_of(*PARTS, Private("ana@example.com")) == by_hand


def test_another_key_place_or_value_has_another_hash() -> None:
    value, other = Private("a"), ShareKey(Secret("t" * 32, "env:OTHER"))
    key = ShareKey(SECRET)
    places = [PARTS, ("other", "user", "email"), ("main", "other", "email"), ("main", "user", "other")]
    found = {key.hash_of(*one, value) for one in places} | {other.hash_of(*PARTS, value)}
    assert len(found | {key.hash_of(*PARTS, Private("b"))}) == 6


def test_a_key_has_an_id_that_tells_nothing_of_it() -> None:
    assert ShareKey(SECRET).id == ShareKey(Secret("s" * 32, "file:elsewhere")).id
    assert ShareKey(SECRET).id != ShareKey(Secret("t" * 32, "env:SHARE")).id
    assert len(ShareKey(SECRET).id) == 16


def test_half_a_character_does_no_harm() -> None:
    assert len(ShareKey(SECRET).hash_of(*PARTS, Private("\ud83d"))) == 64
