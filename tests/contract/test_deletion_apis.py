"""One suite for both deletion APIs: what a strategy promises to the life cycle, kept against a fake Lytics over HTTP.

A strategy to which a test does not apply says so where the test is parametrised.
"""

from __future__ import annotations

import traceback
from datetime import UTC, datetime

import pytest

from connector.clock import FixedClock
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.lytics.account import DeletionApiName, open_account
from connector.lytics.lookup import LookUpCall
from connector.model import Presence, RemoteState
from connector.outbound import Client, Limits
from connector.private import Private, Secret
from connector.sandbox.lytics import FakeLytics
from tests.support.contracts import as_the_vendors_describe

__all__ = ["as_the_vendors_describe"]

DELETE, QUEUE = DeletionApiName.IDENTITY_DELETE, DeletionApiName.IDENTITY_QUEUE
SUBMIT = {DELETE: "delete_submit", QUEUE: "queue_submit"}
STATUS = {DELETE: "delete_status", QUEUE: "queue_status"}
LIST = {DELETE: "delete_list", QUEUE: "queue_list"}
ANA, BO, NOBODY = Private("ana@example.com"), Private("bo@example.com"), Private("nobody@example.org")
HIDDEN = ("ana@", "bo@", "nobody@", "ana%40", "at.sandbox")


@pytest.fixture(params=list(DeletionApiName))
def name(request):
    return request.param


@pytest.fixture
def lytics(name):
    with FakeLytics(finish_after_s=100.0, clock=lambda: 1_790_000_000.0, api=(name,)) as fake:
        fake.seed("user", "email", ANA.reveal(), user_id="u-1")
        fake.seed("user", "email", BO.reveal(), user_id="u-2")
        yield fake


@pytest.fixture
def http(lytics):
    limits = Limits(connect_s=5, read_s=5, total_s=5)
    client = Client(lytics.url, clock=FixedClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC)), limits=limits)
    yield client
    client.close()


@pytest.fixture
def account(lytics, http, name):
    return open_account("main", http, Secret(lytics.token, "env:LYTICS_TOKEN"), name)


@pytest.fixture
def api(account):
    return account.api


def submit(api, *values):
    return api.submit("user", "email", values)


def failure(call, *arguments):
    """Return the typed error of a call, having made sure that neither it nor its causes show anybody."""
    with pytest.raises(ConnectorError) as caught:
        call(*arguments)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not [one for one in HIDDEN if one in text]
    return caught.value


def groups(answer):
    return set(answer.accepted), set(answer.refused), set(answer.unconfirmed)


def test_a_deletion_is_accepted_followed_to_its_end_and_the_person_is_gone(api, account, lytics):
    assert account.profiles.look_up("user", "email", ANA) is Presence.PRESENT
    answer = submit(api, ANA, BO)
    assert groups(answer) == ({ANA, BO}, set(), set())
    assert answer.correlation_id
    ids = set(answer.accepted.values())
    assert {api.status(one).state for one in ids} == {RemoteState.RUNNING}
    lytics.advance(99)
    assert {api.status(one).state for one in ids} == {RemoteState.RUNNING}
    assert lytics.has("user", "email", ANA.reveal())
    lytics.advance(1)
    assert {api.status(one).state for one in ids} == {RemoteState.FINISHED}
    assert account.profiles.look_up("user", "email", ANA) is Presence.ABSENT
    assert account.profiles.look_up("user", "user_id", Private("u-2")) is Presence.ABSENT


def test_the_counts_of_a_batch_are_told_where_the_api_has_them(api, lytics, name):
    answer = submit(api, ANA, BO, NOBODY)
    lytics.advance(100)
    told = [api.status(one) for one in set(answer.accepted.values())]
    if name is DELETE:
        assert [(one.requested, one.deleted) for one in told] == [(3, 2)]
    else:
        assert [(one.requested, one.deleted) for one in told] == [(None, None)] * 3


def test_a_repeat_gives_the_same_ids_exactly_where_the_strategy_says_that_it_is_safe(api):
    assert (submit(api, ANA, BO).accepted == submit(api, ANA, BO).accepted) is api.repeat_is_safe


def test_no_identity_and_no_token_travels_in_a_url(api, account, lytics):
    for one in set(submit(api, ANA, BO).accepted.values()):
        api.status(one)
    api.recent()
    account.profiles.look_up("user", "email", ANA)
    assert lytics.access_log
    assert not [url for _, url in lytics.access_log if any(one in url for one in HIDDEN)]


