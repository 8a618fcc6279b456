"""What is checked before a delivery is looked at, and in which order."""

from __future__ import annotations

import io

import pytest
from werkzeug.test import TestResponse

from tests.unit.web.conftest import PER_MINUTE
from tests.unit.web.receiver import GOOD, PATH, SUBTASK, Receiver

LIMIT = 2048


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, (answer.get_json(force=True) or {}).get("code", "")


def chunked(receiver: Receiver, body: bytes) -> TestResponse:
    """Send a body that comes in chunks, so that no length is told."""
    return receiver.client.post(
        PATH,
        input_stream=io.BytesIO(body),
        headers=receiver.signed(body),
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )


class TestOrder:
    """Each case is wrong in everything that comes later, too."""

    def test_an_unknown_source_is_refused_before_anything_else(self, receiver: Receiver) -> None:
        answer = receiver.client.post("/webhooks/nobody", data=b"x" * 9000, content_type="text/plain")
        assert code_of(answer) == (403, "source_not_allowed")

    def test_too_many_deliveries_come_before_the_body(self, receiver: Receiver) -> None:
        for _ in range(PER_MINUTE):
            receiver.client.get(PATH)
        answer = receiver.client.post(PATH, data=b"x" * 9000, content_type="text/plain")
        assert code_of(answer) == (429, "too_many_deliveries")

    def test_the_size_comes_before_the_content_type(self, receiver: Receiver) -> None:
        answer = receiver.client.post(PATH, data=b"x" * 9000, content_type="text/plain")
        assert code_of(answer) == (413, "body_too_large")

    def test_the_content_type_comes_before_the_credential(self, receiver: Receiver) -> None:
        answer = receiver.client.post(PATH, data=b"{", content_type="text/plain")
        assert code_of(answer) == (415, "unsupported_content_type")

    def test_the_credential_comes_before_the_content(self, receiver: Receiver) -> None:
        answer = receiver.client.post(PATH, data=b"{", content_type="application/json")
        assert code_of(answer) == (401, "credential_missing")

    def test_the_content_comes_last(self, receiver: Receiver) -> None:
        assert code_of(receiver.post(b"{")) == (400, "body_unreadable")
        assert sum(receiver.row_counts().values()) == 0


class TestSize:
    @pytest.mark.parametrize("send", [lambda receiver, body: receiver.post(body), chunked], ids=["length", "chunks"])
    def test_a_body_of_exactly_the_limit_is_taken(self, receiver: Receiver, send: object) -> None:
        assert callable(send)
        assert send(receiver, GOOD.ljust(LIMIT)).status_code == 202

    @pytest.mark.parametrize("send", [lambda receiver, body: receiver.post(body), chunked], ids=["length", "chunks"])
    def test_one_byte_more_is_refused(self, receiver: Receiver, send: object) -> None:
        assert callable(send)
        assert code_of(send(receiver, GOOD.ljust(LIMIT + 1))) == (413, "body_too_large")

    def test_a_body_that_breaks_off_is_refused(self, receiver: Receiver) -> None:
        answer = receiver.client.post(
            PATH,
            input_stream=io.BytesIO(GOOD[:20]),
            headers=receiver.signed(GOOD),
            environ_overrides={"CONTENT_LENGTH": str(len(GOOD))},
        )
        assert code_of(answer) == (400, "body_unreadable")
        assert sum(receiver.row_counts().values()) == 0

    @pytest.mark.parametrize("length", ["", "-1", "many", "1e3", "9" * 30])
    def test_a_length_that_is_no_length_is_no_way_around_the_limit(self, receiver: Receiver, length: str) -> None:
        answer = receiver.client.post(
            PATH,
            input_stream=io.BytesIO(GOOD.ljust(LIMIT + 1)),
            headers=receiver.signed(GOOD),
            environ_overrides={"CONTENT_LENGTH": length, "wsgi.input_terminated": True},
        )
        assert answer.status_code in {400, 401, 413}
        assert sum(receiver.row_counts().values()) == 0


class TestKind:
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/json; charset=utf-8",
            'Application/JSON;charset="UTF-8"',
            "application/json; v=1",
        ],
    )
    def test_json_in_utf_8_is_taken(self, receiver: Receiver, content_type: str) -> None:
        assert receiver.post(Content_Type=content_type).status_code == 202

    @pytest.mark.parametrize(
        "content_type",
        ["", "text/plain", "text/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", ";;;"],
    )
    def test_anything_else_is_refused(self, receiver: Receiver, content_type: str) -> None:
        assert code_of(receiver.post(Content_Type=content_type)) == (415, "unsupported_content_type")

    def test_a_body_that_says_it_is_not_encoded_is_taken(self, receiver: Receiver) -> None:
        assert receiver.post(Content_Encoding="Identity").status_code == 202

    @pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
    def test_an_encoded_body_is_refused(self, receiver: Receiver, encoding: str) -> None:
        assert code_of(receiver.post(Content_Encoding=encoding)) == (415, "unsupported_content_type")


class TestDeliveryLimit:
    def test_a_source_gets_a_minutes_worth_at_once_and_more_as_time_passes(self, receiver: Receiver) -> None:
        headers = receiver.signed(b"")
        assert {receiver.client.get(PATH, headers=headers).status_code for _ in range(PER_MINUTE)} == {200}
        refused = receiver.post()
        assert code_of(refused) == (429, "too_many_deliveries")
        assert int(refused.headers["Retry-After"]) > 0
        receiver.clock.advance(seconds=int(refused.headers["Retry-After"]))
        assert receiver.post().status_code == 202

    def test_what_is_refused_for_its_number_is_not_stored(self, receiver: Receiver) -> None:
        for _ in range(PER_MINUTE):
            receiver.client.get(PATH)
        receiver.post()
        assert sum(receiver.row_counts().values()) == 0

    def test_a_clock_that_is_set_back_does_not_shut_a_source_out(self, receiver: Receiver) -> None:
        assert receiver.post().status_code == 202
        receiver.clock.advance(hours=-1)
        assert receiver.post().status_code == 202

    def test_names_that_are_no_sources_cost_nothing(self, receiver: Receiver) -> None:
        for number in range(3 * PER_MINUTE):
            assert receiver.post(path=f"/webhooks/nobody-{number}").status_code == 403
        assert receiver.post().status_code == 202


def test_a_header_that_comes_twice_is_refused_not_chosen_from(receiver: Receiver) -> None:
    good = receiver.signed(GOOD)
    pairs = [*good.items(), ("X-OneTrust-Signature", "sha256=" + "0" * 64)]
    answer = receiver.client.post(PATH, data=GOOD, headers=pairs)
    assert answer.status_code == 401
    assert SUBTASK not in answer.get_data(as_text=True)
