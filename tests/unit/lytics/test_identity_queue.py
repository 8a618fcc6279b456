"""identity-queue: a 202 says nothing; each value's own entry does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.codes import Code
from connector.errors import Misconfigured, Temporary
from connector.lytics.account import DeletionApiName
from connector.lytics.reconcile import reason_of, reconcile, scrub
from connector.model import RemoteState
from connector.private import Private
from tests.unit.lytics.conftest import ANA, BASE, BO

A, B = ANA.reveal(), BO.reveal()


def groups(answer):
    return set(answer.accepted), set(answer.refused), set(answer.unconfirmed)


@pytest.fixture
def api(lytics):
    return lytics.account(DeletionApiName.IDENTITY_QUEUE).api


@pytest.mark.parametrize(
    "body",
    [{"data": None}, {"data": []}, {"data": {}}, {"data": {"successes": None, "errors": {}}}, {"status": 202}],
)
def test_an_answer_that_mentions_nobody_confirms_nobody(api, http, body):
    http.delete(f"{BASE}/v2/identity/queue/bulk/user/email", status=202, json=body)
    assert groups(api.submit("user", "email", [ANA, BO])) == (set(), set(), {ANA, BO})


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_success_confirms_nobody(api, http, status):
    http.delete(f"{BASE}/v2/identity/queue/bulk/user/email", status=status)
    assert groups(api.submit("user", "email", [ANA, BO])) == (set(), set(), {ANA, BO})


@pytest.mark.parametrize("body", [b"<html>ok</html>", b"[]", b'"ok"'])
def test_a_success_that_is_not_lytics_own_is_tried_again(api, lytics, http, body):
    http.delete(f"{BASE}/v2/identity/queue/bulk/user/email", status=200, body=body)
    assert type(lytics.failure(api.submit, "user", "email", [ANA])) is Temporary


def test_the_correlation_id_is_that_of_the_call_and_never_that_of_a_deletion(api, http):
    body = {"request_id": "corr-1", "data": {"successes": {A: "id-1"}, "request_id": "other"}}
    http.delete(f"{BASE}/v2/identity/queue/bulk/user/email", status=202, json=body)
    answer = api.submit("user", "email", [ANA])
    assert (answer.accepted, answer.correlation_id) == ({ANA: "id-1"}, "corr-1")


@pytest.mark.parametrize(
    ("data", "state", "word"),
    [
        ({"state": "initial", "completed": False}, RemoteState.RUNNING, "initial"),
        ({"state": "secondary", "completed": False}, RemoteState.RUNNING, "secondary"),
        ({"state": "secondary", "completed": True}, RemoteState.RUNNING, "secondary"),
        ({"state": "done", "completed": False}, RemoteState.RUNNING, "done"),
        ({"state": "done", "completed": True, "requested": "", "submitted": "x"}, RemoteState.FINISHED, "done"),
        ({"state": "done"}, RemoteState.FINISHED, "done"),
        ({"state": "Done ", "complete": True}, RemoteState.FINISHED, "Done"),
        ({"completed": True}, RemoteState.FINISHED, ""),
        ({"completed": False}, RemoteState.RUNNING, ""),
        ({"state": "failed", "completed": False}, RemoteState.RUNNING, "failed"),
        ({"state": "failed"}, RemoteState.RUNNING, "failed"),
        ({"state": "tertiary", "completed": False}, RemoteState.RUNNING, "tertiary"),
    ],
)
def test_a_status_is_finished_only_when_word_and_flag_agree(api, http, data, state, word):
    http.get(f"{BASE}/v2/identity/deletestatus/id-1", json={"data": {"request_id": "id-1", **data}})
    status = api.status("id-1")
    assert (status.state, status.word, status.requested) == (state, word, None)


@pytest.mark.parametrize("data", [{"state": " "}, {"state": ""}, {}, {"state": None, "completed": "true"}])
def test_a_status_that_says_nothing_is_asked_again(api, lytics, http, data):
    http.get(f"{BASE}/v2/identity/deletestatus/id-1", json={"data": {"request_id": "id-1", **data}})
    assert type(lytics.failure(api.status, "id-1")) is Temporary


def test_the_answer_is_matched_exactly_before_it_is_matched_loosely():
    lower = Private(A.lower())
    answer = reconcile([ANA, lower], {A: "id-1", A.lower(): "id-2"}, {})
    assert answer.accepted == {ANA: "id-1", lower: "id-2"}
    assert answer.foreign == 0


def test_a_key_that_means_one_value_exactly_does_not_vouch_for_another():
    lower = Private(A.lower())
    assert groups(reconcile([ANA, lower], {A.lower(): "id-1"}, {})) == ({lower}, set(), {ANA})


@pytest.mark.parametrize("key", [A.lower(), f" {A}\n", A.upper()])
def test_a_key_that_came_back_normalised_is_matched(key):
    answer = reconcile([ANA, BO], {key: "id-1"}, {B: "junk"})
    assert (answer.accepted, answer.refused, answer.foreign) == ({ANA: "id-1"}, {BO: "junk"}, 0)


def test_nothing_is_matched_by_position():
    answer = reconcile([ANA, BO], {"x": "id-1", "y": "id-2"}, {"z": "no"})
    assert groups(answer) == (set(), set(), {ANA, BO})
    assert answer.foreign == 3


def test_two_ids_for_one_value_are_no_answer():
    assert groups(reconcile([ANA], {A.lower(): "id-1", A.upper(): "id-2"}, {})) == (set(), set(), {ANA})


@pytest.mark.parametrize("remote_id", [None, "", " ", 7, {}, []])
def test_a_success_without_an_id_confirms_nothing(remote_id):
    answer = reconcile([ANA], {A: remote_id}, {})
    assert (groups(answer), answer.foreign) == ((set(), set(), {ANA}), 0)


def test_a_value_in_both_maps_is_refused_and_counted_also_under_another_spelling():
    answer = reconcile([ANA, BO], {A.lower(): "id-1", B: "id-2"}, {A.upper(): "no", B: "no"})
    assert (groups(answer), answer.contradictory) == ((set(), {ANA, BO}, set()), 2)


values = st.lists(st.sampled_from([A, A.lower(), B, " x ", "x", "0", "ü"]), min_size=1, unique=True)
maps = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from([A, A.upper(), B, "X", "0", "foreign"]), st.sampled_from(["i", "", None])),
)


@given(values, maps, maps)
def test_every_value_ends_in_exactly_one_group_whatever_the_answer(sent, successes, errors):
    wrapped = [Private(value) for value in sent]
    answer = reconcile(wrapped, successes, errors)
    assert len(answer.accepted) + len(answer.refused) + len(answer.unconfirmed) == len(wrapped)
    assert {*answer.accepted, *answer.refused, *answer.unconfirmed} == set(wrapped)
    assert all(answer.accepted.values())


@pytest.mark.parametrize(
    "reason",
    ["Permission denied", "403 Forbidden", "user is not authorized", "Unauthorised", "access denied for this token"],
)
def test_one_permission_reason_for_everybody_is_the_tokens_fault(reason):
    with pytest.raises(Misconfigured) as caught:
        reconcile([ANA, BO], {}, {A: reason, B: reason})
    assert caught.value.code is Code.PERMISSION_MISSING


@pytest.mark.parametrize(
    ("successes", "errors"),
    [
        ({}, {A: "permission denied", B: "access denied"}),
        ({}, {A: "permission denied"}),
        ({B: "id"}, {A: "permission denied"}),
        ({B: "id"}, {A: "permission denied", B: "permission denied"}),
        ({}, {A: "no such field", B: "no such field"}),
    ],
)
def test_anything_less_than_that_stays_with_the_values(successes, errors):
    assert ANA in reconcile([ANA, BO], successes, errors).refused


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("junk", "junk"),
        ({"message": "junk", "error": "other"}, "junk"),
        ({"message": "", "error": "junk"}, "junk"),
        ({"reason": "junk"}, "junk"),
        ({"code": 7}, '{"code":7}'),
        (["junk", 7], '["junk",7]'),
        (None, "null"),
        ("", "no reason given"),
        ("a\x00b\r\nc", "a b c"),
        ("x" * 300, "x" * 200),
        ("y" * 5000, "a reason too long to be shown"),
    ],
)
def test_a_reason_is_read_in_every_shape(entry, reason):
    assert reason_of(entry, A) == reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no Ana@Example.com here", A),
        ("no ana@example.com here", A),
        ("no 'ANA@EXAMPLE.COM' here", A),
        ("no ana%40example.com here", A),
        ("no other.person@example.org here", A),
        ("no M-\\u00fcller here", "M-üller"),
        ("no (m-üller) here", " M-üller "),
        ("no M-%C3%BCller here", "M-üller"),
        ("no 00481516 here", "x"),
        ("no +49 30 23125-001 here", "x"),
        ("no ab here", "ab"),
        ("no (.*) here", "(.*)"),
        ('no {\\"a\\"} here', '{"a"}'),
    ],
)
def test_the_value_is_taken_out_of_a_reason_in_all_its_spellings(text, value):
    assert scrub(text, value) in {"no <value> here", "no '<value>' here", "no (<value>) here", "no <number> here"}


def test_a_short_value_does_not_shred_the_words_around_it():
    assert scrub("a value is no banana", "a") == "<value> value is no banana"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_reason_ever_holds_the_value(value, before, after):
    bare = value.strip().strip("\"'")
    if len(bare) < 4 or bare.lower() in "<value><number>":
        return
    assert bare not in reason_of(before + value + after, value).replace("<value>", "\0").replace("<number>", "\0")