def test_an_empty_call_is_never_sent(api, lytics):
    error = failure(submit, api)
    assert type(error) is Refused
    assert lytics.access_log == []


def test_a_value_adds_exactly_its_encoded_bytes_to_the_body(api):
    assert api.encoded_bytes("user", "email", ANA) == len('"ana@example.com"') + 2
    assert api.encoded_bytes("user", "email", Private("ü")) == len('"\\u00fc"') + 2


@pytest.mark.parametrize(
    ("fault", "value", "kind", "code", "unknown"),
    [
        ("token_expired", None, Misconfigured, Code.TOKEN_REFUSED, None),
        ("forbidden", None, Misconfigured, Code.PERMISSION_MISSING, None),
        ("too_large", 1, Refused, Code.REMOTE_TOO_LARGE, None),
        ("server_error", None, Temporary, Code.REMOTE_FAULT, True),
        ("server_error_after", None, Temporary, Code.REMOTE_FAULT, True),
        ("bad_gateway", None, Temporary, Code.REMOTE_FAULT, True),
        ("drop_before", None, Temporary, Code.REMOTE_UNREACHABLE, True),
        ("drop_after", None, Temporary, Code.REMOTE_UNREACHABLE, True),
        ("short_body", None, Temporary, Code.REMOTE_UNREACHABLE, True),
        ("truncated_json", None, Temporary, Code.REMOTE_ANSWER_UNREADABLE, True),
    ],
)
def test_a_submission_that_fails_says_whether_it_may_have_been_carried_out(
    api, lytics, name, fault, value, kind, code, unknown
):
    lytics.faults.turn_on(fault, value, operation=SUBMIT[name])
    error = failure(submit, api, ANA, BO)
    assert (type(error), error.code, getattr(error, "outcome_unknown", None)) == (kind, code, unknown)


@pytest.mark.parametrize("status", [404, 405])
def test_an_account_that_does_not_answer_the_api_stops_submissions_without_burning_values(api, lytics, name, status):
    lytics.faults.turn_off()
    lytics.faults.turn_on(name.replace("-", "_") + "_off", status)
    error = failure(submit, api, ANA)
    assert (type(error), error.code) == (Misconfigured, Code.DELETION_API_NOT_ANSWERED)


def test_a_server_that_does_not_listen_was_surely_not_reached(api, lytics):
    lytics.stop()
    error = failure(submit, api, ANA)
    assert (type(error), error.code, error.outcome_unknown) == (Temporary, Code.REMOTE_UNREACHABLE, False)


@pytest.mark.parametrize(("value", "wait_s"), [(17, 17.0), (None, None)])
def test_a_rate_limit_says_how_long_to_wait_when_lytics_says_so(api, lytics, name, value, wait_s):
    lytics.faults.turn_on("rate_limited", value, operation=SUBMIT[name])
    error = failure(submit, api, ANA)
    assert (type(error), error.retry_after_s) == (RateLimited, wait_s)


def test_nobody_is_taken_for_accepted_when_a_success_has_no_body(api, lytics, name):
    lytics.faults.turn_on("empty_answer", operation=SUBMIT[name])
    if api.repeat_is_safe:
        assert groups(submit(api, ANA, BO)) == (set(), set(), {ANA, BO})
    else:
        assert failure(submit, api, ANA, BO).outcome_unknown


def test_nobody_is_taken_for_accepted_when_the_data_is_null(api, lytics, name):
    lytics.faults.turn_on("data_null", operation=SUBMIT[name])
    if api.repeat_is_safe:
        assert groups(submit(api, ANA, BO)) == (set(), set(), {ANA, BO})
    else:
        assert failure(submit, api, ANA, BO).outcome_unknown


def test_an_unknown_table_is_an_operators_matter(api, name):
    error = failure(api.submit, "users", "email", [ANA])
    assert (type(error), error.code) == (Misconfigured, Code.REMOTE_NAME_UNKNOWN)


def test_an_id_that_lytics_does_not_know_is_not_found(api):
    error = failure(api.status, "0f5c1c3e")
    assert (type(error), error.code) == (NotFound, Code.REMOTE_NOT_FOUND)


def test_a_status_asked_of_an_account_without_the_api_is_no_lost_operation(api, lytics, name):
    remote_id = submit(api, ANA).accepted[ANA]
    lytics.faults.turn_on(name.replace("-", "_") + "_off", 405)
    error = failure(api.status, remote_id)
    assert (type(error), error.code) == (Misconfigured, Code.DELETION_API_NOT_ANSWERED)


