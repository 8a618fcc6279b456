"""Every row of docs/bad-input.md, sent to the receiver as it is wired for the configuration that we ship.

A row and its test have the same name; `test_the_page_and_these_rows_are_the_same` keeps them together.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import hmac
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from connector.clock import FixedClock
from connector.codes import Code
from connector.config import load
from connector.services.site import Site
from connector.sources.registry import PLATFORMS
from connector.states import RequestState
from connector.store.requests import move_request
from connector.store.tables import metadata, requests
from connector.wiring import build_site, web_app
from tests.support.site import RecordingLog
from tests.support.stores import bring_up_to_date

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
SECRET = (ROOT / "config/sandbox/webhook.secret").read_text(encoding="utf-8").strip()
EMAIL = "jo.meyer@example.com"
PER_MINUTE = 10
PATH = "/webhooks/onetrust"
SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
NEVER_REPEATED = (EMAIL, "somebody.else", SECRET, SUBTASK)


def body_of(**changes: Any) -> bytes:
    """A good delivery, with changes; a change to None leaves the member out."""
    members = {
        "schema": "consent-connector/v1",
        "event": "dsar.subtask.created",
        "eventId": "5b0e2f5a-6a3c-4e0c-9a5f-0b7d6f6f1c11",
        "subTaskId": SUBTASK,
        "requestTypes": ["Data Deletion"],
        "countryCode": "DE",
        "identifiers": {"email": EMAIL},
    }
    return json.dumps({name: value for name, value in (members | changes).items() if value is not None}).encode()


GOOD = body_of()


@dataclass
class Receiver:
    """The receiver with a store of its own, and a sender that signs as the configuration asks."""

    client: FlaskClient
    site: Site
    clock: FixedClock
    log: RecordingLog

    def signed(self, body: bytes, *, secret: str = SECRET, shift_s: int = 0) -> dict[str, str]:
        stamp = str(int(self.clock.now().timestamp()) + shift_s)
        digest = hmac.digest(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        return {
            "Content-Type": "application/json",
            "X-OneTrust-Timestamp": stamp,
            "X-OneTrust-Signature": f"sha256={digest.hex()}",
        }

    def post(
        self, body: bytes = GOOD, *, path: str = PATH, without: str = "", secret: str = SECRET, **headers: str
    ) -> TestResponse:
        """Sign and post; headers are given as `Content_Type="…"`."""
        given = self.signed(body, secret=secret) | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.post(path, data=body, headers={k: v for k, v in given.items() if k != without})

    def post_shifted(self, shift_s: int) -> TestResponse:
        return self.client.post(PATH, data=GOOD, headers=self.signed(GOOD, shift_s=shift_s))

    def post_without_length(self, body: bytes) -> TestResponse:
        """Send a body that comes in chunks, so that no length is told."""
        return self.client.post(
            PATH,
            input_stream=io.BytesIO(body),
            headers=self.signed(body),
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    def test_connection(self, secret: str = SECRET) -> TestResponse:
        return self.client.get(PATH, headers=self.signed(b"", secret=secret))

    def stored(self) -> dict[str, list[Any]]:
        """Every row of every table but `key_uses`: that a secret was used is noted of every genuine call."""
        tables = [table for table in metadata.sorted_tables if table.name != "key_uses"]
        with self.site.database.read() as connection:
            return {table.name: list(connection.execute(select(table)).all()) for table in tables}


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    # The product's own log would take over the logging of the whole test run.
    log = RecordingLog()
    monkeypatch.setattr("connector.wiring.configure", lambda *_: log)
    overrides = [
        f'store.url="sqlite:///{tmp_path / "store.db"}"',
        f"sources.onetrust.max_deliveries_per_minute={PER_MINUTE}",
        # What OneTrust lists itself need not be said.
        "sources.onetrust.read_back.enabled=false",
    ]
    config = load(ROOT / "config/connector.toml", {}, overrides, PLATFORMS)
    clock = FixedClock(NOW)
    site = build_site(config, "web", clock)
    asleep = dataclasses.replace(site.sources["onetrust"], name="asleep", enabled=False)
    site = dataclasses.replace(site, sources={**site.sources, "asleep": asleep})
    bring_up_to_date(site.database)
    yield Receiver(web_app(config, site).test_client(), site, clock, log)
    site.database.close()


Act = Callable[[Receiver], object]
Send = Callable[[Receiver], TestResponse]


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        code: None if the delivery is accepted as a duplicate.
        before: what happened at the receiver earlier.
    """

    name: str
    status: int
    code: Code | None
    send: Send
    before: Act = lambda _: None


def record(receiver: Receiver) -> None:
    assert receiver.post().status_code == 202


def record_and_wait(receiver: Receiver) -> None:
    record(receiver)
    receiver.clock.advance(seconds=301)


