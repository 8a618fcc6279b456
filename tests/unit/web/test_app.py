"""The routes: deliveries, the connection test, health, and everything that is none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from connector.catalogue import CATALOGUE
from connector.codes import Code
from connector.errors import IllegalMove
from connector.store import database as database_module
from connector.store.database import Database
from connector.web import app as app_module
from connector.web.problems import problem
from tests.unit.web.receiver import GOOD, PATH, SUBTASK, Receiver, body_of, receiving


def require_problem(answer: TestResponse, code: Code) -> dict[str, Any]:
    """Check an answer against RFC 9457, with our `code`."""
    assert answer.content_type == "application/problem+json"
    said: dict[str, Any] = json.loads(answer.data)
    assert set(said) == {"type", "title", "status", "code", "detail"}
    assert (said["code"], said["status"]) == (code, answer.status_code)
    assert said["type"] == f"urn:consent-connector:problem:{code}"
    return said


class TestDelivery:
    def test_a_delivery_is_answered_202_with_our_id_of_the_request(self, receiver: Receiver) -> None:
        answer = receiver.post()
        said = answer.get_json()
        assert (answer.status_code, said["accepted"], said["duplicate"]) == (202, True, False)
        with receiver.site.database.read() as connection:
            from connector.store import overview

            (row,) = overview.find(connection, SUBTASK)
        assert said["jobId"] == row.id

    def test_the_same_delivery_again_has_the_same_id(self, receiver: Receiver) -> None:
        first, again = receiver.post().get_json(), receiver.post().get_json()
        assert again == first | {"duplicate": True}
        assert receiver.row_counts()["requests"] == 1

    def test_an_answer_repeats_nothing_of_the_person(self, receiver: Receiver) -> None:
        for body in (GOOD, body_of(email="canary\ud800@example.com"), body_of(subTaskId="canary"), b'{"canary": '):
            assert "canary" not in receiver.post(body).get_data(as_text=True)
            assert "jo.meyer" not in receiver.post(body).get_data(as_text=True)

    def test_an_unknown_and_a_disabled_source_are_refused_alike(self, receiver: Receiver) -> None:
        unknown, asleep = receiver.post(path="/webhooks/nobody"), receiver.post(path="/webhooks/asleep")
        require_problem(unknown, Code.SOURCE_NOT_ALLOWED)
        assert (unknown.status_code, unknown.data) == (asleep.status_code, asleep.data)
        assert dict(unknown.headers) == dict(asleep.headers)

    def test_the_log_names_a_source_only_if_there_is_one(
        self, receiver: Receiver, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Anybody can call an address with somebody's name in it, or with their telephone number."""
        for name in ("canary-jo-meyer", "+4915550179843", "asleep"):
            assert receiver.post(path=f"/webhooks/{name}").status_code == 403
        written = capsys.readouterr().err
        assert written.count("delivery_refused") == 3
        assert written.count("asleep") == 1
        assert "canary" not in written
        assert "49155" not in written

    def test_a_refused_credential_is_challenged(self, receiver: Receiver) -> None:
        answer = receiver.post(X_OneTrust_Signature="sha256=" + "0" * 64)
        require_problem(answer, Code.CREDENTIAL_WRONG)
        assert answer.headers["WWW-Authenticate"] == 'Webhook realm="consent-connector"'


class TestConnectionTest:
    def test_a_genuine_caller_is_told_by_which_check(self, receiver: Receiver) -> None:
        answer = receiver.client.get(PATH, headers=receiver.signed(b""))
        assert (answer.status_code, answer.get_json()) == (
            200,
            {"ok": True, "source": "onetrust", "check": "signature"},
        )

    def test_nobody_else_is_told_anything(self, receiver: Receiver) -> None:
        answer = receiver.client.get(PATH)
        require_problem(answer, Code.CREDENTIAL_MISSING)
        assert "WWW-Authenticate" in answer.headers

    @pytest.mark.parametrize("path", ["/webhooks/nobody", "/webhooks/asleep"])
    def test_an_unknown_source_is_refused(self, receiver: Receiver, path: str) -> None:
        require_problem(receiver.client.get(path, headers=receiver.signed(b"")), Code.SOURCE_NOT_ALLOWED)

    def test_it_stores_nothing(self, receiver: Receiver) -> None:
        receiver.client.get(PATH, headers=receiver.signed(b""))
        assert sum(receiver.row_counts().values()) == 0

    def test_a_head_is_answered_like_a_get_without_its_body(self, receiver: Receiver) -> None:
        genuine = receiver.client.head(PATH, headers=receiver.signed(b""))
        assert (genuine.status_code, genuine.data) == (200, b"")
        assert receiver.client.head(PATH).status_code == 401


