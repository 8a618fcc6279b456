"""The identity-queue API, single deletion, look-up, schema, v1 and access of the fake Lytics."""

import pytest
import requests

from connector.sandbox.defaults import LYTICS_EXPIRED_TOKEN, LYTICS_READ_ONLY_TOKEN
from connector.sandbox.lytics import FakeLytics

BULK = "/v2/identity/queue/bulk/user/email"
ONE = "/v2/identity/deletestatus"
ANA, BO = "ana@example.com", "bo@example.com"


@pytest.fixture
def people(lytics):
    lytics.seed("user", "email", ANA, user_id="u-1")
    lytics.seed("user", "email", BO, user_id="u-2")


def submit(call, *values, path=BULK):
    return call("DELETE", path, json={"values": list(values)}).json()["data"]


def status(call, deletion_id):
    return call("GET", f"{ONE}/{deletion_id}").json()["data"]


def test_each_value_gets_an_id_and_runs_through_all_states(call, lytics, clock, people):
    maps = submit(call, ANA, BO)
    assert maps["errors"] == {}
    deletion_id = maps["successes"][ANA]
    assert deletion_id != maps["successes"][BO]
    seen = []
    for _ in range(5):
        now = status(call, deletion_id)
        seen.append((now["state"], now["completed"]))
        clock.advance(25)
    assert seen == [("initial", False), ("primary", False), ("archive", False), ("secondary", False), ("done", True)]
    assert lytics.profiles == []


def test_the_same_value_again_gives_the_same_id_and_no_second_deletion(call, lytics, people):
    assert submit(call, ANA)["successes"] == submit(call, ANA)["successes"]
    assert lytics.times_submitted("user", "email", ANA) == 2
    assert len(lytics.snapshot()["deletions"]) == 1


def test_a_person_who_came_back_gets_a_new_id_or_by_switch_the_old_one(call, lytics, clock, people):
    lytics.faults.turn_on("comes_back", 10)
    old = submit(call, ANA)["successes"][ANA]
    clock.advance(200)
    lytics.faults.turn_on("old_id_after_return", times=1)
    assert submit(call, ANA)["successes"][ANA] == old
    assert submit(call, ANA)["successes"][ANA] != old


def test_junk_and_stray_characters_are_errors_inside_a_202(call):
    junk = ["", "null", "0", "NaN", f" {ANA}", f"'{ANA}'", f"\ufeff{ANA}", "x" * 257]
    maps = submit(call, ANA, *junk)
    assert set(maps["errors"]) == set(junk)
    assert set(maps["successes"]) == {ANA}


def test_an_unknown_field_puts_every_value_into_errors(call):
    maps = submit(call, ANA, BO, path="/v2/identity/queue/bulk/user/nickname")
    assert (set(maps["errors"]), maps["successes"]) == ({ANA, BO}, {})


