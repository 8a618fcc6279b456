"""Stamps of RFC 3161: what holds, what does not and why, by us, by OpenSSL, and from OpenSSL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import FixedClock
from connector.proof import stamp, stamp_token
from connector.proof.stamp import Question, Stamp, accept
from connector.proof.stamp_token import Authorities
from connector.proof.verdict import Flaw, Refuted
from connector.sandbox import time_authority
from connector.sandbox.time_authority import OTHER_POLICY, POLICY
from tests.support.authorities import StandInAuthority, openssl
from tests.support.certificates import authority, certificate

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CONTENT = "log.example.com\n7\nröot\n\n— a note\n".encode()
QUESTION = Question(CONTENT, "sha256", 0x1234567890ABCDEF)


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(scope="module")
def away(clock: FixedClock) -> StandInAuthority:
    return StandInAuthority.at(clock)


@pytest.fixture(autouse=True)
def in_order(away: StandInAuthority) -> None:
    away.fake.faults.turn_off()


def given_by(away: StandInAuthority, question: Question = QUESTION, *trusted: Any, now: datetime = NOW) -> Stamp:
    believed = Authorities(trusted or (away.fake.root.certificate,))
    return accept(away.ask(question.encoded()), question, believed, now, 300)


@pytest.mark.parametrize("name", stamp.HASHES)
def test_a_stamp_says_what_was_seen_and_when(away: StandInAuthority, name: str) -> None:
    said = given_by(away, replace(QUESTION, hash=name)).said
    assert (said.hash, said.at, said.policy, said.nonce) == (name, NOW, POLICY, QUESTION.nonce)
    assert said.authority == away.fake.signer.certificate.fingerprint(SHA256()).hex()[:16]


def test_a_policy_that_is_asked_for_is_the_one_it_has(away: StandInAuthority) -> None:
    assert given_by(away, replace(QUESTION, policy=OTHER_POLICY)).said.policy == OTHER_POLICY


def test_the_content_itself_is_not_sent(away: StandInAuthority) -> None:
    assert len(QUESTION.encoded()) < 80
    assert b"log.example" not in QUESTION.encoded()


@pytest.mark.parametrize(
    ("switch", "flaw"),
    [
        ("stamp_refused", Flaw.STAMP_REFUSED),
        ("wrong_imprint", Flaw.STAMP_FOREIGN),
        ("wrong_nonce", Flaw.STAMP_FOREIGN),
        ("nonce_missing", Flaw.STAMP_FOREIGN),
        ("wrong_policy", Flaw.STAMP_FOREIGN),
        ("wrong_signature", Flaw.SIGNATURE_WRONG),
        ("changed_stamp", Flaw.SIGNATURE_WRONG),
        ("expired_certificate", Flaw.STAMP_UNTRUSTED),
        ("foreign_root", Flaw.STAMP_UNTRUSTED),
        ("wrong_purpose", Flaw.STAMP_PURPOSE_WRONG),
        ("certificates_missing", Flaw.STAMP_UNTRUSTED),
        ("clock_off", Flaw.STAMP_TIME_WRONG),
        ("html_page", Flaw.STAMP_MALFORMED),
    ],
)
def test_what_does_not_hold_is_refused_by_its_reason(away: StandInAuthority, switch: str, flaw: Flaw) -> None:
    away.fake.faults.turn_on(switch)
    with pytest.raises(Refuted) as refuted:
        given_by(away, replace(QUESTION, policy=POLICY))
    assert refuted.value.flaw is flaw


@pytest.mark.parametrize("why", ["unaccepted_policy", "time_not_available"])
def test_a_refusal_says_why_in_the_words_of_the_protocol(away: StandInAuthority, why: str) -> None:
    away.fake.faults.turn_on("stamp_refused", why)
    with pytest.raises(Refuted, match=f"the authority answers rejection, {why}$"):
        given_by(away)


@pytest.mark.parametrize(("off_s", "holds"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_its_time_may_be_a_little_from_ours(away: StandInAuthority, off_s: int, holds: bool) -> None:
    now = NOW + timedelta(seconds=off_s)
    if holds:
        assert given_by(away, now=now).said.at == NOW
        return
    with pytest.raises(Refuted, match="stamp_time_wrong"):
        given_by(away, now=now)


def test_the_authority_itself_may_be_trusted_instead_of_its_root(away: StandInAuthority) -> None:
    own = away.fake.signer.certificate
    assert given_by(away, QUESTION, own).said.at == NOW
    away.fake.faults.turn_on("certificates_missing")
    assert given_by(away, QUESTION, own).said.at == NOW


def test_a_stamp_outlives_the_certificate_that_made_it() -> None:
    clock = FixedClock(NOW)
    away = StandInAuthority.at(clock, lifetime=timedelta(days=2))
    kept = given_by(away)
    believed = Authorities((away.fake.root.certificate,))
    clock.advance(days=400)
    assert away.fake.signer.certificate.not_valid_after_utc < clock.now()
    assert stamp.verify(kept.token, CONTENT, believed) == kept.said
    with pytest.raises(Refuted, match="does not count at the time of the stamp"):
        given_by(away, now=clock.now())


@pytest.mark.parametrize(
    "purposes",
    [(), (ExtendedKeyUsageOID.TIME_STAMPING,), (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)],
    ids=["none", "not critical", "others too"],
)
def test_a_certificate_is_for_stamps_alone_and_says_so_critically(purposes: tuple[Any, ...]) -> None:
    believed = Authorities((authority().certificate,))
    with pytest.raises(Refuted, match="stamp_purpose_wrong"):
        believed.require(certificate("Example Time", purposes=purposes).certificate, [], NOW)


@pytest.mark.parametrize("year", ["0000", "0001", "9999"])
def test_a_time_far_off_is_refused_like_any_other(away: StandInAuthority, year: str) -> None:
    """Anybody can sign such a thing with a certificate of their own."""
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": sha256(CONTENT).digest()}
    said = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": imprint,
            "serial_number": 1,
            "gen_time": core.GeneralizedTime(f"{year}0101000000Z"),
            "nonce": QUESTION.nonce,
        }
    )
    token = time_authority._token(said, away.fake.signer, (away.fake.signer,), change=False)
    with pytest.raises(Refuted):
        stamp.verify(token.dump(), CONTENT, Authorities((away.fake.root.certificate,)))


def test_another_hash_than_asked_for_is_none_that_was_asked_for(away: StandInAuthority) -> None:
    stronger = replace(QUESTION, hash="sha512")
    answer = away.ask(stronger.encoded())
    believed = Authorities((away.fake.root.certificate,))
    assert accept(answer, stronger, believed, NOW, 300).said.hash == "sha512"
    with pytest.raises(Refuted, match="stamp_foreign: it answers another question"):
        accept(answer, QUESTION, believed, NOW, 300)


def test_a_stamp_of_other_bytes_is_none_of_these(away: StandInAuthority) -> None:
    kept = given_by(away)
    with pytest.raises(Refuted, match="stamp_foreign"):
        stamp.verify(kept.token, CONTENT + b"\n", Authorities((away.fake.root.certificate,)))


def test_nobody_below_a_root_that_is_not_trusted_is(away: StandInAuthority) -> None:
    with pytest.raises(Refuted, match="stamp_untrusted"):
        given_by(away, QUESTION, authority().certificate)
    # The same name as the signer's, and the key of somebody else.
    namesake = certificate("Example Time Authority", purposes=()).certificate
    with pytest.raises(Refuted, match="stamp_untrusted"):
        given_by(away, QUESTION, namesake)


@pytest.fixture(scope="module")
def kept(away: StandInAuthority) -> Stamp:
    return given_by(away)


def read_changed(away: StandInAuthority, kept: Stamp, place: int, change: int) -> bool:
    """Say whether it holds all the same, which is so where nothing is signed: the list of hashes in front, for one."""
    spoilt = bytearray(kept.token)
    spoilt[place] ^= change
    try:
        said = stamp.verify(bytes(spoilt), CONTENT, Authorities((away.fake.root.certificate,)))
    except Refuted:
        return False
    assert said == kept.said
    return True


@given(share=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_that_is_said(
    away: StandInAuthority, kept: Stamp, share: float, change: int
) -> None:
    read_changed(away, kept, int(share * len(kept.token)), change)


def test_no_byte_may_be_another_one(away: StandInAuthority, kept: Stamp) -> None:
    taken = [place for place in range(len(kept.token)) if read_changed(away, kept, place, 1)]
    signed = cms.ContentInfo.load(kept.token)["content"]
    (info,) = signed["signer_infos"]
    said, certificates = bytes(signed["encap_content_info"]["content"]), signed["certificates"].contents
    for part in (said, certificates, info["signed_attrs"].contents, info["signature"].native):
        begin = kept.token.index(part)
        assert not [one for one in taken if begin <= one < begin + len(part)]
    # Versions, the hashes that are listed in front, and the other name of the signer.
    assert len(taken) < 80


@given(st.binary(max_size=400))
def test_whatever_is_answered_is_a_stamp_or_refuted(away: StandInAuthority, answer: bytes) -> None:
    believed = Authorities((away.fake.root.certificate,))
    with pytest.raises(Refuted):
        accept(answer, QUESTION, believed, NOW, 300)
    with pytest.raises(Refuted):
        stamp.verify(answer, CONTENT, believed)


@pytest.mark.parametrize(
    "read", [lambda big: accept(big, QUESTION, None, NOW, 1), lambda big: stamp.verify(big, b"", None)]
)  # type: ignore[arg-type]
def test_nothing_that_long_is_read(read: Any) -> None:
    with pytest.raises(Refuted, match="longer than any stamp"):
        read(b"\x30" * (stamp_token.MOST_BYTES + 1))


@pytest.mark.parametrize("name", stamp.HASHES)
def test_openssl_agrees_with_a_stamp_that_holds(away: StandInAuthority, tmp_path: Path, name: str) -> None:
    """As docs/audit-log.md tells an auditor to do it."""
    kept = given_by(away, replace(QUESTION, hash=name))
    (tmp_path / "checkpoint.txt").write_bytes(CONTENT)
    (tmp_path / "stamp.tst").write_bytes(kept.token)
    (tmp_path / "root.pem").write_text(away.fake.root.pem)
    command = ("ts", "-verify", "-data", "checkpoint.txt", "-in", "stamp.tst", "-token_in", "-CAfile", "root.pem")
    command = (*command, "-attime", str(int(NOW.timestamp())))
    assert "Verification: OK" in openssl(*command, cwd=tmp_path)
    (tmp_path / "checkpoint.txt").write_bytes(CONTENT + b" ")
    assert openssl(*command, cwd=tmp_path).startswith("FAILED")


CONFIG = """
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = {signer}
certs = {above}
signer_key = {key}
signer_digest = {digest}
default_policy = 1.3.6.1.4.1.32473.1.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""
MADE = """
[usual]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[between]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = {purpose}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = names
[names]
"""


