"""A sealed value opens with its own key, at its own place, and unchanged; else nothing opens and nothing is shown."""

from __future__ import annotations

import pickle
from binascii import a2b_base64, b2a_base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from connector.codes import Code
from connector.crypto.seal import SHREDDED, Cipher, DataKey, Sealed, place_of
from connector.errors import Misconfigured
from connector.private import Private

KEY = bytes(range(32))
PLACE = place_of("identities", "value", "a" * 32)
VALUE = Private("canary-31@example.com")


def refusal(key: DataKey, sealed: Sealed, place: bytes = PLACE) -> str:
    with pytest.raises(Misconfigured) as refused:
        key.open(sealed, place)
    assert refused.value.code is Code.VALUE_UNREADABLE
    assert refused.value.__cause__ is None
    return str(refused.value)


@given(st.text(st.characters(exclude_categories=[]), max_size=80))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    key = DataKey(KEY)
    assert key.open(key.seal(Private(text), PLACE), PLACE).reveal() == text


def test_the_format_is_a_byte_a_nonce_and_what_aes_gcm_makes() -> None:
    """Opened by the library alone, as the documentation says: format, 12 bytes of nonce, ciphertext with its tag."""
    sealed = a2b_base64(DataKey(KEY).seal(VALUE, PLACE).text)
    assert sealed[0] == 1
    assert AESGCM(KEY).decrypt(sealed[1:13], sealed[13:], PLACE) == VALUE.reveal().encode()
    assert PLACE == b"identities\0value\0" + b"a" * 32


def test_a_value_that_nist_published_comes_out() -> None:
    """Test case 15 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega, revised 2005; 256-bit key."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    )
    wanted = (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
        "b094dac5d93471bdec1a502270e3cc6c"
    )
    assert a2b_base64(Cipher(key).seal(plain, b"", lambda _: nonce))[13:].hex() == wanted


def test_no_two_are_alike() -> None:
    key = DataKey(KEY)
    assert len({key.seal(VALUE, PLACE).text for _ in range(100)}) == 100


def test_every_changed_byte_is_refused_and_nothing_is_shown() -> None:
    key = DataKey(KEY)
    sealed = a2b_base64(key.seal(VALUE, PLACE).text)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert "canary" not in refusal(key, Sealed(b2a_base64(changed, newline=False).decode()))


@pytest.mark.parametrize("text", ["", "AQ", "AQ==", "no base64 \xe4", VALUE.reveal()])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    assert "canary" not in refusal(DataKey(KEY), Sealed(text))


@pytest.mark.parametrize(
    "place",
    [
        place_of("targets", "value", "a" * 32),
        place_of("identities", "kind", "a" * 32),
        place_of("identities", "value", "b" * 32),
    ],
)
def test_it_opens_at_no_other_place(place: bytes) -> None:
    key = DataKey(KEY)
    refusal(key, key.seal(VALUE, PLACE), place)


def test_it_opens_with_no_other_key() -> None:
    refusal(DataKey(bytes(32)), DataKey(KEY).seal(VALUE, PLACE))


def test_a_sealed_value_is_known_by_what_it_is_and_shows_nothing() -> None:
    sealed = Sealed("AQID")
    assert (sealed == Sealed("AQID"), sealed == "AQID", hash(sealed) == hash(Sealed("AQID"))) == (True, False, True)
    assert (repr(sealed), str(SHREDDED), bool(sealed), bool(SHREDDED)) == ("<sealed>", "<shredded>", True, False)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(sealed)
