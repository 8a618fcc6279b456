"""The identity-delete API of the fake Lytics, and what a deletion does to profiles."""

import threading

import pytest
import requests

SUBMIT = "/v2/identity/delete"
STATUS = "/v2/identity/delete/status"
ANA, BO = "ana@example.com", "bo@example.com"


@pytest.fixture
def people(lytics):
    lytics.seed("user", "email", ANA, user_id="u-1")
    lytics.seed("user", "email", BO, user_id="u-2")


def submit(call, *values, **other):
    return call("POST", SUBMIT, json={"table": "user", "field": "email", "values": list(values)} | other)


def submitted(call, *values):
    return submit(call, *values).json()["data"]["request_id"]


def status(call, deletion_id):
    return call("GET", f"{STATUS}/{deletion_id}").json()["data"]


def found(call, field, value):
    return (
        call("POST", "/v2/identity/lookup", json={"table": "user", "field": field, "value": value}).status_code == 200
    )


def test_a_deletion_runs_from_pending_to_completed_and_removes_the_person_by_every_field(call, lytics, clock, people):
    answer = submit(call, ANA, "nobody@example.com")
    assert answer.status_code == 202
    body = answer.json()
    deletion_id = body["data"]["request_id"]
    assert body["request_id"] != deletion_id
    assert status(call, deletion_id)["status"] == "pending"
    clock.advance(60)
    assert status(call, deletion_id)["status"] == "in_progress"
    assert found(call, "email", ANA)
    clock.advance(40)
    done = status(call, deletion_id)
    assert (done["status"], done["requested"], done["deleted"]) == ("completed", 2, 1)
    assert not found(call, "email", ANA)
    assert not found(call, "user_id", "u-1")
    assert found(call, "email", BO)
    assert [profile.fields["email"] for profile in lytics.profiles] == [BO]


def test_every_accepted_call_is_kept_as_evidence(call, lytics, people):
    first, second = submitted(call, ANA, BO), submitted(call, ANA)
    assert lytics.times_submitted("user", "email", ANA) == 2
    snapshot = lytics.snapshot()
    assert [entry["ids"] for entry in snapshot["submissions"]] == [{ANA: first, BO: first}, {ANA: second}]


def test_the_summary_counts_the_evidence(call, lytics, people):
    lytics.faults.turn_on("server_error", times=1)
    assert submit(call, ANA).status_code == 500
    submit(call, ANA, BO)
    submit(call, ANA)
    summary = call("GET", "/_sandbox/summary").json()
    assert summary["faults_used"] == {"server_error": 1}
    assert summary["calls"] == {"delete_submit": 3}
    assert (summary["submissions"], summary["times_submitted"]) == (2, {"1": 1, "2": 1})
    assert summary["profiles"] == len(lytics.snapshot()["profiles"])


def test_the_list_holds_recent_operations_newest_first(call, people):
    first, second = submitted(call, ANA), submitted(call, BO)
    assert [item["request_id"] for item in call("GET", STATUS).json()["data"]] == [second, first]


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        (b"not json", 400, "JSON-BADREQ-025"),
        (b'["a"]', 400, "BADREQ-001"),
        (b'{"table": "user", "field": "email"}', 400, "BADREQ-001"),
        (b'{"table": "user", "field": "email", "values": []}', 400, "BADREQ-001"),
        (b'{"table": "user", "field": "email", "values": [1]}', 400, "BADREQ-001"),
        (b'{"table": "user", "field": "first_name", "values": ["a"]}', 400, "BADREQ-001"),
        (b'{"table": "nowhere", "field": "email", "values": ["a"]}', 404, "TABLE-NOTFOUND-009"),
    ],
)
def test_malformed_submissions_are_refused_with_a_code(call, body, expected, code):
    answer = call("POST", SUBMIT, data=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (expected, code)


def test_other_key_names_of_the_body_are_tolerated(call):
    assert call("POST", SUBMIT, json={"table": "user", "key": "email", "identifiers": [ANA]}).status_code == 202


def test_an_unknown_id_is_a_404(call):
    assert call("GET", f"{STATUS}/unknown").json()["errors"][0]["code"] == "NOTFOUND-003"


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ("string", lambda body: body["data"]),
        ("requestId", lambda body: body["data"]["requestId"]),
        ("id", lambda body: body["data"]["id"]),
        ("delete_request_id", lambda body: body["data"]["delete_request_id"]),
        ("top_level", lambda body: body["request_id"]),
        ("maps", lambda body: body["data"]["successes"][ANA]),
    ],
)
def test_submit_shape_moves_the_id(call, lytics, shape, read):
    lytics.faults.turn_on("submit_shape", shape)
    assert status(call, read(submit(call, ANA).json()))["status"] == "pending"


def test_submit_shape_without_an_id_and_data_null(call, lytics):
    lytics.faults.turn_on("submit_shape", "no_id", times=1)
    assert submit(call, ANA).json()["data"] == {"status": "pending"}
    lytics.faults.turn_on("data_null", times=1)
    assert submit(call, ANA).json()["data"] is None
    assert lytics.times_submitted("user", "email", ANA) == 2


