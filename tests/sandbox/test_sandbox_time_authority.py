"""The fake authority speaks RFC 3161 as others read it, and goes wrong when it is told to."""

from __future__ import annotations

import pytest
import requests
from asn1crypto import tsp

from connector.sandbox.time_authority import POLICY, FakeTimeAuthority
from tests.support.authorities import openssl

QUERY = "application/timestamp-query"


@pytest.fixture
def away():
    with FakeTimeAuthority() as fake:
        yield fake


def ask(away, question, media_type=QUERY):
    with requests.Session() as session:
        session.trust_env = False
        return session.post(away.stamp_url, question, headers={"Content-Type": media_type}, timeout=5)


def asked_by_openssl(folder, *options):
    (folder / "data.txt").write_text("what is stamped")
    said = openssl("ts", "-query", "-data", "data.txt", "-cert", *options, "-out", "q.tsq", cwd=folder)
    assert "FAILED" not in said
    return (folder / "q.tsq").read_bytes()


@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
def test_openssl_asks_it_and_believes_its_answer(away, tmp_path, digest):
    answer = ask(away, asked_by_openssl(tmp_path, digest))
    assert answer.headers["Content-Type"] == "application/timestamp-reply"
    (tmp_path / "answer.tsr").write_bytes(answer.content)
    (tmp_path / "root.pem").write_text(away.root.pem)
    command = ("ts", "-verify", "-queryfile", "q.tsq", "-in", "answer.tsr", "-CAfile", "root.pem")
    assert "Verification: OK" in openssl(*command, cwd=tmp_path)
    assert f"Policy OID: {POLICY}" in openssl("ts", "-reply", "-in", "answer.tsr", "-text", cwd=tmp_path)


@pytest.mark.parametrize(
    "switch",
    [
        "wrong_imprint",
        "wrong_nonce",
        "nonce_missing",
        "wrong_signature",
        "changed_stamp",
        "foreign_root",
        "wrong_purpose",
    ],
)
def test_openssl_does_not_believe_what_goes_wrong(away, tmp_path, switch):
    away.faults.turn_on(switch)
    (tmp_path / "answer.tsr").write_bytes(ask(away, asked_by_openssl(tmp_path, "-sha256")).content)
    (tmp_path / "root.pem").write_text(away.root.pem)
    command = ("ts", "-verify", "-queryfile", "q.tsq", "-in", "answer.tsr", "-CAfile", "root.pem")
    assert openssl(*command, cwd=tmp_path).startswith("FAILED")


def test_a_refusal_has_no_token(away, tmp_path):
    away.faults.turn_on("stamp_refused", "system_failure")
    (tmp_path / "answer.tsr").write_bytes(ask(away, asked_by_openssl(tmp_path, "-sha256")).content)
    said = openssl("ts", "-reply", "-in", "answer.tsr", "-text", cwd=tmp_path)
    assert "Status: Rejected" in said
    assert "System failure" in said or "internal error" in said.lower() or "system" in said.lower()


def test_what_is_no_question_is_refused(away, tmp_path):
    assert ask(away, b"x", "text/plain").status_code == 415
    assert b"granted" not in ask(away, b"no question").content
    old = asked_by_openssl(tmp_path, "-sha1")
    assert tsp.PKIStatusInfo.load(ask(away, old).content[2:])["status"].native == "rejection"


def test_it_slows_down_and_fails_like_the_others(away):
    away.faults.turn_on("rate_limited", 30, times=1)
    assert ask(away, b"").headers["Retry-After"] == "30"
    away.faults.turn_on("server_error", 503, times=1)
    assert ask(away, b"").status_code == 503
