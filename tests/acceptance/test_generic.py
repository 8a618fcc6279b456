"""The shipped descriptions through the front door: each vendor's delivery in, its answer and its report out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from connector.services.approvals import approve, preview
from connector.store.audit import Decision
from connector.store.tables import deliveries as delivery_table
from connector.store.tables import identities as identity_table
from tests.acceptance.described import SECRETS, SIGN, Described, described
from tests.acceptance.journey import ROOT

Start = Callable[..., Described]
FIXTURES = {
    "shopify": "shopify",
    "datagrail": "datagrail",
    "mineos": "mineos",
    "kertos": "kertos",
    "onetrust-consent": "consent",
    "standard-webhooks": "erasures",
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(example: str, *settings: str) -> Described:
            return stack.enter_context(described(example, f"sqlite:///{tmp_path / 'store.db'}", *settings))

        yield begin


def gone(life: Described) -> list[str]:
    """The addresses that Lytics was asked to delete."""
    return sorted(value for field, value in life.submitted() if field == "email")


class TestEveryExample:
    @pytest.mark.parametrize(
        ("example", "source", "fixture"),
        [
            ("shopify", "shopify", "shopify/customers_redact"),
            ("datagrail", "datagrail", "datagrail/deletion"),
            ("datagrail", "datagrail-drop", "datagrail/drop_deletion"),
            ("mineos", "mineos", "mineos/delete"),
            ("kertos", "kertos", "kertos/delete"),
            ("standard-webhooks", "erasures", "standard-webhooks/erasure_requested"),
        ],
    )
    def test_a_repeat_is_no_second_job_and_a_forgery_is_401(
        self, start: Start, example: str, source: str, fixture: str
    ) -> None:
        life = start(example)
        body = life.payload(fixture)
        assert life.post(source, body + b" ", life_of_another(life, source, body)).status_code == 401
        assert life.requests == []
        answers = [life.post(source, body) for _ in range(3)]
        assert {one.status_code // 100 for one in answers} == {2}
        assert len(life.requests) == 1
        life.run()
        assert [state for state, _ in life.states] == ["completed"]
        assert {one["times"] for one in life.lytics.snapshot()["times_submitted"]} == {1}
        assert {one.status_code // 100 for one in [life.post(source, body)]} == {2}
        life.run(4)
        assert len(life.requests) == 1
        assert {one["times"] for one in life.lytics.snapshot()["times_submitted"]} == {1}

    @pytest.mark.parametrize("example", sorted(FIXTURES))
    def test_the_example_says_which_variables_it_needs(self, example: str) -> None:
        text = (ROOT / f"config/{example}.example.toml").read_text(encoding="utf-8")
        listed = {line[6:].split()[0] for line in text.splitlines() if line.startswith("#     ") and "  " in line[6:]}
        named = {name for name in SECRETS if f'"env:{name}"' in text}
        assert listed == named

    @pytest.mark.parametrize("example", sorted(FIXTURES))
    def test_each_fixture_is_used_here(self, example: str) -> None:
        text = Path(__file__).read_text(encoding="utf-8")
        names = [one.stem for one in (ROOT / "tests/fixtures" / example).glob("*.json")]
        assert names
        assert [one for one in names if f'"{example}/{one}"' not in text] == []


def life_of_another(life: Described, source: str, body: bytes) -> dict[str, str]:
    """The credential that belongs to another body or, where none covers the body, to nobody."""
    if source == "kertos":
        return {"X-API-KEY": "guessed-key-0123456789"}
    return SIGN[source](body, int(life.clock.now().timestamp()))


class TestShopify:
    def test_a_customer_is_deleted_by_all_identities_and_nothing_is_reported(self, start: Start) -> None:
        life = start("shopify")
        life.lytics.seed("user", "email", "ana@example.com", phone="+12025550143", user_id="191167")
        answer = life.post("shopify", life.payload("shopify/customers_redact"), {"X-Shopify-Webhook-Id": "b-1"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert "Content-Type" not in answer.headers
        life.run()
        assert life.states == [("completed", "")]
        assert life.submitted() == {("email", "ana@example.com"), ("phone", "+12025550143"), ("user_id", "191167")}
        assert list(life.lytics.profiles) == []
        assert life.platform.calls == []
        assert life.report_states == [("IN_PROGRESS", "not_wanted"), ("COMPLETED", "not_wanted")]
        assert dict(life.requests[0].external) == {"shop_id": "954889"}

    def test_a_guest_without_a_telephone_is_deleted_too(self, start: Start) -> None:
        life = start("shopify")
        assert life.post("shopify", life.payload("shopify/customers_redact__guest")).status_code == 200
        life.run()
        assert life.submitted() == {("email", "guest@example.com"), ("user_id", "191168")}

    def test_a_whole_shop_is_held_for_a_person_and_deletes_nobody(self, start: Start) -> None:
        life = start("shopify")
        assert life.post("shopify", life.payload("shopify/shop_redact")).status_code == 200
        life.run()
        assert life.states == [("held", "nothing_mapped")]
        assert life.requests[0].due_at is not None
        assert life.submitted() == set()

    def test_an_access_request_is_rejected_whatever_its_unsigned_topic_says(self, start: Start) -> None:
        life = start("shopify")
        body = life.payload("shopify/customers_data_request")
        assert life.post("shopify", body, {"X-Shopify-Topic": "customers/redact"}).status_code == 200
        life.run()
        assert life.states == [("rejected", "not_an_erasure")]
        assert life.submitted() == set()

    def test_a_body_of_an_unknown_shape_is_refused(self, start: Start) -> None:
        life = start("shopify")
        answer = life.post("shopify", b'{"shop_id": 1, "customer": {"email": "ana@example.com"}}')
        assert (answer.status_code, answer.json()["code"]) == (422, "field_invalid")
        assert life.requests == []

    def test_the_same_body_under_another_delivery_id_is_the_same_request(self, start: Start) -> None:
        life = start("shopify")
        body = life.payload("shopify/customers_redact")
        for name in ("b-1", "b-2"):
            assert life.post("shopify", body, {"X-Shopify-Webhook-Id": name}).status_code == 200
        assert len(life.requests) == 1


class TestARequestIdInAHeader:
    HEADER = "sources.kertos.generic.request_id=header:X-Request-Id"

    def test_the_same_words_under_another_id_are_another_request(self, start: Start) -> None:
        life = start("kertos", self.HEADER)
        body = life.payload("kertos/delete")
        answers = [life.post("kertos", body, {"X-Request-Id": name}) for name in ("r-1", "r-2", "r-1")]
        assert {one.status_code // 100 for one in answers} == {2}
        assert sorted(row.request_key for row in life.requests) == ["request:r-1", "request:r-2"]
        owners = [row.request_id for row in life.rows(identity_table)]
        assert all(owners.count(row.id) == len(owners) // 2 > 0 for row in life.requests)
        assert len(life.rows(delivery_table)) == 2

    def test_an_event_that_names_another_request_is_refused_and_leaves_nothing(self, start: Start) -> None:
        life = start("kertos", self.HEADER, "sources.kertos.generic.event_id=header:X-Event-Id")
        body = life.payload("kertos/delete")
        assert life.post("kertos", body, {"X-Request-Id": "r-1", "X-Event-Id": "e"}).status_code // 100 == 2
        answer = life.post("kertos", body, {"X-Request-Id": "r-2", "X-Event-Id": "e"})
        assert (answer.status_code, answer.json()["code"]) == (409, "event_conflict")
        assert len(life.requests) == 1


class TestDataGrail:
    def test_a_deletion_is_carried_out_and_reported_to_its_callback(self, start: Start) -> None:
        life = start("datagrail")
        life.lytics.seed("user", "email", "ana@example.com")
        answer = life.post("datagrail", life.payload("datagrail/deletion"))
        assert (answer.status_code, answer.content) == (200, b"")
        life.run()
        assert gone(life) == ["ana.old@example.com", "ana@example.com"]
        ((method, path, headers, body),) = life.platform.calls
        assert (method, path) == ("POST", "/callback")
        assert "AUTHORIZATION" not in headers
        assert (body["webhook_request_id"], body["status"]) == ("0f2c1c8e-7f54-4a43-8ad4-65a1f9f1b001", "completed")
        assert "1 deleted, 1 not found" in body["message"]
        assert life.report_states == [("IN_PROGRESS", "not_wanted"), ("COMPLETED", "sent")]

    def test_a_health_check_is_answered_and_leaves_nothing(self, start: Start) -> None:
        life = start("datagrail")
        assert life.post("datagrail", life.payload("datagrail/health_check")).status_code == 200
        assert life.requests == []
        assert (
            life.post("datagrail", life.payload("datagrail/health_check"), {"X-Webhook-Signature": "AAAA"}).ok is False
        )

    def test_an_access_request_is_reported_as_rejected(self, start: Start) -> None:
        life = start("datagrail")
        life.post("datagrail", life.payload("datagrail/access"))
        life.run()
        assert life.states == [("rejected", "not_an_erasure")]
        assert [one["status"] for one in life.platform.bodies] == ["rejected"]
        assert life.submitted() == set()

    def test_a_drop_deletion_goes_by_the_kind_of_its_pointer(self, start: Start) -> None:
        life = start("datagrail")
        life.post("datagrail-drop", life.payload("datagrail/drop_deletion"))
        life.run()
        assert life.submitted() == {("user_id", "user-0035")}
        ((_, _, headers, body),) = life.platform.calls
        assert headers["AUTHORIZATION"] == f"Bearer {SECRETS['DATAGRAIL_API_KEY']}"
        assert body["ticket_uuid"] == "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
        assert body["drop_session_id"] == "f0e1d2c3-b4a5-4789-8fed-cba987654321"

    def test_a_pointer_of_an_unmapped_kind_is_held(self, start: Start) -> None:
        life = start("datagrail")
        life.post("datagrail-drop", life.payload("datagrail/drop_deletion__row"))
        life.run()
        assert life.states == [("held", "nothing_mapped")]
        assert life.submitted() == set()

    def test_a_callback_on_a_foreign_host_is_never_called(self, start: Start) -> None:
        life = start("datagrail", "outbound.rehearsal=false")
        life.post("datagrail", life.payload("datagrail/deletion"))
        life.run()
        assert life.platform.calls == []
        assert life.report_states == [("IN_PROGRESS", "not_wanted"), ("COMPLETED", "dead")]
        assert life.dossier().reports[-1].reason == "address_refused"


class TestConsentInOneTrust:
    def test_the_withdrawal_that_a_rule_names_deletes_once_a_person_has_approved(self, start: Start) -> None:
        life = start("onetrust-consent")
        body = life.payload("onetrust-consent/profile_updated")
        assert life.post("consent", body, {"X-Connector-Secret": "guessed-secret-0123456789"}).status_code == 401
        assert [life.post("consent", body).status_code for _ in range(2)] == [202, 202]
        life.run()
        assert (life.states, life.submitted()) == ([("queued", "")], set())
        account = life.site.accounts["main"]
        sources = {name: one.approval for name, one in life.site.sources.items()}
        with life.site.database.read() as connection:
            shown = preview(connection, account, 2, sources)
        approve(life.site.database, "main", shown.digest, Decision("operator", "ticket 4711", life.clock.now()))
        life.run()
        assert life.submitted() == {("email", "ana@example.com"), ("email", "ana.old@example.com")}
        assert [state for state, _ in life.states] == ["completed"]
        assert "MagicLink" not in json.dumps([tuple(map(str, row)) for row in life.requests])

    def test_a_withdrawal_from_another_purpose_is_answered_and_forgotten(self, start: Start) -> None:
        life = start("onetrust-consent")
        answer = life.post("consent", life.payload("onetrust-consent/profile_updated__another_purpose"))
        assert answer.status_code // 100 == 2
        life.run(2)
        assert (life.requests, life.submitted()) == ([], set())

    def test_a_primary_identifier_that_is_no_address_holds_the_request(self, start: Start) -> None:
        life = start("onetrust-consent", 'sources.consent.approval="never"')
        said = json.loads(life.payload("onetrust-consent/profile_updated"))
        said["payload"] |= {"dataSubjectEmail": "crm-4711"}
        assert life.post("consent", json.dumps(said).encode()).status_code == 202
        life.run()
        assert [state for state, _ in life.states] == ["held"]
        assert life.submitted() == set()


class TestMineOS:
    def test_a_deletion_is_reported_once_and_at_its_end_only(self, start: Start) -> None:
        life = start("mineos")
        life.lytics.seed("user", "email", "ana@example.com", user_id="u-1")
        answer = life.post("mineos", life.payload("mineos/delete"))
        assert (answer.status_code, answer.content) == (202, b"")
        life.run()
        assert life.submitted() == {("email", "ana@example.com"), ("user_id", "u-1")}
        ((method, path, headers, body),) = life.platform.calls
        assert (method, path) == ("POST", "/path/of/update-custom-integration-status")
        assert headers["AUTHORIZATION"] == f"Bearer {SECRETS['MINEOS_API_TOKEN']}"
        assert "3 identities received, 2 mapped to 2 Lytics fields" in body.pop("message")
        assert body == {
            "integrationId": "0c36xnykgewwbzfukh1jkq",
            "traceId": "123456789abcdefghijklm",
            "status": "Completed",
        }
        life.run(4)
        assert len(life.platform.calls) == 1

    def test_a_test_call_is_answered_as_done_and_leaves_nothing(self, start: Start) -> None:
        life = start("mineos")
        answer = life.post("mineos", life.payload("mineos/delete__test"))
        assert (answer.status_code, answer.content) == (200, b"")
        life.run(3)
        assert (life.requests, life.submitted(), life.platform.calls) == ([], set(), [])

    def test_an_unknown_custom_field_holds_the_request(self, start: Start) -> None:
        life = start("mineos")
        life.post("mineos", life.payload("mineos/delete__unknown_field"))
        life.run(4)
        assert life.states == [("held", "unmapped_identity")]
        assert (life.submitted(), life.platform.calls) == (set(), [])

    def test_an_older_integration_is_understood(self, start: Start) -> None:
        life = start("mineos")
        assert life.post("mineos", life.payload("mineos/delete__older_integration")).status_code == 202
        life.run()
        assert gone(life) == ["ana@example.com"]
        assert life.platform.bodies[0]["traceId"] == "123456789abcdefghijklp"
        assert "integrationId" not in life.platform.bodies[0]

    def test_another_type_is_rejected(self, start: Start) -> None:
        life = start("mineos")
        life.post("mineos", life.payload("mineos/get"))
        life.run(4)
        assert life.states == [("rejected", "not_an_erasure")]
        assert [one["status"] for one in life.platform.bodies] == ["Failed"]

    def test_a_second_update_that_mineos_refuses_is_no_failure(self, start: Start) -> None:
        life = start("mineos")
        life.platform.statuses = [503, 409]
        life.post("mineos", life.payload("mineos/delete"))
        life.run(16)
        assert len(life.platform.calls) == 2
        assert life.report_states[-1] == ("COMPLETED", "conflict")


class TestKertos:
    def test_a_deletion_is_taken_by_its_status_alone(self, start: Start) -> None:
        life = start("kertos")
        life.lytics.seed("user", "email", "ana@example.com")
        answer = life.post("kertos", life.payload("kertos/delete"))
        assert (answer.status_code, answer.content) == (202, b"")
        life.run()
        assert (life.states, gone(life)) == ([("completed", "")], ["ana@example.com"])
        assert [state for _, state in life.report_states] == ["not_wanted", "not_wanted"]

    def test_reading_deletes_nobody(self, start: Start) -> None:
        life = start("kertos")
        assert life.post("kertos", life.payload("kertos/read")).status_code == 202
        life.run(3)
        assert (life.states, life.submitted()) == ([("rejected", "not_an_erasure")], set())

    def test_what_is_no_address_is_held(self, start: Start) -> None:
        life = start("kertos")
        life.post("kertos", life.payload("kertos/delete__no_address"))
        life.run(3)
        assert (life.states, life.submitted()) == ([("held", "rejected_identity")], set())


class TestStandardWebhooks:
    def test_the_answer_repeats_the_senders_id_and_progress_is_reported_too(self, start: Start) -> None:
        life = start("standard-webhooks")
        body = life.payload("standard-webhooks/erasure_requested")
        answer, again = life.post("erasures", body), life.post("erasures", body)
        (row,) = life.requests
        assert answer.status_code == 202
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == {"request_id": "req-17", "job_id": row.id, "duplicate": False}
        assert again.json() == {"request_id": "req-17", "job_id": row.id, "duplicate": True}
        assert (row.due_at.isoformat(), row.country) == ("2026-11-30T00:00:00+00:00", "DE")
        life.run()
        assert [one["state"] for one in life.platform.bodies] == ["accepted", "erased"]
        assert {one["request_id"] for one in life.platform.bodies} == {"req-17"}
        assert all(one["at"].startswith("2026-11-02T") for one in life.platform.bodies)

    def test_a_test_request_is_rejected_and_deletes_nobody(self, start: Start) -> None:
        life = start("standard-webhooks")
        assert life.post("erasures", life.payload("standard-webhooks/erasure_requested__test")).status_code == 202
        life.run(4)
        assert (life.states, life.submitted()) == ([("rejected", "test_request")], set())
        assert [one["state"] for one in life.platform.bodies] == ["rejected"]

    def test_an_event_about_something_else_is_answered_and_leaves_nothing(self, start: Start) -> None:
        life = start("standard-webhooks")
        answer = life.post("erasures", life.payload("standard-webhooks/newsletter_confirmed"))
        assert (answer.status_code, answer.json()) == (202, {})
        assert life.requests == []

    def test_the_address_of_the_callback_is_shown_to_nobody(self, start: Start) -> None:
        life = start("standard-webhooks")
        life.post("erasures", life.payload("standard-webhooks/erasure_requested"))
        life.run()
        shown = json.dumps([dict(one.external) for one in life.requests]) + repr(life.dossier())
        assert life.callback_url not in shown
        assert "ana@example.com" not in shown


class TestOneIdForSeveralThings:
    """An id by which a platform asks for an erasure, and for something that nothing is deleted for."""

    ERASURE = ("privacy.erasure.requested", False)

    @pytest.mark.parametrize("other", [("privacy.access.requested", False), ("privacy.erasure.requested", True)])
    @pytest.mark.parametrize("erasure_first", [True, False])
    def test_what_is_no_erasure_neither_joins_one_nor_stands_in_its_way(
        self, start: Start, other: tuple[str, bool], erasure_first: bool
    ) -> None:
        life = start("standard-webhooks")
        sent = {self.ERASURE: "ana@example.com", other: "bob@example.com"}
        for kind, test in (self.ERASURE, other) if erasure_first else (other, self.ERASURE):
            said = json.loads(life.payload("standard-webhooks/erasure_requested"))
            said["type"] = kind
            said["data"] |= {"test": test, "user": {"emails": [sent[kind, test]]}}
            answer = life.post("erasures", json.dumps(said).encode())
            assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
        life.run()
        assert sorted(state for state, _ in life.states) == ["completed", "rejected"]
        assert gone(life) == ["ana@example.com"]