def test_status_shape_uses_other_names(call, lytics, people):
    deletion_id = submitted(call, ANA)
    lytics.faults.turn_on("status_shape", "profiles", times=1)
    assert status(call, deletion_id)["profiles_requested"] == 1
    lytics.faults.turn_on("status_shape", "state", times=1)
    assert status(call, deletion_id)["state"] == "pending"


def test_no_counts_and_unknown_state(call, lytics):
    deletion_id = submitted(call, ANA)
    lytics.faults.turn_on("no_counts", times=1)
    assert not {"requested", "deleted"} & set(status(call, deletion_id))
    lytics.faults.turn_on("unknown_state", times=1)
    assert status(call, deletion_id)["status"] == "rebalancing"


def test_list_shape_and_id_forgotten(call, lytics):
    deletion_id = submitted(call, ANA)
    lytics.faults.turn_on("list_shape", "wrapped", times=1)
    assert call("GET", STATUS).json()["data"]["requests"][0]["request_id"] == deletion_id
    lytics.faults.turn_on("list_shape", "map", times=1)
    assert list(call("GET", STATUS).json()["data"]) == [deletion_id]
    lytics.faults.turn_on("list_shape", "missing", times=1)
    assert call("GET", STATUS).status_code == 404
    lytics.faults.turn_on("id_forgotten", times=1)
    assert call("GET", f"{STATUS}/{deletion_id}").status_code == 404
    assert status(call, deletion_id)["status"] == "pending"


def test_deletion_failed_removes_nobody(call, lytics, clock, people):
    lytics.faults.turn_on("deletion_failed", times=1)
    deletion_id = submitted(call, ANA)
    clock.advance(100)
    assert status(call, deletion_id)["status"] == "failed"
    assert found(call, "email", ANA)


def test_stuck_never_finishes_until_it_is_released(call, lytics, clock, people):
    lytics.faults.turn_on("stuck", times=1)
    deletion_id = submitted(call, ANA)
    clock.advance(10_000)
    assert status(call, deletion_id)["status"] == "in_progress"
    assert call("POST", "/_sandbox/release").json() == {"released": 1}
    assert status(call, deletion_id)["status"] == "completed"
    assert not lytics.has("user", "email", ANA)


def test_deleted_fewer_leaves_a_profile_and_counts_less(call, lytics, clock, people):
    lytics.faults.turn_on("deleted_fewer", times=1)
    deletion_id = submitted(call, ANA, BO)
    clock.advance(100)
    done = status(call, deletion_id)
    assert (done["requested"], done["deleted"]) == (2, 1)
    assert found(call, "email", ANA)
    assert not found(call, "email", BO)


def test_still_present_is_reported_done_but_look_up_finds_it(call, lytics, clock, people):
    lytics.faults.turn_on("still_present", ANA, times=1)
    deletion_id = submitted(call, ANA, BO)
    clock.advance(100)
    assert status(call, deletion_id)["deleted"] == 2
    assert found(call, "email", ANA)
    assert not found(call, "email", BO)


def test_comes_back_as_a_new_profile(call, lytics, clock, people):
    before = lytics.world.find("user", "email", ANA).id
    lytics.faults.turn_on("comes_back", 500, times=1)
    submitted(call, ANA)
    clock.advance(100)
    assert not found(call, "email", ANA)
    clock.advance(500)
    assert found(call, "user_id", "u-1")
    assert lytics.world.find("user", "email", ANA).id != before


def test_lookup_lags_behind_the_status(call, lytics, clock, people):
    lytics.faults.turn_on("lookup_lags", 30, times=1)
    deletion_id = submitted(call, ANA)
    clock.advance(100)
    assert status(call, deletion_id)["status"] == "completed"
    assert found(call, "email", ANA)
    clock.advance(30)
    assert not found(call, "email", ANA)


def test_too_large_is_a_413(call, lytics):
    lytics.faults.turn_on("too_large", 1)
    assert submit(call, ANA).status_code == 202
    assert submit(call, ANA, BO).status_code == 413


@pytest.mark.parametrize("value", [404, 405])
def test_an_account_without_this_api_answers_404_or_405_and_the_status_path_is_a_look_up(call, lytics, value):
    lytics.faults.turn_on("identity_delete_off", value)
    assert submit(call, ANA).status_code == value
    answer = call("GET", f"{STATUS}/some-id")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "TABLE-NOTFOUND-009")


def test_the_most_calls_at_once_are_counted(call, lytics):
    def look():
        headers = {"Authorization": lytics.token}
        requests.get(f"{lytics.url}/v2/identity/user/email/x", headers=headers, timeout=5)

    threads = [threading.Thread(target=look) for _ in range(3)]
    with lytics.world.lock:
        for thread in threads:
            thread.start()
        while lytics.max_concurrency < 3:
            threads[0].join(0.001)
    for thread in threads:
        thread.join()
    assert lytics.max_concurrency_by_operation == {"lookup_get": 3}
