"""The look-up: absent is said only on Lytics' own word."""

from __future__ import annotations

import json

import pytest
from responses import matchers

from connector.codes import Code
from connector.errors import Misconfigured, Refused, Temporary
from connector.lytics.lookup import LookUpCall
from connector.model import Presence
from connector.private import Private
from tests.unit.lytics.conftest import ANA, BASE

PRESENT, ABSENT, UNKNOWN = Presence.PRESENT, Presence.ABSENT, Presence.UNKNOWN
FILLER = {"segments": ["not_found", "all"]}


def v2_error(code):
    return {"status": 404, "request_id": "corr", "errors": [{"code": code, "message": "no"}]}


def look_up(lytics, http, status, body, call=LookUpCall.POST):
    content = {"body": body} if isinstance(body, str) else {"json": body}
    if call is LookUpCall.POST:
        http.post(f"{BASE}/v2/identity/lookup", status=status, **content)
    else:
        http.get(f"{BASE}/v2/identity/user/email/Ana%40Example.com", status=status, **content)
    return lytics.account(look_up_call=call).profiles.look_up("user", "email", ANA)


@pytest.mark.parametrize("call", list(LookUpCall))
@pytest.mark.parametrize(
    ("status", "body", "presence"),
    [
        (200, {"data": {"entity": {"email": "x"}, "keys": [], "fragments": []}}, PRESENT),
        (200, {"data": {"entity": None, "keys": [{"key": "email"}]}}, PRESENT),
        (200, {"data": {"email": "x", "segments": ["all"]}, "message": "success"}, PRESENT),
        (200, {"data": {"email": "x", "segments": ["not_found", "all"]}}, PRESENT),
        (200, {"data": {"email": "x"}, "message": "Not Found"}, PRESENT),
        (200, {"data": FILLER, "message": "Not Found", "status": 200}, ABSENT),
        (200, {"data": FILLER}, ABSENT),
        (200, {"data": None, "message": "Not Found"}, ABSENT),
        (200, {"data": FILLER, "message": "Timed out"}, UNKNOWN),
        (200, {"data": {"entity": None, "keys": [], "fragments": []}}, UNKNOWN),
        (200, {"data": {}}, UNKNOWN),
        (200, {"data": None}, UNKNOWN),
        (200, {"data": ["x"]}, UNKNOWN),
        (200, {"status": 404}, UNKNOWN),
        (200, [], UNKNOWN),
        (200, "<html>", UNKNOWN),
        (204, "", UNKNOWN),
        (404, v2_error("NOTFOUND-003"), ABSENT),
        (404, v2_error("ENTITY-NOTFOUND-012"), ABSENT),
        (404, v2_error(""), ABSENT),
        (404, {"status": 404, "message": "no", "request_id": "corr"}, ABSENT),
        (404, {"status": 404, "message": "no"}, UNKNOWN),
        (404, {}, UNKNOWN),
        (404, "", UNKNOWN),
        (404, "<html>404</html>", UNKNOWN),
    ],
)
def test_what_each_answer_says_about_the_person(lytics, http, call, status, body, presence):
    assert look_up(lytics, http, status, body, call) is presence


@pytest.mark.parametrize("code", ["TABLE-NOTFOUND-009", "SCHEMA-NOTFOUND-010", "ACCOUNT-NOTFOUND-021"])
def test_a_wrong_name_in_the_configuration_makes_nobody_absent(lytics, http, code):
    error = lytics.failure(look_up, lytics, http, 404, v2_error(code))
    assert (type(error), error.code) == (Misconfigured, Code.REMOTE_NAME_UNKNOWN)
    assert code in error.detail


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (401, Misconfigured), (403, Misconfigured), (405, Refused), (500, Temporary)]
)
def test_a_look_up_that_fails_says_why(lytics, http, status, kind):
    assert type(lytics.failure(look_up, lytics, http, status, v2_error(""))) is kind


def test_the_value_travels_in_the_body_under_both_names(lytics, http):
    body = {"table": "user", "key": "email", "field": "email", "value": ANA.reveal()}
    http.post(f"{BASE}/v2/identity/lookup", status=404, json={}, match=[matchers.json_params_matcher(body)])
    lytics.account().profiles.look_up("user", "email", ANA)


@pytest.mark.parametrize("value", ["..", ".", "", "\ud800"])
def test_a_value_that_no_url_can_carry_is_not_looked_up_by_url(lytics, http, value):
    profiles = lytics.account(look_up_call=LookUpCall.GET).profiles
    assert type(lytics.failure(profiles.look_up, "user", "email", Private(value))) is Refused
    assert len(http.calls) == 0


