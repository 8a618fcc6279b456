"""`/oauth/token` of the receiver as it is wired: who is given a token, what it opens, and what nobody is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from connector.codes import Code
from connector.errors import Temporary
from connector.store import keys
from connector.store.database import Database
from tests.unit.web.receiver import GOOD, PATH, Receiver, receiving

CLIENT = "onetrust-workflow"
SECRET = "canary-client-secret-41ce"
OLD_SECRET = "canary-ended-secret-07ab"
SIGNING_KEY = "canary-signing-key-of-good-length-99"
FORM = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
PER_MINUTE = 30


def check(folder: Path, **changes: str) -> str:
    """Return the check as an override, its secrets in files."""
    for name, text in (("client", SECRET), ("ended", OLD_SECRET), ("signing", SIGNING_KEY)):
        (folder / name).write_text(text, encoding="utf-8")
    written = {
        "check": '"issued-token"',
        "client_id": f'"{CLIENT}"',
        "audience": '"https://connector.example.com/webhooks/onetrust"',
        "secrets": f'["file:{folder}/client", {{ref="file:{folder}/ended", not_after="2026-10-31T00:00:00Z"}}]',
        "signing_keys": f'["file:{folder}/signing"]',
    } | changes
    return "{" + ", ".join(f"{name}={value}" for name, value in written.items()) + "}"


@pytest.fixture
def receiver(sqlite_url: str, tmp_path: Path) -> Iterator[Receiver]:
    settings = (
        f"sources.onetrust.verify=[{check(tmp_path)}]",
        f"server.max_token_requests_per_minute={PER_MINUTE}",
    )
    with receiving(sqlite_url, *settings) as made:
        yield made


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def ask(receiver: Receiver, path: str = "/oauth/token", form: Any = FORM, **headers: str) -> TestResponse:
    answer = receiver.client.post(path, data=form, headers=headers)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "application/json"
    for secret in (SECRET, OLD_SECRET, SIGNING_KEY):
        assert secret not in answer.get_data(as_text=True)
    return answer


def deliver(receiver: Receiver, token: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return receiver.client.post(PATH, data=GOOD, headers=headers)


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    text = capsys.readouterr().err
    assert "canary" not in text
    return [json.loads(line) for line in text.splitlines()]


class TestGranted:
    def test_a_token_opens_its_source(self, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
        answer = ask(receiver)
        said = answer.get_json()
        assert (answer.status_code, said["token_type"], said["expires_in"], said["scope"]) == (
            200,
            "Bearer",
            600,
            "deliver",
        )
        assert deliver(receiver, said["access_token"]).status_code == 202
        granted, accepted = records(capsys)
        assert (granted["action"], granted["source"]) == ("token_granted", "onetrust")
        assert granted["secret_id"].endswith("/client")
        assert accepted["action"] == "delivery_accepted"
        assert [one.rpartition("/")[2] for one in accepted["secret_id"].split(" + ")] == ["client", "signing"]

    def test_a_connection_test_passes_with_it(self, receiver: Receiver) -> None:
        token = ask(receiver).get_json()["access_token"]
        answer = receiver.client.get(PATH, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.get_json()["check"]) == (200, "issued-token")

    def test_credentials_may_stand_in_basic(self, receiver: Receiver) -> None:
        form = {"grant_type": "client_credentials", "scope": "deliver"}
        assert ask(receiver, form=form, Authorization=basic(CLIENT, SECRET)).status_code == 200

    def test_every_token_is_another_one(self, receiver: Receiver) -> None:
        assert ask(receiver).get_json()["access_token"] != ask(receiver).get_json()["access_token"]

    def test_a_token_ends(self, receiver: Receiver) -> None:
        token = ask(receiver).get_json()["access_token"]
        receiver.clock.advance(seconds=661)
        assert deliver(receiver, token).get_json(force=True)["code"] == Code.TIMESTAMP_TOO_OLD

    def test_the_use_of_a_secret_is_noted(self, receiver: Receiver) -> None:
        ask(receiver)
        ask(receiver, form=FORM | {"client_secret": OLD_SECRET})
        with receiver.site.database.read() as connection:
            used = {row.secret_id.rpartition("/")[2] for row in keys.uses(connection)}
        # One that has ended, too: its sender has still to be changed.
        assert used == {"client", "ended"}


BAD: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a wrong secret": (FORM | {"client_secret": "not-the-secret-at-all"}, {}),
    "an unknown client": (FORM | {"client_id": "nobody-here"}, {}),
    "an unknown client with the secret": (FORM | {"client_id": "other"}, {}),
    "the client that we compare with": (
        FORM | {"client_id": "nobody", "client_secret": "no client shows this secret"},
        {},
    ),
    "a secret that has ended": (FORM | {"client_secret": OLD_SECRET}, {}),
    "the signing key": (FORM | {"client_secret": SIGNING_KEY}, {}),
    "no credentials": ({"grant_type": "client_credentials"}, {}),
    "no secret": (FORM | {"client_secret": ""}, {}),
    "a secret longer by one character": (FORM | {"client_secret": SECRET + "x"}, {}),
    "a lone surrogate": (FORM | {"client_secret": "\ufffd" * 20}, {}),
    "Basic with a wrong secret": ({"grant_type": "client_credentials"}, {"Authorization": basic(CLIENT, "wrong")}),
    "Basic that cannot be read": ({"grant_type": "client_credentials"}, {"Authorization": "Basic ?"}),
    "a wrong secret and a wrong grant": (FORM | {"client_secret": "wrong", "grant_type": "password"}, {}),
}


class TestRefused:
    def test_all_bad_credentials_get_the_same_answer(self, receiver: Receiver) -> None:
        answers = [ask(receiver, form=form, **headers) for form, headers in BAD.values()]
        assert {(one.status_code, one.data, tuple(one.headers)) for one in answers} == {
            (401, b'{"error": "invalid_client"}', tuple(answers[0].headers))
        }
        assert answers[0].headers["WWW-Authenticate"].startswith("Basic ")
        assert not receiver.row_counts()["deliveries"]

    def test_the_log_says_why_and_not_what_was_shown(
        self, receiver: Receiver, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for what in ("a wrong secret", "an unknown client", "a secret that has ended", "no credentials"):
            form, headers = BAD[what]
            ask(receiver, form=form, **headers)
        told = records(capsys)
        assert {one["action"] for one in told} == {"token_refused"}
        assert [one["code"] for one in told] == [
            "credential_wrong",
            "credential_wrong",
            "credential_expired",
            "credential_missing",
        ]
        assert told[2]["secret_id"].endswith("/ended")

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
            ({"grant_type": ""}, "invalid_request"),
            ({"scope": "admin"}, "invalid_scope"),
            ({"scope": "deliver admin"}, "invalid_scope"),
        ],
    )
    def test_a_genuine_client_is_told_what_is_wrong(
        self, receiver: Receiver, changes: dict[str, str], error: str
    ) -> None:
        answer = ask(receiver, form=FORM | changes)
        said = answer.get_json()
        assert (answer.status_code, said["error"]) == (400, error)
        # RFC 6749 section 5.2: which characters a description may hold.
        assert all(" " <= one <= "~" and one not in '"\\' for one in said["error_description"])

    def test_secrets_do_not_belong_into_the_address(self, receiver: Receiver) -> None:
        path = f"/oauth/token?client_id={CLIENT}&client_secret={SECRET}"
        answer = ask(receiver, path, {"grant_type": "client_credentials"})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (json.dumps(FORM), "application/json", 415),
            ("grant_type=client_credentials", "", 415),
            ("grant_type=client_credentials", "application/x-www-form-urlencoded; charset=utf-16", 415),
            ("x=" + "y" * 8_191, "application/x-www-form-urlencoded", 413),
        ],
    )
    def test_size_and_kind_are_looked_at_first(
        self, receiver: Receiver, body: str, content_type: str, status: int
    ) -> None:
        answer = ask(receiver, form=body.encode(), Content_Type=content_type)
        assert (answer.status_code, answer.get_json()["error"]) == (status, "invalid_request")

    def test_a_multipart_form_is_none(self, receiver: Receiver) -> None:
        answer = receiver.client.post("/oauth/token", data=FORM, content_type="multipart/form-data")
        assert answer.status_code == 415

    def test_another_method_is_refused(self, receiver: Receiver) -> None:
        answer = receiver.client.get("/oauth/token")
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})

    def test_a_client_that_asks_too_often_has_to_wait(
        self, receiver: Receiver, capsys: pytest.CaptureFixture[str]
    ) -> None:
        statuses = [ask(receiver).status_code for _ in range(PER_MINUTE + 1)]
        assert statuses == [200] * PER_MINUTE + [429]
        assert records(capsys)[-1]["code"] == "too_many_token_requests"
        answer = ask(receiver)
        assert (answer.get_json(), answer.headers["Retry-After"]) == ({"error": "temporarily_unavailable"}, "30")
        # Others are not kept waiting by that.
        assert ask(receiver, form=FORM | {"client_id": "somebody-else"}).status_code == 401
        receiver.clock.advance(seconds=61)
        assert ask(receiver).status_code == 200

    def test_guesses_are_limited_for_names_that_are_known_and_made_up_alike(self, receiver: Receiver) -> None:
        for name in (CLIENT, "made-up"):
            form = FORM | {"client_id": name, "client_secret": "a-guess-of-good-length"}
            assert [ask(receiver, form=form).status_code for _ in range(PER_MINUTE + 1)] == [401] * PER_MINUTE + [429]

    def test_a_store_that_cannot_be_written_is_no_fault_of_the_client(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(self: Database) -> Any:
            raise Temporary(Code.STORE_UNAVAILABLE)

        monkeypatch.setattr(Database, "write", full)
        answer = ask(receiver)
        assert (answer.status_code, answer.get_json()) == (503, {"error": "temporarily_unavailable"})
        assert answer.headers["Retry-After"] == "30"


def test_of_two_readings_of_basic_one_that_counts_is_enough(sqlite_url: str, tmp_path: Path) -> None:
    """What reads as an ended secret as it stands may be the live one with its escapes undone."""
    written = check(tmp_path)
    (tmp_path / "ended").write_text("canary%2Bsecret-of-a-client", encoding="utf-8")
    (tmp_path / "client").write_text("canary+secret-of-a-client", encoding="utf-8")
    with receiving(sqlite_url, f"sources.onetrust.verify=[{written}]") as made:
        headers = {"Authorization": basic(CLIENT, "canary%2Bsecret-of-a-client")}
        answer = made.client.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=headers)
        assert answer.status_code == 200


def test_without_a_client_there_is_no_such_address(sqlite_url: str) -> None:
    with receiving(sqlite_url) as plain:
        assert plain.client.post("/oauth/token", data=FORM).status_code == 404


def test_a_source_that_is_switched_off_has_no_clients(sqlite_url: str, tmp_path: Path) -> None:
    settings = (f"sources.onetrust.verify=[{check(tmp_path)}]", "sources.onetrust.enabled=false")
    with receiving(sqlite_url, *settings) as asleep:
        assert asleep.client.post("/oauth/token", data=FORM).status_code == 404


def test_a_client_may_be_one_of_several_ways_in(sqlite_url: str, tmp_path: Path) -> None:
    """A sender that moves from a fixed secret to tokens."""
    (tmp_path / "fixed").write_text("canary-fixed-secret-of-good-length", encoding="utf-8")
    header = f'{{check="header", name="X-Connector-Secret", secrets=["file:{tmp_path}/fixed"]}}'
    either = f'{{check="any_of", checks=[{check(tmp_path)}, {header}]}}'
    with receiving(sqlite_url, f"sources.onetrust.verify=[{either}]") as moving:
        assert deliver(moving, ask(moving).get_json()["access_token"]).status_code == 202
