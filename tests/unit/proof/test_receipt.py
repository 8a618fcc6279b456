"""A receipt holds, for us and for others, and no changed byte of it passes."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK, JWKSet
from jwcrypto.jws import JWS

from connector.proof import canonical, jws, note, receipt, tree
from connector.proof.keys import PublicKey, SigningKey, b64url, key_set, new_pem, public_from_pem, read_keys
from connector.proof.receipt import Place
from connector.proof.verdict import Flaw, Refuted
from tests.support.proofs import KEY, ORIGIN, OTHER_KEY, Log, receipt_of, statement

WHOLE = receipt_of(statement())
KEYS = [OTHER_KEY.public, KEY.public]

# RFC 8037, appendix A.
RFC_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC_JWS = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def test_the_key_and_the_signature_of_the_rfc_come_out() -> None:
    key = SigningKey.from_pem(new_pem(bytes.fromhex(RFC_SEED)))
    assert key.public.jwk()["x"] == RFC_X
    assert key.public.kid == RFC_THUMBPRINT
    signed, _, signature = RFC_JWS.rpartition(".")
    assert b64url(key.sign(signed.encode())) == signature


def test_a_receipt_holds() -> None:
    proven = receipt.verify(WHOLE, KEYS)
    assert proven.statement == statement()
    assert (proven.key, proven.index, proven.checkpoint.size) == (KEY.public, 5, 9)


def test_two_independent_libraries_verify_its_signature() -> None:
    token = json.loads(WHOLE)["jws"]
    published = json.dumps(key_set(KEYS))
    theirs = JWS()
    theirs.deserialize(token)
    key = JWKSet.from_json(published).get_key(KEY.public.kid)
    assert isinstance(key, JWK)
    theirs.verify(key)
    assert json.loads(theirs.payload) == statement()
    said = jwt.PyJWS().decode(token, jwt.PyJWK(KEY.public.jwk()).key, algorithms=["EdDSA"])
    assert json.loads(said) == statement()


def test_each_byte_of_a_receipt_counts() -> None:
    for place in range(len(WHOLE)):
        for bit in range(8):
            changed = bytearray(WHOLE)
            changed[place] ^= 1 << bit
            with pytest.raises(Refuted):
                receipt.verify(bytes(changed), KEYS)


@settings(max_examples=500)
@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=20))
@example(0, len(WHOLE), b"{}")
@example(len(WHOLE), len(WHOLE), b"\n")
def test_no_mutation_raises_anything_but_the_verdict(first: int, last: int, put: bytes) -> None:
    changed = WHOLE[:first] + put + WHOLE[last:]
    if changed == WHOLE:
        return
    with pytest.raises(Refuted):
        receipt.verify(changed, KEYS)


def test_no_byte_may_be_missing_at_the_end() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(Refuted):
            receipt.verify(WHOLE[:length], KEYS)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["format", "jws", "log", "log.index", "log.path", "log.checkpoint"]), json_values)
def test_no_member_of_another_shape_raises_anything_but_the_verdict(name: str, value: Any) -> None:
    said = json.loads(WHOLE)
    inner = said["log"] if "." in name else said
    inner[name.rpartition(".")[2]] = value
    if canonical.write(said) == WHOLE:
        return
    with pytest.raises(Refuted):
        receipt.verify(canonical.write(said), KEYS)


@given(json_values, st.sampled_from(["identities", "counts", "issuer", "job", "attempt", "number", "issued_at"]))
def test_no_signed_statement_of_another_shape_raises_anything_but_the_verdict(value: Any, name: str) -> None:
    odd = {**statement(), name: value}
    signed = jws.sign(canonical.write(odd), receipt.TYPE, KEY)
    said = {**json.loads(WHOLE), "jws": signed}
    if canonical.write(odd) == canonical.write(statement()):
        return
    with pytest.raises(Refuted):
        receipt.verify(canonical.write(said), KEYS)


def changed(**members: Any) -> bytes:
    return canonical.write({**json.loads(WHOLE), **members})


def placed(**members: Any) -> bytes:
    return changed(log={**json.loads(WHOLE)["log"], **members})


def signed_by_hand(header: dict[str, Any]) -> bytes:
    token = f"{b64url(canonical.write(header))}.{b64url(canonical.write(statement()))}"
    return changed(jws=f"{token}.{b64url(KEY.sign(token.encode()))}")


def in_another_log() -> bytes:
    """A receipt whose place is in a log of the same key under another name."""
    log = Log()
    log.append(receipt.entry_of(statement()))
    text = note.Checkpoint("other.example.com", 1, tree.root_of(1, log.node)).text()
    return receipt.assemble(receipt.sign(statement(), KEY), Place(0, note.sign(text, ORIGIN, KEY), []))


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (b"%PDF-1.7", Flaw.NOT_CANONICAL),
        (b"[]", Flaw.NOT_CANONICAL),
        (changed(more=1), Flaw.NOT_CANONICAL),
        (changed(format="consent-connector-receipt/v2"), Flaw.FORMAT_UNKNOWN),
        (changed(jws="a.b"), Flaw.JWS_MALFORMED),
        (changed(jws="a.b.c"), Flaw.JWS_MALFORMED),
        (changed(jws="é.é.é"), Flaw.JWS_MALFORMED),
        (signed_by_hand({"alg": "none", "kid": KEY.public.kid, "typ": receipt.TYPE}), Flaw.JWS_MALFORMED),
        (signed_by_hand({"alg": "EdDSA", "kid": KEY.public.kid, "typ": "JWT"}), Flaw.JWS_MALFORMED),
        (signed_by_hand({"alg": "EdDSA", "kid": "another", "typ": receipt.TYPE}), Flaw.KEY_UNKNOWN),
        (changed(jws=json.loads(receipt_of(statement(job="1" * 32)))["jws"]), Flaw.INCLUSION_WRONG),
        (placed(index=4), Flaw.INCLUSION_WRONG),
        (placed(index=9), Flaw.INCLUSION_WRONG),
        (placed(index=True), Flaw.NOT_CANONICAL),
        (placed(path=[]), Flaw.INCLUSION_WRONG),
        (placed(path=["A" * 64]), Flaw.INCLUSION_WRONG),
        (placed(path=["0" * 64] * 65), Flaw.INCLUSION_WRONG),
        (placed(checkpoint=json.loads(WHOLE)["log"]["checkpoint"].replace("\n9\n", "\n8\n")), Flaw.SIGNATURE_WRONG),
        (in_another_log(), Flaw.CHECKPOINT_FOREIGN),
    ],
)
def test_what_does_not_hold_is_named(data: bytes, flaw: Flaw) -> None:
    with pytest.raises(Refuted) as caught:
        receipt.verify(data, KEYS)
    assert caught.value.flaw is flaw


def test_a_key_that_was_not_given_is_named() -> None:
    with pytest.raises(Refuted) as caught:
        receipt.verify(WHOLE, [OTHER_KEY.public])
    assert caught.value.flaw is Flaw.KEY_UNKNOWN
    with pytest.raises(Refuted):
        receipt.verify(WHOLE, [])


def test_numbers_that_do_not_add_up_are_not_signed_and_not_believed() -> None:
    wrong = statement()
    wrong["counts"]["targets"]["deleted"] = 2
    with pytest.raises(Refuted) as caught:
        receipt.sign(wrong, KEY)
    assert caught.value.flaw is Flaw.COUNTS_WRONG
    forged = jws.sign(canonical.write(wrong), receipt.TYPE, KEY)
    with pytest.raises(Refuted) as caught:
        receipt.verify(changed(jws=forged), KEYS)
    assert caught.value.flaw is Flaw.COUNTS_WRONG


def test_keys_are_read_from_a_set_a_single_key_and_pem() -> None:
    pem = new_pem(bytes(range(32)))
    theirs = JWK.from_pem(pem.encode())
    for text in (json.dumps(key_set(KEYS)), json.dumps(KEY.public.jwk()), pem, theirs.export_public()):
        assert KEY.public in read_keys(text.encode())
    assert public_from_pem(theirs.export_to_pem().decode()) == KEY.public


EC_PEM = JWK.generate(kty="EC", crv="P-256")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"keys":1}',
        b'{"keys":[1]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"=A"}]}',
        b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":1}]}',
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n",
        EC_PEM.export_to_pem(),
        EC_PEM.export_to_pem(private_key=True, password=None),
        EC_PEM.export_public().encode(),
    ],
)
def test_what_holds_no_key_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(Refuted) as caught:
        read_keys(data)
    assert caught.value.flaw is Flaw.KEY_MALFORMED


@given(st.binary() | st.text().map(str.encode))
def test_reading_keys_raises_nothing_but_the_verdict(data: bytes) -> None:
    with pytest.raises(Refuted):
        read_keys(data)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(KEY) == f"<signing key {KEY.public.kid}>"


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    assert not PublicKey(bytes(31)).verifies(bytes(64), b"")
