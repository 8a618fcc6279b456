"""`verify`: saved calls in every form in which they are saved, what is printed, and the exit status."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.cli import verify as command
from connector.cli.saved import read_time
from connector.private import Secret
from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.verify.token.issued import TokenClient
from tests.support.documents import PublishedDocuments
from tests.unit.cli.conftest import Ended, Run

AT = "1793610873"
BODY = b'{"name": "ana@example.com"}'
SIGNATURE = hmac.new(WEBHOOK_SECRET.encode(), f"{AT}.".encode() + BODY, "sha256").hexdigest()
LINES = (
    "Content-Type: application/json",
    f"X-OneTrust-Timestamp: {AT}",
    f"X-OneTrust-Signature: sha256={SIGNATURE}",
)
PAIRS = [line.split(": ") for line in LINES]

Judge = Callable[..., Ended]


@pytest.fixture
def judge(run: Run, tmp_path: Path) -> Judge:
    """Save a call and judge it, at its own time unless another one is given."""

    def judged(
        *arguments: str,
        headers: bytes | str = "\n".join(LINES),
        body: bytes = BODY,
        settings: tuple[str, ...] = (),
        at: str = AT,
    ) -> Ended:
        (tmp_path / "call.headers").write_bytes(headers if isinstance(headers, bytes) else headers.encode())
        (tmp_path / "call.body").write_bytes(body)
        files = (str(tmp_path / "call.headers"), str(tmp_path / "call.body"))
        return run("verify", *files, *(("--at", at) if at else ()), *arguments, settings=settings)

    return judged


FORMS = {
    "lines": "\n".join(LINES),
    "lines that end in CR LF, and a blank line": "\r\n".join((*LINES, "", "")),
    "a request line first": "\n".join(("POST /webhooks/onetrust HTTP/1.1", *LINES)),
    "what curl -v shows": "\n".join(f"> {line}" for line in ("POST /webhooks/onetrust HTTP/1.1", *LINES, "")),
    "the body below": "\n".join((*LINES, "", BODY.decode())),
    "a folded line": "\n".join((LINES[0], LINES[1].replace(": ", ":\n   "), LINES[2])),
    "names in other letters": "\n".join(LINES).replace("X-OneTrust", "x-onetrust"),
    "a byte order mark": "\ufeff" + "\n".join(LINES),
    "HTTP/2": "\n".join((":method: POST", ":path: /webhooks/onetrust", ":authority: connector.example.com", *LINES)),
    "a JSON object": json.dumps(dict(PAIRS)),
    "a JSON object of lists": json.dumps({name: [value] for name, value in PAIRS}),
    "a JSON list of pairs": json.dumps(PAIRS),
    "a HAR file's list": json.dumps([{"name": name, "value": value} for name, value in PAIRS]),
    "a number for a text": json.dumps(dict(PAIRS) | {"X-OneTrust-Timestamp": int(AT)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_genuine_call_passes_however_its_headers_are_saved(judge: Judge, form: str) -> None:
    done = judge(headers=FORMS[form])
    assert (done.status, done.err) == (0, "")
    for line in (
        "passes, judged by the time 2026-11-02 09:14:33Z",
        "1  signature: passes",
        "   secret: file:sandbox/webhook.secret",
        "   sender time: 2026-11-02 09:14:33+00:00",
        f"   payload bytes: {len(BODY)}",
        f"   payload sha256: {hashlib.sha256(BODY).hexdigest()}",
        "   told from others by: digest of the signed content",
    ):
        assert f"{line}\n" in done.out


USAGE = {
    "no field": ("X-Sig ab", "HEADERS_FILE: header 1 is not `Name: value`"),
    "no name": (": ab", "HEADERS_FILE: header 1 is not `Name: value`"),
    "an answer": ("HTTP/1.1 200 OK\nServer: x", "HEADERS_FILE begins with a status line"),
    "broken JSON": ('{"a": ', "HEADERS_FILE: expected JSON"),
    "JSON of another kind": ('{"a": {"b": "c"}}', "HEADERS_FILE: expected JSON"),
    "a JSON list of texts": ('["a"]', "HEADERS_FILE: expected JSON"),
    "deep JSON": ("[" * 100_000, "HEADERS_FILE: expected JSON"),
    "JSON in another character set": (b'{"a": "\xff"}', "HEADERS_FILE: expected JSON"),
    "too much": ("A: " + "a" * 1_048_577, "call.headers is over 1048576 bytes"),
}


@pytest.mark.parametrize("name", USAGE)
def test_what_cannot_be_read_is_wrong_usage(judge: Judge, name: str) -> None:
    headers, says = USAGE[name]
    done = judge(headers=headers)
    assert (done.status, done.out) == (2, "")
    assert says in done.err


@pytest.mark.parametrize("at", ["2026-11-02T09:14:33Z", "2026-11-02T10:14:33+01:00", "1793610873", "1793610873.0"])
def test_a_time_is_iso_8601_with_an_offset_or_unix_time(at: str) -> None:
    assert read_time(at) == datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)


@pytest.mark.parametrize("at", ["2026-11-02T09:14:33", "yesterday", "", "99999999999999", "-1", "1e12"])
def test_another_time_is_wrong_usage(judge: Judge, at: str) -> None:
    done = judge("--at", at, at="")
    assert (done.status, done.out) == (2, "")
    assert "--at: expected a time with an offset" in done.err


class TestRefused:
    def test_it_is_said_why_what_helps_and_who_has_to_do_it(self, judge: Judge) -> None:
        done = judge(body=BODY + b"\n")
        assert (done.status, done.err) == (1, "")
        assert "refused (credential_wrong), judged by" in done.out
        assert "Compare the secret on both sides" in done.out
        assert "It would fit file:sandbox/webhook.secret with the body without the line end at its end." in done.out
        assert "→ sender: Sign and send the same bytes" in done.out
        content = f"{AT}.".encode() + BODY + b"\n"
        assert f"signed content: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}\n" in done.out

    def test_a_machine_gets_the_same(self, judge: Judge) -> None:
        said = json.loads(judge("--json", body=BODY + b"\n").out)
        assert (said["verdict"], said["code"]) == ("refused", "credential_wrong")
        (check,) = said["checks"]
        assert (check["place"], check["check"], check["verdict"]) == ("1", "signature", "refused")
        (hint,) = check["hints"]
        assert (hint["would_fit"], hint["secret"]) == (True, "file:sandbox/webhook.secret")
        assert hint["mistakes"][0]["side"] == "sender"

    def test_where_nothing_fits_it_is_said_what_was_tried(self, judge: Judge) -> None:
        done = judge(body=b"{}")
        assert "Nothing of this fits: " in done.out
        assert "the secret is another one" in done.out

    def test_a_call_that_is_judged_late_is_told_to_be_judged_by_its_own_time(self, judge: Judge) -> None:
        done = judge(at="2026-11-02T12:00:00Z")
        assert done.status == 1
        assert "timestamp_too_old" in done.out
        assert "lies 2 h 45 min before it, and 300 s are allowed" in " ".join(done.out.split())

    def test_what_the_receiver_refuses_before_any_check_is_noted(self, judge: Judge) -> None:
        done = judge(headers="\n".join(LINES).replace("application/json", "text/plain"))
        assert done.status == 0
        assert "note: the receiver answers 415 before it checks anything" in done.out

    def test_no_value_is_printed(self, judge: Judge) -> None:
        for options in ((), ("--json",)):
            for headers in ("\n".join(LINES), "\n".join(LINES).replace("sha256=", "")):
                done = judge(*options, headers=headers, body=BODY + b" ")
                for value in (SIGNATURE, AT, WEBHOOK_SECRET, "ana@example.com"):
                    assert value not in done.out


class TestAddress:
    CHECK = (
        'sources.onetrust.verify=[{check="scheme", scheme="hubspot-v2", secrets=["file:sandbox/webhook.secret"]}]',
        'sources.onetrust.url="https://connector.example.com/hooks"',
    )

    def headers(self, url: str, *, method: str = "POST", line: str = "") -> str:
        text = WEBHOOK_SECRET.encode() + f"{method}{url}".encode() + BODY
        return f"{line}Content-Type: application/json\nX-HubSpot-Signature: {hashlib.sha256(text).hexdigest()}"

    def test_it_is_the_sources_with_the_query_of_the_request_line(self, judge: Judge) -> None:
        line = "POST /elsewhere?tenant=7 HTTP/1.1\n"
        headers = self.headers("https://connector.example.com/hooks?tenant=7", line=line)
        assert judge(headers=headers, settings=self.CHECK).status == 0

    def test_it_can_be_given_instead_with_method_and_all(self, judge: Judge) -> None:
        url = "http://10.0.0.7:8080/x?y=z"
        headers = self.headers(url, method="PUT")
        done = judge("--url", url, "--method", "put", headers=headers, settings=self.CHECK)
        assert done.status == 0

    def test_the_proxys_view_is_recognised(self, judge: Judge) -> None:
        headers = self.headers("https://public.example.org/hooks") + "\nX-Forwarded-Host: public.example.org"
        done = judge(headers=headers, settings=self.CHECK)
        assert done.status == 1
        assert "the address with the host of the header X-Forwarded-Host" in done.out
        assert "public.example.org" not in done.out


def test_a_condition_is_judged_by_the_peer(judge: Judge) -> None:
    signature = (
        '{check="signature", prefix="sha256=", timestamp_header="X-OneTrust-Timestamp", '
        'secrets=["file:sandbox/webhook.secret"]}'
    )
    both = (f'sources.onetrust.verify=[{signature}, {{check="address", allowed=["192.0.2.0/24"]}}]',)
    assert judge("--peer", "192.0.2.7", settings=both).status == 0
    done = judge("--peer", "203.0.113.7", settings=both)
    assert done.status == 1
    assert "2  address: refused (address_not_allowed)" in done.out


class TestPublishedKeys:
    JWS = (
        '{check="jws", place="bearer", body="unsigned", algorithms=["RS256"], audiences=["connector"], '
        'keys_from="jwks", keys_url="https://keys.example.com/jwks.json"}'
    )
    CHECK = (f"sources.onetrust.verify=[{JWS}]",)
    # Header and claims of a token that nobody signed.
    TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJhdWQiOiJjb25uZWN0b3IifQ.AAAA"
    HEADERS = f"Content-Type: application/json\nAuthorization: Bearer {TOKEN}"

    def test_without_fetch_the_check_is_not_decided_and_says_so(self, judge: Judge) -> None:
        done = judge(headers=self.HEADERS, settings=self.CHECK)
        assert done.status == 2, done.err
        assert "not decided (keys_unavailable)" in done.out
        assert "fetched only with --fetch" in done.out
        assert json.loads(judge("--json", headers=self.HEADERS, settings=self.CHECK).out)["verdict"] == "undecided"

    def test_with_fetch_they_are_asked_for(self, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
        documents = PublishedDocuments({"https://keys.example.com/jwks.json": b'{"keys": []}'})
        given: list[Any] = []

        def published(*arguments: Any) -> PublishedDocuments:
            given.extend(arguments)
            return documents

        monkeypatch.setattr(command, "published_documents", published)
        done = judge("--fetch", headers=self.HEADERS, settings=self.CHECK)
        assert done.status == 1
        assert "key_unknown" in done.out
        assert {one.url for one in documents.fetched} == {"https://keys.example.com/jwks.json"}
        assert len(given) == 2


def test_a_token_that_we_issued_is_judged_by_its_own_check(judge: Judge, tmp_path: Path) -> None:
    for name in ("client", "other", "signing"):
        (tmp_path / name).write_text(f"canary-{name}-of-a-length-that-is-enough", encoding="utf-8")

    def check(secret: str) -> tuple[str, ...]:
        written = f'secrets=["file:{tmp_path}/{secret}"], signing_keys=["file:{tmp_path}/signing"]'
        return (f'sources.onetrust.verify=[{{check="issued-token", client_id="c", audience="a", {written}}}]',)

    client = TokenClient(
        "c", "a", *((Secret((tmp_path / one).read_text(encoding="utf-8"), one),) for one in ("client", "signing"))
    )
    token = client.issue(client.secrets[0], datetime.fromtimestamp(int(AT), UTC), "t1")
    headers = f"Content-Type: application/json\nAuthorization: Bearer {token}"
    done = judge(headers=headers, settings=check("client"))
    assert (done.status, "issued-token: passes" in done.out, "/client" in done.out) == (0, True, True)
    refused = judge(headers=headers, settings=check("other"))
    assert (refused.status, "issued-token: refused (credential_wrong)" in refused.out) == (1, True)
    assert token not in done.out + refused.out
    assert "canary" not in done.out + refused.out
