"""`/api/v1`: a client with the right token sees what waits, masked, and approves exactly that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from connector.policy.approval import Approval, ApprovalMode
from connector.private import Secret
from connector.services import approvals
from connector.store.audit import latest
from connector.web import api
from connector.web.api import ApiClient
from connector.web.app import create_app
from tests.support.site import START, Bench
from tests.unit.web.receiver import receiving

READER, APPROVER, ENDED = (f"canary-{name}-token-0123456789abcdef" for name in ("reader", "approver", "ended"))
CLIENTS = [
    ApiClient("dsar-portal", [Secret(READER, "env:READER")], frozenset({"preview"})),
    ApiClient(
        "privacy-desk",
        [
            Secret(ENDED, "env:ENDED", not_after=START - timedelta(days=1)),
            Secret(APPROVER, "env:APPROVER"),
        ],
        frozenset({"preview", "approve"}),
    ),
]
PREVIEW = "/api/v1/accounts/main/preview"
APPROVALS = "/api/v1/accounts/main/approvals"
PER_MINUTE = 20


class Api:
    """The API over a site on which one deletion waits to be approved."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.with_account(approval=Approval(ApprovalMode.ALWAYS))
        bench.deliver("s1", ("email", "s1@example.com"))
        bench.run_to_end(passes=3)
        app = create_app(bench.site, 4096, {})
        api.install(app, bench.site, CLIENTS, PER_MINUTE)
        self.client = app.test_client()

    def get(self, path: str = PREVIEW, token: str | None = APPROVER) -> TestResponse:
        return self._checked(self.client.get(path, headers=_headers(token)))

    def post(self, said: Any, path: str = APPROVALS, token: str | None = APPROVER) -> TestResponse:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        headers = {**_headers(token), "Content-Type": "application/json"}
        return self._checked(self.client.post(path, data=body, headers=headers))

    def approve(self, digest: str, reason: str = "ticket 4711", token: str = APPROVER) -> TestResponse:
        return self.post({"digest": digest, "reason": reason}, token=token)

    @staticmethod
    def _checked(answer: TestResponse) -> TestResponse:
        assert "canary" not in answer.text
        assert "s1@" not in answer.text
        return answer

    def approved(self) -> list[Any]:
        with self.bench.database.read() as connection:
            return [one for one in latest(connection, 9) if one.action == "approved"]


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest.fixture
def served(store_url: str) -> Iterator[Api]:
    bench = Bench(store_url)
    yield Api(bench)
    bench.database.close()
    assert "canary" not in json.dumps(bench.log.records, default=str)


def code(answer: TestResponse) -> str:
    assert answer.content_type == "application/problem+json"
    return str(answer.json["code"])


def test_it_shows_what_the_command_shows(served: Api) -> None:
    answer = served.get(f"{PREVIEW}?examples=1", READER)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    with served.bench.database.read() as connection:
        seen = approvals.preview(connection, served.bench.site.accounts["main"], 1, {})
    said = answer.json
    assert (said["account"], said["digest"], said["waits"]) == ("main", seen.digest, True)
    assert said["parts"][0]["examples"] == ["s***@e***.com"]
    assert served.get(f"{PREVIEW}?examples=0").json["parts"][0]["examples"] == []


def test_what_was_shown_is_approved_once_and_carried_out(served: Api) -> None:
    digest = served.get().json["digest"]
    answer = served.approve(digest)
    assert (answer.status_code, answer.json) == (200, {"account": "main", "approved": 1})
    (noted,) = served.approved()
    assert (noted.actor, noted.reason) == ("api:privacy-desk", "ticket 4711")
    served.bench.run_to_end()
    assert served.bench.state("s1") == "completed"
    assert code(served.approve(digest)) == "preview_changed"


def test_exactly_what_was_shown_is_approved_and_a_made_up_digest_nothing(served: Api) -> None:
    digest = served.get().json["digest"]
    served.bench.deliver("s2", ("email", "s2@example.com"))
    served.bench.run_to_end(passes=3)
    answer = served.approve(digest[::-1])
    assert (answer.status_code, code(answer), served.approved()) == (409, "preview_changed", [])
    assert served.approve(digest.upper()).json["approved"] == 1
    served.bench.run_to_end()
    assert (served.bench.state("s1"), served.bench.state("s2")) == ("completed", "queued")


@pytest.mark.parametrize("token", [None, "", "guessed", READER + "x", READER[:-1], ENDED, "\udcff"])
def test_without_a_token_that_counts_nobody_learns_anything(served: Api, token: str | None) -> None:
    answers = [served.get(path, token) for path in (PREVIEW, "/api/v1/accounts/nowhere/preview")]
    answers.append(served.post({"digest": served.get().json["digest"], "reason": "x"}, token=token))
    assert {(one.status_code, code(one)) for one in answers} == {(401, "api_token_refused")}
    assert len({one.data for one in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"].startswith("Bearer ")
    assert served.approved() == []


def test_a_client_may_do_what_its_scopes_say_and_no_more(served: Api) -> None:
    answer = served.approve(served.get(token=READER).json["digest"], token=READER)
    assert (answer.status_code, code(answer)) == (403, "api_scope_missing")
    assert served.approved() == []
    assert served.bench.log.records[-1] == ("api_refused", {"code": "api_scope_missing", "status": 403})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"{", 400),
        (b"[" * 60_000, 400),
        ([], 422),
        ({"digest": "x"}, 422),
        ({"digest": "x", "reason": "y", "more": "z"}, 422),
        ({"digest": 7, "reason": "y"}, 422),
        ({"digest": "x", "reason": " "}, 422),
        ({"digest": "x", "reason": "for s1@example.com"}, 422),
        ({"digest": "x", "reason": "y" * 501}, 422),
    ],
)
def test_a_body_that_does_not_say_it_is_refused_by_name(served: Api, said: Any, status: int) -> None:
    answer = served.post(said)
    assert answer.status_code == status
    assert code(answer) in {"body_unreadable", "field_invalid"}
    assert served.approved() == []


@pytest.mark.parametrize("number", ["-1", "1001", "x", "", "1e2", "٣", "9" * 5000])
def test_a_number_of_examples_that_is_none_is_refused(served: Api, number: str) -> None:
    assert code(served.get(f"{PREVIEW}?examples={number}")) == "field_invalid"


def test_an_account_that_is_not_there_is_an_unknown_address(served: Api) -> None:
    assert code(served.get("/api/v1/accounts/nowhere/preview")) == "route_unknown"


def test_too_many_calls_of_one_client_wait_and_those_of_another_do_not(served: Api) -> None:
    answers = [served.get(token=READER) for _ in range(PER_MINUTE + 1)]
    assert [one.status_code for one in answers].count(200) == PER_MINUTE
    assert code(answers[-1]) == "too_many_api_calls"
    assert "Retry-After" in answers[-1].headers
    assert served.get().status_code == 200


class TestConfiguration:
    def test_there_is_none_without_a_client(self, sqlite_url: str) -> None:
        with receiving(sqlite_url) as receiver:
            assert receiver.client.get(PREVIEW, headers=_headers(READER)).status_code == 404

    def test_a_client_of_the_configuration_is_served(self, sqlite_url: str, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(READER, encoding="utf-8")
        client = f'{{secrets=["file:{tmp_path}/token"], scopes=["preview"]}}'
        with receiving(sqlite_url, f"api.clients.portal={client}") as receiver:
            answer = receiver.client.get(PREVIEW, headers=_headers(READER))
        assert (answer.status_code, answer.json["parts"]) == (200, [])