def made_by_openssl(
    folder: Path, question: Question, kind: tuple[str, ...], digest: str, ess: str, between: str
) -> Any:
    """Return the answer of an authority that OpenSSL plays, and its root; `between` is the purpose of one between."""
    (folder / "made.cnf").write_text(MADE.format(purpose=between or "timeStamping"))

    def made(name: str, section: str, above: str) -> None:
        common = ("-config", "made.cnf", "-nodes", "-batch", "-sha256", "-days", "9")
        own = ("-subj", f"/CN={name}", "-extensions", section, "-keyout", f"{name}.key", "-out", f"{name}.pem")
        by = ("-CA", f"{above}.pem", "-CAkey", f"{above}.key") if above else ()
        assert "FAILED" not in openssl("req", "-x509", *common, *kind, *own, *by, cwd=folder)

    made("root", "usual", "")
    if between:
        made("between", "between", "root")
    above = "between" if between else "root"
    made("tsa", "stamping", above)
    settings = {"signer": "tsa.pem", "key": "tsa.key", "above": f"{above}.pem", "digest": digest, "ess": ess}
    (folder / "tsa.cnf").write_text(CONFIG.format(**settings))
    (folder / "serial").write_text("01")
    (folder / "question.tsq").write_bytes(question.encoded())
    asked = ("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question.tsq", "-out", "answer.tsr")
    assert "FAILED" not in openssl(*asked, cwd=folder)
    trusted = Authorities((load_pem_x509_certificate((folder / "root.pem").read_bytes()),))
    return (folder / "answer.tsr").read_bytes(), trusted


