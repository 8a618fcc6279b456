"""The first key wraps, all of them open, and a key that is missing is named by its id alone."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.codes import Code
from connector.crypto.keyring import Keyring, Wrapped
from connector.crypto.seal import place_of
from connector.errors import Misconfigured
from connector.private import Private, Secret

OLD, NEW = Secret("canary-old-" + "o" * 32, "file:old"), Secret("canary-new-" + "n" * 32, "file:new")
PLACE = place_of("identities", "value", "r")


def test_a_data_key_opens_under_every_ring_that_has_its_key() -> None:
    key, wrapped = Keyring([OLD]).new("request")
    sealed = key.seal(Private("x"), PLACE)
    assert Keyring([NEW, OLD]).unwrap(wrapped, "request").open(sealed, PLACE).reveal() == "x"


def test_a_data_key_comes_under_the_first_key_and_stays_the_same() -> None:
    ring = Keyring([NEW, OLD])
    key, wrapped = Keyring([OLD]).new("request")
    again = ring.rewrap(wrapped, "request")
    assert again.kek_id == ring.current.id != wrapped.kek_id
    assert Keyring([NEW]).unwrap(again, "request").open(key.seal(Private("x"), PLACE), PLACE).reveal() == "x"


def test_a_missing_key_is_told_by_its_id() -> None:
    _, wrapped = Keyring([OLD]).new("request")
    with pytest.raises(Misconfigured, match=wrapped.kek_id) as refused:
        Keyring([NEW]).unwrap(wrapped, "request")
    assert refused.value.code is Code.SEALING_KEY_MISSING
    assert "canary" not in str(refused.value)


def test_a_data_key_opens_for_no_other_request_and_under_no_other_id() -> None:
    ring = Keyring([OLD, NEW])
    _, wrapped = ring.new("request")
    for changed, request in ((wrapped, "another"), (Wrapped(Keyring([NEW]).current.id, wrapped.text), "request")):
        with pytest.raises(Misconfigured) as refused:
            ring.unwrap(changed, request)
        assert refused.value.code is Code.VALUE_UNREADABLE


def test_id_and_key_are_derived_as_the_documentation_says() -> None:
    made = HKDF(SHA256(), 40, None, b"consent-connector/sealing/1").derive(OLD.reveal_bytes())
    assert Keyring([OLD]).current.id == made[32:].hex()
    assert Keyring([OLD]).current.name == "file:old"


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(Misconfigured, match="file:short is shorter than 32 bytes") as refused:
        Keyring([Secret("canary" * 5, "file:short")])
    assert "canary" not in str(refused.value)


def test_a_wrapped_key_shows_nothing() -> None:
    _, wrapped = Keyring([OLD]).new("request")
    assert wrapped.text not in repr(wrapped)