def closely(lytics, http, data, call=LookUpCall.POST, **answer):
    if call is LookUpCall.POST:
        http.post(f"{BASE}/v2/identity/lookup", json={"data": data, **answer})
    else:
        http.get(f"{BASE}/v2/identity/user/email/Ana%40Example.com", json={"data": data, **answer})
    profiles = lytics.account(look_up_call=call).profiles
    seen = profiles.look_closely("user", "email", ANA, {"email", "user_id"})
    assert "example.com" not in repr(seen)
    return seen.presence, {(name, value.reveal()) for name, value in seen.identifiers}


KEYS = [{"key": "email", "value": "a@example.com"}, {"key": "_uid", "value": "cookie"}]


@pytest.mark.parametrize("call", list(LookUpCall))
@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"entity": {"email": "a@example.com"}, "keys": KEYS}, {("email", "a@example.com")}),
        (
            {"entity": {"email": ["a@example.com", "b@example.com"]}},
            {("email", "a@example.com"), ("email", "b@example.com")},
        ),
        ({"entity": {"email": {"a@example.com": 3}}}, {("email", "a@example.com")}),
        ({"entity": {"user_id": 7, "first_name": "Ana"}}, {("user_id", "7")}),
        ({"entity": {"x": 1}, "fragments": [{"keys": [{"key": "user_id", "value": "u-2"}]}]}, {("user_id", "u-2")}),
        ({"email": "a@example.com", "segments": ["all"]}, {("email", "a@example.com")}),
        ({"entity": {"_id": "x"}, "keys": []}, set()),
        ({"entity": {"email": None, "user_id": True}, "keys": [None, 7, {"key": []}, {"key": "email"}]}, set()),
        ({"entity": {"email": [["a"], {"b": 1}, ""]}, "keys": "x", "fragments": [3, {"keys": 3}, {}]}, set()),
        ({"entity": ["a@example.com"], "fragments": "x"}, set()),
    ],
)
def test_a_closer_look_shows_the_identifiers_of_the_fields_asked_for_wherever_they_stand(
    lytics, http, call, data, shown
):
    assert closely(lytics, http, data, call) == (PRESENT, shown)


@pytest.mark.parametrize(("data", "presence"), [(None, UNKNOWN), (FILLER, ABSENT), ({}, UNKNOWN)])
def test_a_closer_look_at_nobody_shows_nothing(lytics, http, data, presence):
    assert closely(lytics, http, data) == (presence, set())


def test_a_closer_look_that_fails_says_why_like_any_other(lytics, http):
    http.post(f"{BASE}/v2/identity/lookup", status=500, json=v2_error(""))
    profiles = lytics.account().profiles
    assert type(lytics.failure(profiles.look_closely, "user", "email", ANA, ("email",))) is Temporary


def read(lytics, http, status, body):
    content = {"body": body} if isinstance(body, str) else {"json": body}
    http.post(f"{BASE}/v2/identity/lookup", status=status, **content)
    return lytics.account().reader.read("user", "email", ANA)


def test_a_profile_is_read_whole(lytics, http):
    data = {"entity": {"email": ANA.reveal(), "name": "Łukasz"}, "keys": [], "fragments": [{"streams": ["web"]}]}
    profile = read(lytics, http, 200, {"data": data})
    assert json.loads(profile.content.reveal()) == data
    assert not profile.is_redacted


def test_a_profile_without_its_personal_fields_is_known_as_one(lytics, http):
    assert read(lytics, http, 200, {"data": {"entity": {"plan": "gold"}, "keys": []}}).is_redacted


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, v2_error("ENTITY-NOTFOUND-012")), (200, {"data": FILLER, "message": "Not Found", "status": 200})],
)
def test_nothing_held_is_said_on_their_own_word(lytics, http, status, body):
    assert read(lytics, http, status, body) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": FILLER, "message": "Timed out"}),
        (200, {"data": None}),
        (200, {"data": {"entity": None, "keys": []}}),
        (200, "<html>"),
        (404, "<html>404</html>"),
        (404, {}),
        (204, ""),
    ],
)
def test_an_answer_that_does_not_tell_is_never_taken_for_nothing_held(lytics, http, status, body):
    with pytest.raises(Temporary) as raised:
        read(lytics, http, status, body)
    assert raised.value.code is Code.REMOTE_ANSWER_UNREADABLE


def test_an_unknown_table_is_never_taken_for_nothing_held(lytics, http):
    with pytest.raises(Misconfigured):
        read(lytics, http, 404, v2_error("TABLE-NOTFOUND-009"))