class TestOtherRequests:
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "BREW"])
    def test_another_method_is_told_which_ones_there_are(self, receiver: Receiver, method: str) -> None:
        answer = receiver.client.open(PATH, method=method)
        require_problem(answer, Code.METHOD_NOT_ALLOWED)
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}

    def test_options_tells_the_methods_and_nothing_else(self, receiver: Receiver) -> None:
        answer = receiver.client.options(PATH)
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/webhooks",
            "/webhooks/",
            f"{PATH}/",
            f"{PATH}/more",
            "/hooks/onetrust",
            "/health",
            "/webhooks//onetrust",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_another_address_is_a_404_not_a_redirect(self, receiver: Receiver, path: str, method: str) -> None:
        answer = receiver.client.open(environ_overrides={"PATH_INFO": path}, method=method)
        require_problem(answer, Code.ROUTE_UNKNOWN)
        assert answer.status_code == 404

    def test_static_files_are_not_served(self, receiver: Receiver) -> None:
        require_problem(receiver.client.get("/static/app.py"), Code.ROUTE_UNKNOWN)


class TestStoreTrouble:
    def test_a_store_that_is_locked_is_a_503_and_the_repeat_is_taken(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 30)
        with receiving(sqlite_url) as receiver:
            # Another program holds the file; our own writers would queue up.
            with Database(sqlite_url).engine.connect().execution_options(writes=True) as other, other.begin():
                refused = receiver.post()
                ready = receiver.client.get("/health/ready")
                live = receiver.client.get("/health/live")
            assert (refused.status_code, ready.status_code, live.status_code) == (503, 503, 200)
            require_problem(refused, Code.STORE_UNAVAILABLE)
            require_problem(ready, Code.STORE_UNAVAILABLE)
            assert int(refused.headers["Retry-After"]) > 0
            assert receiver.post().get_json()["duplicate"] is False

    def test_a_store_without_its_schema_is_a_503_that_names_the_command(self, sqlite_url: str) -> None:
        with receiving(sqlite_url, with_schema=False) as receiver:
            for answer in (receiver.post(), receiver.client.get("/health/ready")):
                said = require_problem(answer, Code.STORE_OUTDATED)
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0
                assert "connector db upgrade" in said["detail"]

    def test_a_file_that_is_no_store_is_a_503(self, sqlite_url: str, tmp_path: Path) -> None:
        (tmp_path / "store.db").write_bytes(b"this is no database" * 100)
        with receiving(sqlite_url, with_schema=False) as receiver:
            require_problem(receiver.post(), Code.STORE_UNAVAILABLE)
            require_problem(receiver.client.get("/health/ready"), Code.STORE_UNAVAILABLE)
            assert receiver.client.get("/health/live").get_json() == {"live": True}


def test_health_says_ready_when_a_delivery_could_be_stored(receiver: Receiver) -> None:
    answer = receiver.client.get("/health/ready")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True})


class TestDefects:
    def test_a_defect_is_a_500_that_shows_nothing_of_it(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("canary@example.com")

        monkeypatch.setattr(app_module, "receive", fail)
        answer = receiver.post()
        require_problem(answer, Code.INTERNAL_ERROR)
        log = capsys.readouterr().err
        assert "canary" not in answer.get_data(as_text=True) + log
        (record,) = [json.loads(line) for line in log.splitlines()]
        assert (record["action"], record["error_class"], record["source"]) == (
            "delivery_failed",
            "RuntimeError",
            "onetrust",
        )

    def test_an_error_that_has_no_status_of_its_own_is_a_500_and_an_error_in_the_log(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise IllegalMove("RequestState", "held", "completed")

        monkeypatch.setattr(app_module, "receive", fail)
        answer = receiver.post()
        assert answer.status_code == 500
        require_problem(answer, Code.ILLEGAL_MOVE)
        (record,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert (record["level"], record["code"], record["status"]) == ("error", "illegal_move", 500)

    def test_a_refusal_is_one_record_with_its_code(
        self, receiver: Receiver, capsys: pytest.CaptureFixture[str]
    ) -> None:
        receiver.post(b"{")
        (record,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert (record["action"], record["code"], record["status"]) == ("delivery_refused", "body_unreadable", 400)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_problem_document(code: Code) -> None:
    response = problem(code, "what was found")
    said = json.loads(response.get_data())
    entry = CATALOGUE[code]
    assert response.status_code == said["status"] == (entry.status or 500)
    assert said["title"] == entry.title
    assert said["detail"] == f"what was found. {entry.mend}"
    assert ("Retry-After" in response.headers) == (entry.status in {429, 503})
    assert ("WWW-Authenticate" in response.headers) == (entry.status == 401)
