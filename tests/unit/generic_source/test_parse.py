"""What a described platform's deliveries are read as, and how they are refused."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import String

from connector.codes import Code
from connector.dialect.description import DeadlineUnit, Description, IdentityPlace, PayloadKind
from connector.dialect.place import Place
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Call, Purpose
from connector.sources.generic.parse import GenericSource
from connector.store.tables import requests

EMAIL = IdentityPlace("email", Place("user.email"))
BASE = Description(identities=(EMAIL,), request_id=Place("id"))
GOOD = {"id": "r-1", "user": {"email": "ana@example.com"}}


def described(**changes: Any) -> Description:
    """Texts become places; everything else stays as it is."""
    places = {name: Place(one) if type(one) is str else one for name, one in changes.items()}
    return dataclasses.replace(BASE, **places)


def read(payload: Any, headers: tuple[tuple[str, str], ...] = (), /, **changes: Any) -> Call:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return GenericSource(described(**changes)).parse(body, Inbound("POST", "", headers, body))


def refusal(payload: Any, headers: tuple[tuple[str, str], ...] = (), /, **changes: Any) -> tuple[Code, str]:
    with pytest.raises(Rejected) as caught:
        read(payload, headers, **changes)
    assert caught.value.__context__ is None
    return caught.value.code, caught.value.detail


def values(call: Call) -> list[tuple[str, str]]:
    return [(one.kind, one.value.reveal()) for one in call.identities]


class TestRequest:
    def test_everything_that_is_described_is_read(self) -> None:
        call = read(
            {
                **GOOD,
                "event": 7,
                "type": "erase",
                "due": "2026-12-01T11:00:00Z",
                "land": "de",
                "test": "true",
                "callback": "https://callbacks.example.com/1",
                "ticket": 4711,
                "nobody": "reads this",
            },
            event_id="event",
            request_type="type",
            deadline="due",
            country="land",
            test="test",
            callback_url="/callback",
            kept={"ticket": Place("ticket"), "absent": Place("absent")},
        )
        assert (call.request_key, call.event_id) == ("request:r-1", "7")
        assert call.external == {"request_id": "r-1", "ticket": "4711"}
        assert (call.request_types, call.country, call.is_test) == (("erase",), "DE", True)
        assert call.due_at == datetime(2026, 12, 1, 11, tzinfo=UTC)
        assert call.callback_url is not None
        assert call.callback_url.reveal() == "https://callbacks.example.com/1"
        assert call.purpose is Purpose.REQUEST
        assert values(call) == [("email", "ana@example.com")]

    def test_what_is_not_described_says_nothing(self) -> None:
        call = read(GOOD)
        assert (call.event_id, call.request_types, call.due_at, call.country) == (None, (), None, None)
        assert (call.is_test, call.callback_url) == (False, None)

    def test_without_a_place_for_its_id_a_request_has_none(self) -> None:
        call = read(GOOD, request_id=None)
        assert (call.request_key, call.external) == ("", {})

    def test_the_id_may_stand_in_a_header(self) -> None:
        assert read(GOOD, (("X-Id", "h-1"),), request_id="header:X-Id").request_key == "request:h-1"
        assert refusal(GOOD, request_id="header:X-Id")[0] is Code.REQUEST_ID_MISSING

    @pytest.mark.parametrize("nothing", [None, "", "  ", "null", "undefined", False, [], {}])
    def test_an_id_that_says_nothing_is_missing(self, nothing: object) -> None:
        assert refusal({**GOOD, "id": nothing})[0] is Code.REQUEST_ID_MISSING
        assert read({**GOOD, "event": nothing}, event_id="event").event_id is None

    @pytest.mark.parametrize("wrong", [True, 1.5, ["r-1"], {"a": 1}, "x" * 161, "a\nb", "${id}"])
    def test_an_id_of_the_wrong_kind_is_refused(self, wrong: object) -> None:
        code, detail = refusal({**GOOD, "id": wrong})
        assert code in {Code.FIELD_INVALID, Code.TEMPLATE_UNRENDERED}
        assert detail.startswith("request_id")

    def test_the_longest_key_of_a_request_fits_the_column_that_holds_it(self) -> None:
        column = requests.c.request_key.type
        assert isinstance(column, String)
        assert column.length is not None
        assert len(read({**GOOD, "id": "x" * 160}).request_key) <= column.length


class TestType:
    def test_a_list_gives_several(self) -> None:
        assert read({**GOOD, "t": ["access", "erase", "access"]}, request_type="t").request_types == ("access", "erase")

    def test_a_comma_is_part_of_a_type(self) -> None:
        assert read({**GOOD, "t": "erase, all"}, request_type="t").request_types == ("erase, all",)

    @pytest.mark.parametrize("nothing", [None, "", [], [None], False])
    def test_a_request_without_its_type_is_refused(self, nothing: object) -> None:
        assert refusal({**GOOD, "t": nothing}, request_type="t") == (
            Code.FIELD_INVALID,
            "type must be given: only a known type says that this is an erasure",
        )


class TestIdentities:
    def test_a_list_gives_several_and_empty_entries_none(self) -> None:
        call = read({"id": "r", "user": {"email": ["a@example.com", "", None, "b@example.com", "a@example.com"]}})
        assert values(call) == [("email", "a@example.com"), ("email", "b@example.com")]

    def test_numbers_are_taken_as_text(self) -> None:
        assert values(read({"id": "r", "user": {"email": 191167}})) == [("email", "191167")]

    @pytest.mark.parametrize("nothing", [None, "", "null", [], {}, [None, ""], False])
    def test_nothing_gives_none_and_a_request_without_any_is_refused_unless_it_may_be_held(
        self, nothing: object
    ) -> None:
        payload = {"id": "r", "user": {"email": nothing}}
        assert refusal(payload)[0] is Code.IDENTITY_MISSING
        assert read(payload, require_identity=False).identities == ()

    @pytest.mark.parametrize("wrong", [True, 1.5, {"a": 1}, [["a@example.com"]], [{"v": 1}], [True], "x" * 4097])
    def test_a_value_of_the_wrong_kind_is_refused(self, wrong: object) -> None:
        code, detail = refusal({"id": "r", "user": {"email": wrong}})
        assert (code, detail.partition(" ")[0]) == (Code.FIELD_INVALID, "identities[0]")

    def test_a_condition_that_does_not_hold_gives_none(self) -> None:
        places = tuple(IdentityPlace(kind, Place(f"kind == '{kind}' && value")) for kind in ("email", "phone"))
        call = read({"id": "r", "kind": "phone", "value": "+12025550143"}, identities=places)
        assert values(call) == [("phone", "+12025550143")]

    def test_members_of_an_object_are_identities_by_their_label(self) -> None:
        call = read(
            {**GOOD, "fields": {"Loyalty ID": "L-1", "Old": ["a", "b"], "empty": "", "none": None}},
            identities_by_label="fields",
        )
        assert values(call) == [("email", "ana@example.com"), ("Loyalty ID", "L-1"), ("Old", "a"), ("Old", "b")]

    def test_a_kind_is_the_same_in_any_case(self) -> None:
        call = read({**GOOD, "fields": {"EMAIL": "ana@example.com"}}, identities_by_label="fields")
        assert values(call) == [("email", "ana@example.com")]

    @pytest.mark.parametrize(
        "fields", ["text", 5, ["a"], True, {"": "x"}, {"x" * 101: "y"}, {"a": {"b": 1}}, {"a": True}]
    )
    def test_labelled_identities_of_another_shape_are_refused(self, fields: object) -> None:
        assert refusal({**GOOD, "fields": fields}, identities_by_label="fields")[0] is Code.FIELD_INVALID

    def test_a_label_is_never_repeated_because_it_may_be_a_value_on_the_wrong_side(self) -> None:
        _, detail = refusal({**GOOD, "fields": {"canary@example.com": {"a": 1}}}, identities_by_label="fields")
        assert "canary" not in detail

    def test_more_than_a_hundred_are_refused(self) -> None:
        hundred = [f"{number}@example.com" for number in range(100)]
        assert len(read({"id": "r", "user": {"email": hundred}}).identities) == 100
        assert refusal({"id": "r", "user": {"email": [*hundred, "one@example.com"]}})[0] is Code.FIELD_INVALID


class TestDeadline:
    @pytest.mark.parametrize(
        ("unit", "given"),
        [
            (DeadlineUnit.ISO8601, "2026-12-01T12:00:00+01:00"),
            (DeadlineUnit.UNIX_SECONDS, 1796122800),
            (DeadlineUnit.UNIX_SECONDS, "1796122800"),
            (DeadlineUnit.UNIX_MILLISECONDS, 1796122800000),
        ],
    )
    def test_each_unit_is_read(self, unit: DeadlineUnit, given: object) -> None:
        call = read({**GOOD, "due": given}, deadline="due", deadline_unit=unit)
        assert call.due_at == datetime(2026, 12, 1, 11, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("unit", "given"),
        [
            (DeadlineUnit.ISO8601, "2026-12-01"),
            (DeadlineUnit.ISO8601, 1796122800),
            (DeadlineUnit.UNIX_SECONDS, 1796122800000),
            (DeadlineUnit.UNIX_MILLISECONDS, 1796122800),
            (DeadlineUnit.UNIX_SECONDS, -1),
            (DeadlineUnit.UNIX_SECONDS, 1.5),
            (DeadlineUnit.UNIX_SECONDS, "9" * 40),
            (DeadlineUnit.UNIX_SECONDS, "٣"),
        ],
    )
    def test_another_unit_is_refused(self, unit: DeadlineUnit, given: object) -> None:
        assert refusal({**GOOD, "due": given}, deadline="due", deadline_unit=unit)[0] is Code.FIELD_INVALID


class TestPurpose:
    def test_a_ping_needs_none_of_what_a_request_needs(self) -> None:
        call = read(
            {"event": "ping", "challenge": "c-1"}, ping="event == 'ping'", kept={"challenge": Place("challenge")}
        )
        assert (call.purpose, call.identities, call.request_key) == (Purpose.PING, (), "")
        assert call.external == {"challenge": "c-1"}

    def test_other_events_are_told_apart(self) -> None:
        assert read({"type": "consent.given"}, when="starts_with(type, 'privacy.')").purpose is Purpose.OTHER
        assert read({**GOOD, "type": "privacy.x"}, when="starts_with(type, 'privacy.')").purpose is Purpose.REQUEST

    @pytest.mark.parametrize(("given", "ping"), [(True, True), ("true", True), ("false", False), (False, False)])
    def test_truth_may_be_written_as_text(self, given: object, ping: bool) -> None:
        assert (read({**GOOD, "test": given}, ping="test").purpose is Purpose.PING) is ping

    @pytest.mark.parametrize("nothing", [None, "", " ", "null", "undefined", [], {}])
    def test_what_says_nothing_is_no_ping(self, nothing: object) -> None:
        assert read({**GOOD, "test": nothing}, ping="test").purpose is Purpose.REQUEST

    @pytest.mark.parametrize("given", [0, 1, "0", "1", "no", "yes", 0.0, [0], {"a": 1}])
    def test_what_is_neither_true_nor_false_is_refused_because_a_ping_is_never_carried_out(self, given: object) -> None:
        code, detail = refusal({**GOOD, "test": given}, ping="test")
        assert code is Code.FIELD_INVALID
        assert detail.startswith("ping must be")

    @pytest.mark.parametrize(
        ("found", "true"),
        [
            *((one, False) for one in (None, False, "", " ", "null", "undefined", "false", "FALSE", [], {})),
            *((one, True) for one in (True, "true", "x", 0, 1, [0], {"a": 1})),
        ],
    )
    def test_a_condition_is_true_as_jmespath_has_it_except_for_texts_that_say_nothing_or_false(
        self, found: object, true: bool
    ) -> None:
        assert (read({**GOOD, "found": found}, when="found").purpose is Purpose.REQUEST) is true


class TestPayload:
    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            (b"", Code.BODY_UNREADABLE),
            (b"{", Code.BODY_UNREADABLE),
            (b"\xff", Code.BODY_UNREADABLE),
            (b"[]", Code.BODY_NOT_AN_OBJECT),
            (b'{"id": 1, "id": 2}', Code.BODY_DUPLICATE_KEY),
            (b'{"id": NaN}', Code.BODY_UNREADABLE),
            (b'{"id":' * 100_000, Code.BODY_UNREADABLE),
        ],
    )
    def test_what_is_no_json_object_is_refused(self, payload: bytes, code: Code) -> None:
        assert refusal(payload)[0] is code

    def test_a_form_is_read_as_an_object(self) -> None:
        places = (IdentityPlace("email", Place("email")),)
        call = read(
            b"id=r%201&email=a%40example.com&email=b%2Bc%40example.com&empty=",
            payload=PayloadKind.FORM,
            identities=places,
        )
        assert call.request_key == "request:r 1"
        assert values(call) == [("email", "a@example.com"), ("email", "b+c@example.com")]

    def test_an_id_that_comes_twice_in_a_form_is_refused(self) -> None:
        places = (IdentityPlace("email", Place("email")),)
        payload = b"id=1&id=2&email=a%40example.com"
        assert refusal(payload, payload=PayloadKind.FORM, identities=places)[0] is Code.FIELD_INVALID

    @pytest.mark.parametrize("payload", [b"id=%ff&a=b", b"\xff=1", b"&".join([b"a=1"] * 1001)])
    def test_a_form_that_cannot_be_read_is_refused(self, payload: bytes) -> None:
        assert refusal(payload, payload=PayloadKind.FORM)[0] is Code.BODY_UNREADABLE


class TestDescription:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"request_id": "user.email"}, "request_id reads what identities[0].at reads"),
            ({"request_id": "/user/email"}, "request_id reads what identities[0].at reads"),
            ({"request_id": "to_string(user)"}, "request_id reads what identities[0].at reads"),
            ({"event_id": "user.email || id"}, "event_id reads what identities[0].at reads"),
            ({"kept": {"who": Place("user.email")}}, "keep.who reads what identities[0].at reads"),
            (
                {"request_id": "fields.ticket", "identities_by_label": "fields"},
                "request_id reads what identities_by_label reads",
            ),
            ({"request_id": "'always'"}, "request_id says the same of every delivery"),
            ({"request_type": "header:X-Topic"}, "type: only request_id and event_id may stand in a header"),
            ({"identities": (IdentityPlace("email", Place("header:X-Mail")),)}, "identities[0].at: only request_id"),
            ({"identities": (IdentityPlace("email", Place("'x'")),)}, "identities[0].at says the same of every"),
            ({"request_id": "id || 'none'"}, "request_id has a fixed value for what says nothing"),
            ({"event_id": "not_null(event, `0`)"}, "event_id has a fixed value for what says nothing"),
            (
                {"identities": (IdentityPlace("email", Place("user.email || 'nobody@example.com'")),)},
                "identities[0].at has a fixed value for what says nothing",
            ),
            ({"request_id": "[id, 'x'][1]"}, "request_id has a fixed value for what says nothing"),
            ({"request_id": "join('-', ['x', id || ''])"}, "request_id has a fixed value for what says nothing"),
            (
                {"identities": (IdentityPlace("email", Place("[user.email, 'nobody@example.com']")),)},
                "identities[0].at has a fixed value for what says nothing",
            ),
            ({"request_type": "'erasure'"}, "type says the same of every delivery"),
            ({"request_type": "kind || 'erasure'"}, "type has a fixed value for what says nothing"),
            ({"request_type": "not_null(kind, 'erasure')"}, "type has a fixed value for what says nothing"),
            ({"request_type": "kind != 'access' && 'erasure'"}, "type has a fixed value for what says nothing"),
            ({"request_type": "[kind, 'erasure']"}, "type has a fixed value for what says nothing"),
            ({"when": "`true`"}, "when says the same of every delivery"),
            ({"test": "`false`"}, "test says the same of every delivery"),
            ({"kept": {"Status": Place("x")}}, "keep: a name has lower-case letters"),
            ({"kept": {"status": Place("x")}}, "keep: a name has lower-case letters"),
            ({"identities": ()}, "say where identities stand"),
        ],
    )
    def test_one_that_could_not_work_or_would_name_a_person_is_refused_with_the_mend(
        self, changes: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(Misconfigured) as caught:
            described(**changes)
        assert told in caught.value.detail

    def test_a_type_may_be_a_translation_of_what_the_payload_says(self) -> None:
        assert described(request_type="event == 'forget' && 'erasure'").request_type is not None

    def test_what_is_kept_beside_may_have_a_fixed_value(self) -> None:
        assert read(GOOD, kept={"brand": Place("brand || 'all'")}).external["brand"] == "all"

    def test_replies_and_reports_may_name_only_what_is_read(self) -> None:
        assert BASE.names == {"request_id"}
        assert described(request_id=None, kept={"x": Place("y")}).names == {"x"}