def test_an_unknown_state_word_counts_as_running_and_is_kept(api, lytics, name):
    remote_id = submit(api, ANA).accepted[ANA]
    lytics.advance(50)
    lytics.faults.turn_on("unknown_state", "rebalancing", operation=STATUS[name])
    status = api.status(remote_id)
    assert (status.state, status.word) == (RemoteState.RUNNING, "rebalancing")


@pytest.mark.parametrize("fault", ["server_error", "truncated_json", "data_null", "empty_answer", "short_body"])
def test_a_status_that_cannot_be_read_is_asked_again_later(api, lytics, name, fault):
    remote_id = submit(api, ANA).accepted[ANA]
    lytics.advance(100)
    lytics.faults.turn_on(fault, operation=STATUS[name])
    assert isinstance(failure(api.status, remote_id), Temporary)


def test_a_stuck_deletion_stays_running_however_long_it_takes(api, lytics, name):
    lytics.faults.turn_on("stuck", operation=SUBMIT[name])
    remote_id = submit(api, ANA).accepted[ANA]
    lytics.advance(90 * 86_400)
    assert api.status(remote_id).state is RemoteState.RUNNING


@pytest.mark.parametrize("shape", [None, "wrapped", "map"])
def test_the_recent_list_is_read_in_every_likely_shape(api, lytics, name, shape):
    ids = set(submit(api, ANA, BO).accepted.values())
    if shape:
        lytics.faults.turn_on("list_shape", shape, operation=LIST[name])
    listed = api.recent()
    assert {one.remote_id for one in listed} == ids
    assert {one.submitted_at for one in listed} == {datetime.fromtimestamp(1_790_000_000, UTC)}
    assert {one.status.state for one in listed} == {RemoteState.RUNNING}


def test_a_recent_list_of_nothing_is_empty_and_a_missing_one_is_not(api, lytics, name):
    assert list(api.recent()) == []
    lytics.faults.turn_on("list_shape", "missing", operation=LIST[name])
    assert type(failure(api.recent)) is NotFound


def test_the_probe_tells_which_api_the_account_answers(account, name):
    answers = account.probe()
    assert answers[name] is True
    # The list of identity-queue is in a guide only, so its absence proves nothing.
    assert answers[QUEUE if name is DELETE else DELETE] is (None if name is DELETE else False)


def test_the_schema_says_which_fields_are_identities(account):
    fields = account.identity_fields("user")
    assert (fields["email"], fields["first_name"]) == (True, False)
    assert failure(account.identity_fields, "users").code is Code.REMOTE_NAME_UNKNOWN


def test_a_tangled_profile_is_deleted_in_bulk_and_never_by_the_path_that_cannot_resolve_it(api, account, lytics):
    lytics.tangle("user", "email", ANA.reveal(), email=["relative@example.com"])
    assert set(submit(api, ANA).accepted) == {ANA}
    lytics.advance(101)
    assert account.profiles.look_up("user", "email", ANA) is Presence.ABSENT
    assert (lytics.calls["single_delete"], lytics.calls["v1_delete"]) == (0, 0)


@pytest.mark.parametrize("call", list(LookUpCall))
def test_both_look_ups_tell_present_from_absent_and_refuse_to_guess(lytics, http, name, call):
    profiles = open_account("main", http, Secret(lytics.token, "env:T"), name, look_up_call=call).profiles
    odd = Private("a/b c+ü%@example.com")
    lytics.seed("user", "email", odd.reveal())
    assert profiles.look_up("user", "email", ANA) is Presence.PRESENT
    assert profiles.look_up("user", "email", odd) is Presence.PRESENT
    assert profiles.look_up("user", "email", NOBODY) is Presence.ABSENT
    assert failure(profiles.look_up, "users", "email", ANA).code is Code.REMOTE_NAME_UNKNOWN
    operation = f"lookup_{call}"
    for fault in ("empty_answer", "truncated_json", "data_null"):
        lytics.faults.turn_on(fault, operation=operation, times=1)
        assert profiles.look_up("user", "email", ANA) is Presence.UNKNOWN
    lytics.faults.turn_on("bad_gateway", operation=operation, times=1)
    assert type(failure(profiles.look_up, "user", "email", ANA)) is Temporary