def finish(receiver: Receiver) -> None:
    """Bring a request to its end without Lytics."""
    assert receiver.post(body_of()).status_code == 202
    with receiver.site.database.write() as connection:
        row = connection.execute(select(requests)).one()
        assert move_request(connection, row, RequestState.REJECTED, NOW, reason="not_an_erasure", finished_at=NOW)


def use_up(receiver: Receiver) -> None:
    for _ in range(PER_MINUTE):
        assert receiver.test_connection().status_code == 200


def replay(receiver: Receiver) -> TestResponse:
    """Send the bytes and headers of `record` again, whatever the time is now."""
    age = int((receiver.clock.now() - NOW).total_seconds())
    return receiver.post_shifted(-age)


BIG = body_of(firstName="x" * 300_000)

ROWS = (
    # size and kind
    Row("Body over the limit", 413, Code.BODY_TOO_LARGE, lambda r: r.post(BIG)),
    Row("Body over the limit, sent in chunks", 413, Code.BODY_TOO_LARGE, lambda r: r.post_without_length(BIG)),
    Row("Wrong content type", 415, Code.UNSUPPORTED_CONTENT_TYPE, lambda r: r.post(Content_Type="text/plain")),
    Row("No content type", 415, Code.UNSUPPORTED_CONTENT_TYPE, lambda r: r.post(without="Content-Type")),
    Row(
        "Another character set",
        415,
        Code.UNSUPPORTED_CONTENT_TYPE,
        lambda r: r.post(Content_Type="application/json; charset=iso-8859-1"),
    ),
    Row(
        "Compressed body",
        415,
        Code.UNSUPPORTED_CONTENT_TYPE,
        lambda r: r.post(gzip.compress(GOOD), Content_Encoding="gzip"),
    ),
    # who is calling
    Row("Unknown source", 403, Code.SOURCE_NOT_ALLOWED, lambda r: r.post(path="/webhooks/nobody")),
    Row("Source that is switched off", 403, Code.SOURCE_NOT_ALLOWED, lambda r: r.post(path="/webhooks/asleep")),
    Row("Wrong secret", 401, Code.CREDENTIAL_WRONG, lambda r: r.post(secret="another-secret-of-good-length")),
    Row(
        "Body changed after signing",
        401,
        Code.CREDENTIAL_WRONG,
        lambda r: r.client.post(PATH, data=body_of(countryCode="US"), headers=r.signed(GOOD)),
    ),
    Row("Signature header missing", 401, Code.CREDENTIAL_MISSING, lambda r: r.post(without="X-OneTrust-Signature")),
    Row(
        "Signature that cannot be read",
        401,
        Code.CREDENTIAL_MALFORMED,
        lambda r: r.post(X_OneTrust_Signature="sha256=zz"),
    ),
    Row("Signature without its prefix", 401, Code.CREDENTIAL_MALFORMED, lambda r: r.post(X_OneTrust_Signature="00")),
    Row("Timestamp header missing", 401, Code.TIMESTAMP_MISSING, lambda r: r.post(without="X-OneTrust-Timestamp")),
    Row(
        "Timestamp that is no number",
        401,
        Code.TIMESTAMP_MALFORMED,
        lambda r: r.post(X_OneTrust_Timestamp="2026-11-02T09:14:33Z"),
    ),
    Row("Old timestamp", 401, Code.TIMESTAMP_TOO_OLD, lambda r: r.post_shifted(-301)),
    Row("Timestamp in the future", 401, Code.TIMESTAMP_IN_FUTURE, lambda r: r.post_shifted(301)),
    Row("Connection test with a wrong secret", 401, Code.CREDENTIAL_WRONG, lambda r: r.test_connection("y" * 32)),
    # what is said
    Row("Empty body", 400, Code.BODY_UNREADABLE, lambda r: r.post(b"")),
    Row("Not JSON", 400, Code.BODY_UNREADABLE, lambda r: r.post(b"email=jo.meyer@example.com")),
    Row(
        "Quotation mark not escaped",
        400,
        Code.BODY_UNREADABLE,
        lambda r: r.post(GOOD.replace(b'"DE"', b'"D"E"')),
    ),
    Row("Not UTF-8", 400, Code.BODY_UNREADABLE, lambda r: r.post(GOOD.replace(b'"DE"', b'"\xff\xfe"'))),
    Row("A key twice", 400, Code.BODY_DUPLICATE_KEY, lambda r: r.post(GOOD.replace(b"{", b'{"event": "", ', 1))),
    Row("A list of requests", 400, Code.BODY_NOT_AN_OBJECT, lambda r: r.post(b"[" + GOOD + b"]")),
    Row(
        "Placeholder left in the body",
        422,
        Code.TEMPLATE_UNRENDERED,
        lambda r: r.post(body_of(identifiers={"email": "${(event.payload.email)!}"})),
    ),
    Row("No identifier", 422, Code.IDENTITY_MISSING, lambda r: r.post(body_of(identifiers=None))),
    Row(
        "Only empty identifiers",
        422,
        Code.IDENTITY_MISSING,
        lambda r: r.post(body_of(identifiers={"email": "", "user_id": "null", "phone": None})),
    ),
    Row("No id of subtask or request", 422, Code.REQUEST_ID_MISSING, lambda r: r.post(body_of(subTaskId=""))),
    Row("Subtask id that is no UUID", 422, Code.FIELD_INVALID, lambda r: r.post(body_of(subTaskId="42"))),
    Row(
        "Two different ids of one subtask",
        422,
        Code.FIELD_INVALID,
        lambda r: r.post(body_of(subTaskGuid=SUBTASK[::-1])),
    ),
    Row("Deadline without an offset", 422, Code.FIELD_INVALID, lambda r: r.post(body_of(deadline="2026-12-01 11:00"))),
    Row(
        "Consent event that names a subtask",
        422,
        Code.FIELD_INVALID,
        lambda r: r.post(body_of(event="consent.profile.updated")),
    ),
    # again
    Row("Replay within the time window", 202, None, replay, before=record),
    Row("Replay after the time window", 401, Code.TIMESTAMP_TOO_OLD, replay, before=record_and_wait),
    Row(
        "Same event id with other content",
        409,
        Code.EVENT_CONFLICT,
        lambda r: r.post(body_of(identifiers={"email": "somebody.else@example.com"})),
        before=record,
    ),
    Row(
        "Further identifier for a finished request",
        409,
        Code.REQUEST_FINISHED,
        lambda r: r.post(body_of(eventId=None, identifiers={"email": "somebody.else@example.com"})),
        before=finish,
    ),
    Row("Too many deliveries", 429, Code.TOO_MANY_DELIVERIES, lambda r: r.post(), before=use_up),
    # where
    Row("Another address", 404, Code.ROUTE_UNKNOWN, lambda r: r.post(path="/hooks/onetrust")),
    Row("Another method", 405, Code.METHOD_NOT_ALLOWED, lambda r: r.client.put(PATH, data=GOOD)),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input_is_answered_as_the_page_says_and_nothing_is_stored(receiver: Receiver, row: Row) -> None:
    row.before(receiver)
    stored = receiver.stored()
    receiver.log.records.clear()
    answer = row.send(receiver)
    assert answer.status_code == row.status
    if row.code is None:
        require_duplicate(answer)
    else:
        require_problem(answer, row.status, row.code)
        require_one_record(receiver.log, row.code)
    assert receiver.stored() == stored
    if row.before is Row.before:
        assert not any(stored.values())


def require_duplicate(answer: TestResponse) -> None:
    assert answer.content_type == "application/json"
    said = answer.get_json()
    assert (said["accepted"], said["duplicate"]) == (True, True)


def require_problem(answer: TestResponse, status: int, code: Code) -> None:
    """Check an answer against RFC 9457, with our `code`; it repeats nothing of what was sent."""
    assert answer.content_type == "application/problem+json"
    said = json.loads(answer.data)
    assert set(said) == {"type", "title", "status", "code", "detail"}
    assert (said["status"], said["code"]) == (status, code)
    assert said["type"].endswith(code)
    assert said["title"]
    assert said["detail"]
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert not [text for text in NEVER_REPEATED if text in answer.get_data(as_text=True)]


def require_one_record(log: RecordingLog, code: Code) -> None:
    ((action, fields),) = log.records
    assert (action, fields["code"]) == ("delivery_refused", code)
    assert not [text for text in NEVER_REPEATED if text in str(fields)]


def test_the_delivery_that_all_rows_spoil_is_accepted_and_stored(receiver: Receiver) -> None:
    answer = receiver.post()
    assert (answer.status_code, answer.get_json()["duplicate"]) == (202, False)
    stored = receiver.stored()
    assert {name for name, rows in stored.items() if rows} == {
        "requests",
        "deliveries",
        "replays",
        "identities",
        "data_keys",
        "history",
    }


def test_names_are_told_apart() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_page_and_these_rows_are_the_same() -> None:
    page = (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
    cells = re.findall(
        r"^\| ([^|]+?) \| (\d{3}) \| (none|\[`(\w+)`\]\(errors\.md#\4\)) \| [^|]+ \|$", page, re.MULTILINE
    )
    assert [(name, int(status), code or None) for name, status, _, code in cells] == [
        (row.name, row.status, row.code) for row in ROWS
    ]
    # A row that is written another way would be overlooked above.
    assert len(re.findall(r"^\|(?! input|-)", page, re.MULTILINE)) == len(ROWS)