@pytest.mark.parametrize(
    ("kind", "digest", "ess"),
    [
        (("-newkey", "rsa:2048"), "sha256", "sha1"),
        (("-newkey", "rsa:3072"), "sha512", "sha256"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"), "sha384", "sha512"),
    ],
)
def test_a_stamp_that_openssl_made_holds(tmp_path: Path, kind: tuple[str, ...], digest: str, ess: str) -> None:
    question = replace(QUESTION, hash="sha512")
    answer, trusted = made_by_openssl(tmp_path, question, kind, digest, ess, "")
    given = accept(answer, question, trusted, datetime.now(UTC), 300)
    assert given.said.nonce == question.nonce
    told = openssl("ts", "-reply", "-in", "answer.tsr", "-text", cwd=tmp_path)
    assert f"Nonce: 0x{question.nonce:X}" in told


@pytest.mark.parametrize(("purpose", "holds"), [("timeStamping", True), ("serverAuth", False)])
def test_an_authority_between_has_to_be_for_stamps_if_it_is_for_anything(
    tmp_path: Path, purpose: str, holds: bool
) -> None:
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    answer, trusted = made_by_openssl(tmp_path, QUESTION, kind, "sha256", "sha256", purpose)
    if holds:
        assert accept(answer, QUESTION, trusted, datetime.now(UTC), 300).said.nonce == QUESTION.nonce
        return
    with pytest.raises(Refuted, match="no path leads from its certificate"):
        accept(answer, QUESTION, trusted, datetime.now(UTC), 300)