@pytest.mark.parametrize(
    ("body", "code"), [(b"x", "JSON-BADREQ-025"), (b'["a"]', "BADREQ-001"), (b'{"values": "a"}', "BADREQ-001")]
)
def test_malformed_bodies_are_refused(call, body, code):
    answer = call("DELETE", BULK, data=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


def test_lists_come_before_ids(call, lytics, people):
    deletion_id = submit(call, ANA)["successes"][ANA]
    assert [item["request_id"] for item in call("GET", f"{ONE}/list").json()["data"]] == [deletion_id]
    assert call("GET", f"{ONE}/overview").json()["data"] == {"initial": 1}
    lytics.faults.turn_on("list_shape", "missing", times=1)
    assert call("GET", f"{ONE}/list").status_code == 404
    lytics.faults.turn_on("list_shape", "map", times=1)
    assert list(call("GET", f"{ONE}/list").json()["data"]) == [deletion_id]


def test_value_lost_is_in_neither_map_and_not_queued(call, lytics):
    lytics.faults.turn_on("value_lost", BO, times=1)
    assert set(submit(call, ANA, BO)["successes"]) == {ANA}
    assert lytics.times_submitted("user", "email", BO) == 0


def test_value_in_both_and_error_objects_and_lower_case_keys(call, lytics):
    lytics.faults.turn_on("value_in_both", times=1)
    maps = submit(call, ANA)
    assert set(maps["successes"]) & set(maps["errors"]) == {ANA}
    lytics.faults.turn_on("error_objects", times=1)
    assert submit(call, "null")["errors"]["null"]["message"]
    lytics.faults.turn_on("keys_lowercased", times=1)
    assert set(submit(call, "Ana@Example.com")["successes"]) == {ANA}


def test_refuse_in_values_hides_missing_permission_in_a_202(call, lytics):
    lytics.faults.turn_on("refuse_in_values")
    assert "permission" in submit(call, ANA)["errors"][ANA]


def test_body_dropped_and_too_large(call, lytics):
    lytics.faults.turn_on("body_dropped", times=1)
    assert call("DELETE", BULK, json={"values": [ANA]}).status_code == 400
    lytics.faults.turn_on("too_large", 1, times=1)
    assert call("DELETE", BULK, json={"values": [ANA, BO]}).status_code == 413


def test_completed_without_done_and_unknown_state_and_id_forgotten(call, lytics):
    deletion_id = submit(call, ANA)["successes"][ANA]
    lytics.faults.turn_on("completed_without_done", times=1)
    assert (status(call, deletion_id)["state"], True) == ("secondary", True)
    lytics.faults.turn_on("unknown_state", "limbo", times=1)
    assert status(call, deletion_id)["state"] == "limbo"
    lytics.faults.turn_on("id_forgotten", times=1)
    assert call("GET", f"{ONE}/{deletion_id}").status_code == 404


def test_an_account_without_this_api(clock):
    with FakeLytics(clock=clock, api=("identity-delete",)) as fake, requests.Session() as session:
        session.headers["Authorization"] = fake.token
        assert session.delete(fake.url + BULK, json={"values": [ANA]}, timeout=5).status_code == 404
        assert session.get(f"{fake.url}{ONE}/list", timeout=5).status_code == 404
    with pytest.raises(ValueError, match="no deletion API"):
        FakeLytics(api=("magic",))


def test_a_single_deletion_resolves_the_person_first(call, clock, lytics, people):
    assert call("DELETE", "/v2/identity/user/email/nobody%40example.com").status_code == 404
    answer = call("DELETE", "/v2/identity/user/email/ana%40example.com")
    deletion_id = answer.json()["data"]["request_id"]
    assert answer.status_code == 202
    clock.advance(100)
    assert status(call, deletion_id)["completed"]
    assert call("GET", f"/v2/identity/delete/status/{deletion_id}").json()["data"]["status"] == "completed"


def test_look_up_by_url_and_by_body(call, people):
    seen = call("GET", "/v2/identity/user/user_id/u-1").json()["data"]
    assert {"key": "email", "value": ANA} in seen["keys"]
    for key in ("key", "field"):
        body = {"table": "user", key: "email", "value": "nobody@example.com"}
        answer = call("POST", "/v2/identity/lookup", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "ENTITY-NOTFOUND-012")
    assert call("POST", "/v2/identity/lookup", json={"table": "user"}).status_code == 400
    assert call("POST", "/v2/identity/lookup", data=b"x").status_code == 400


def test_schema_says_which_fields_are_identities(call, lytics):
    fields = {field["id"]: field["is_identifier"] for field in call("GET", "/v2/schema/user/field").json()["data"]}
    assert fields["email"]
    assert not fields["first_name"]
    assert call("GET", "/v2/schema/user/field/email").json()["data"]["is_identifier"]
    assert call("GET", "/v2/schema/user/field/nickname").status_code == 404
    assert "email" in call("GET", "/v2/schema/user/fieldnames").json()["data"]
    assert "email" in call("GET", "/v2/schema/user/rank").json()["data"]["fields"]
    assert call("GET", "/v2/schema/nowhere/field").json()["errors"][0]["code"] == "SCHEMA-NOTFOUND-010"
    assert call("GET", "/v2/schema/user/idconfig").status_code == 404
    lytics.faults.turn_on("idconfig_set")
    assert call("GET", "/v2/schema/user/idconfig").status_code == 200


def test_v1_uses_its_own_words(call, clock, people):
    answer = call("DELETE", "/api/entity/user/email/ana%40example.com").json()
    assert (answer["message"], answer["data"]["complete"]) == ("delete request received", False)
    clock.advance(100)
    path = f"/api/entity/deletestatus/{answer['data']['request_id']}"
    assert call("GET", path).json()["data"]["complete"]
    assert call("GET", "/api/entity/deletestatus/unknown").status_code == 404
    gone = call("GET", "/api/entity/user/email/ana%40example.com")
    assert (gone.status_code, gone.json()["message"]) == (200, "Not Found")
    assert call("GET", "/api/entity/user/email/bo%40example.com").json()["data"]["user_id"] == "u-2"


@pytest.mark.parametrize(
    ("token", "message"),
    [("wrong", "Not authorized"), (LYTICS_EXPIRED_TOKEN, "Expired Token"), (None, "Not authorized")],
)
def test_a_bad_token_is_refused_in_the_v1_shape_before_routing(call, token, message):
    answer = call("GET", "/v2/no/such/route", headers={"Authorization": token})
    assert (answer.status_code, answer.json()) == (401, {"message": message, "status": 401})


def test_token_expired_and_forbidden(call, lytics):
    lytics.faults.turn_on("token_expired", times=1)
    assert call("GET", "/v2/schema/user/field").json()["message"] == "Expired Token"
    lytics.faults.turn_on("forbidden")
    assert call("GET", "/v2/schema/user/field").status_code == 200
    assert call("DELETE", BULK, json={"values": [ANA]}).json()["errors"][0]["code"] == "FORBIDDEN-026"
    lytics.faults.turn_on("forbidden", operation="schema_fields")
    assert call("GET", "/v2/schema/user/field").status_code == 403


def test_a_read_only_token_may_look_but_not_delete(call):
    headers = {"Authorization": LYTICS_READ_ONLY_TOKEN}
    assert call("GET", "/v2/schema/user/field", headers=headers).status_code == 200
    assert call("DELETE", BULK, json={"values": [ANA]}, headers=headers).status_code == 403


def test_another_account_is_not_found(clock):
    with FakeLytics(clock=clock, account_id="7") as fake:
        headers = {"Authorization": fake.token}
        for account_id, expected in (("7", 200), ("8", 404)):
            url = f"{fake.url}/v2/schema/user/field?account_id={account_id}"
            assert requests.get(url, headers=headers, timeout=5).status_code == expected


def test_seeding_at_run_time_and_by_hand(call, lytics):
    item = {"table": "user", "field": "email", "value": ANA, "fields": {"user_id": "u-9"}}
    assert call("POST", "/_sandbox/seed", json=item).json() == {"profiles": 1}
    assert call("POST", "/_sandbox/seed", json={"profiles": [item]}).json() == {"profiles": 1}
    assert lytics.has("user", "user_id", "u-9")
    with pytest.raises(ValueError, match="no field"):
        lytics.seed("user", "nickname", "x")
    with pytest.raises(ValueError, match="no table"):
        lytics.seed("nowhere", "email", "x")
    with pytest.raises(ValueError, match="must be text"):
        lytics.seed("user", "email", "")


def test_wrong_verbs_and_paths(call):
    assert call("PUT", "/v2/identity/delete").status_code == 405
    assert call("GET", "/v2/nothing").json()["errors"][0]["code"] == "NOTFOUND-003"