@pytest.mark.parametrize("name", [DELETE], indirect=True, ids=str)
class TestOnlyIdentityDelete:
    """One id per batch and an answer whose shape nobody published."""

    @pytest.mark.parametrize("shape", [None, "string", "requestId", "id", "delete_request_id", "top_level", "maps"])
    def test_the_id_is_found_in_every_likely_shape_of_the_answer(self, api, lytics, shape):
        if shape:
            lytics.faults.turn_on("submit_shape", shape)
        answer = submit(api, ANA, BO)
        assert groups(answer) == ({ANA, BO}, set(), set())
        assert set(answer.accepted.values()) == {one["id"] for one in lytics.snapshot()["deletions"]}

    def test_an_acceptance_without_an_id_leaves_the_outcome_unknown(self, api, lytics):
        lytics.faults.turn_on("submit_shape", "no_id")
        error = failure(submit, api, ANA, BO)
        assert (error.code, error.outcome_unknown) == (Code.REMOTE_ANSWER_UNREADABLE, True)

    @pytest.mark.parametrize("shape", ["profiles", "state"])
    def test_the_status_is_read_under_other_names(self, api, lytics, shape):
        remote_id = submit(api, ANA, NOBODY).accepted[ANA]
        lytics.advance(100)
        lytics.faults.turn_on("status_shape", shape)
        status = api.status(remote_id)
        assert (status.state, status.requested, status.deleted) == (RemoteState.FINISHED, 2, 1)

    def test_a_status_without_counts_has_none(self, api, lytics):
        remote_id = submit(api, ANA).accepted[ANA]
        lytics.faults.turn_on("no_counts")
        status = api.status(remote_id)
        assert (status.requested, status.deleted) == (None, None)

    def test_a_failed_operation_is_failed(self, api, lytics):
        lytics.faults.turn_on("deletion_failed")
        remote_id = submit(api, ANA).accepted[ANA]
        lytics.advance(100)
        assert api.status(remote_id).state is RemoteState.FAILED

    def test_a_status_path_read_as_a_look_up_is_no_lost_operation(self, api, lytics):
        remote_id = submit(api, ANA).accepted[ANA]
        lytics.faults.turn_on("identity_delete_off", 404, operation="delete_status")
        assert failure(api.status, remote_id).code is Code.DELETION_API_NOT_ANSWERED


@pytest.mark.parametrize("name", [QUEUE], indirect=True, ids=str)
class TestOnlyIdentityQueue:
    """Refusals per value, hidden in a 202."""

    def test_junk_is_refused_value_by_value_with_a_reason_that_shows_nobody(self, api, lytics):
        stray = Private(" ana@example.com")
        lytics.faults.turn_on("error_objects", times=1)
        answer = submit(api, ANA, stray, Private("null"))
        assert groups(answer) == ({ANA}, {stray, Private("null")}, set())
        assert set(answer.refused.values()) == {"value matches no identity", "value is not a usable identity"}

    def test_a_value_in_neither_map_is_unconfirmed(self, api, lytics):
        lytics.faults.turn_on("value_lost", BO.reveal())
        assert groups(submit(api, ANA, BO)) == ({ANA}, set(), {BO})

    def test_a_value_in_both_maps_is_refused_and_counted(self, api, lytics):
        lytics.faults.turn_on("value_in_both", BO.reveal())
        answer = submit(api, ANA, BO)
        assert groups(answer) == ({ANA}, {BO}, set())
        assert answer.contradictory == 1

    def test_keys_that_come_back_in_lower_case_are_matched(self, api, lytics):
        upper = Private("Ana@Example.com")
        lytics.faults.turn_on("keys_lowercased")
        assert groups(submit(api, upper, BO)) == ({upper, BO}, set(), set())

    def test_a_permission_missing_for_every_value_is_the_tokens_fault(self, api, lytics):
        lytics.faults.turn_on("refuse_in_values")
        error = failure(submit, api, ANA, BO)
        assert (type(error), error.code) == (Misconfigured, Code.PERMISSION_MISSING)

    def test_a_wrong_field_refuses_every_value_without_blaming_the_token(self, api):
        assert groups(api.submit("user", "first_name", [ANA, BO])) == (set(), {ANA, BO}, set())

    def test_completed_without_done_is_not_finished(self, api, lytics):
        remote_id = submit(api, ANA).accepted[ANA]
        lytics.advance(100)
        lytics.faults.turn_on("completed_without_done")
        status = api.status(remote_id)
        assert (status.state, status.word) == (RemoteState.RUNNING, "secondary")

    def test_a_body_lost_on_the_way_names_the_likely_culprit(self, api, lytics):
        lytics.faults.turn_on("body_dropped")
        error = failure(submit, api, ANA, BO)
        assert type(error) is Refused
        assert "proxy" in error.detail
        assert "JSON-BADREQ-025" in error.detail
