"""Switches for set-ups that are wrong from the beginning: clocks, addresses, organization, scopes, schema."""

from email.utils import parsedate_to_datetime

import pytest
import requests

from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET
from tests.sandbox.conftest import START

TOKEN = "/api/access/v1/oauth/token"
FORM = {
    "grant_type": "client_credentials",
    "client_id": ONETRUST_CLIENT_ID,
    "client_secret": ONETRUST_CLIENT_SECRET,
}
FIELDS = "/v2/schema/user/field"
SUBTASKS = "/api/datasubject/v2/subtasks"
QUEUES = "/api/datasubject/v2/requestqueues"


def token(onetrust):
    return requests.post(onetrust.url + TOKEN, data=FORM, timeout=5)


def date_of(answer):
    return parsedate_to_datetime(answer.headers["Date"]).timestamp()


def test_every_answer_tells_the_time_of_the_fake_whatever_its_status(call, lytics):
    assert date_of(call("GET", FIELDS)) == START
    lytics.faults.turn_on("clock_off", -90)
    assert date_of(call("GET", FIELDS)) == START - 90
    assert date_of(call("GET", FIELDS, headers={"Authorization": "wrong"})) == START - 90


def test_the_address_of_the_caller_is_refused_by_lytics_whatever_the_token(call, lytics):
    lytics.faults.turn_on("address_refused", times=1)
    assert [call("GET", FIELDS).status_code for _ in range(2)] == [401, 200]


def test_the_address_of_the_caller_is_refused_by_onetrust_with_and_without_a_token(onetrust, dsar):
    onetrust.faults.turn_on("address_refused")
    assert token(onetrust).status_code == 403
    assert dsar("GET", f"{QUEUES}/en-us").status_code == 403
    onetrust.faults.turn_off("address_refused")
    assert dsar("GET", f"{QUEUES}/en-us").status_code == 200


def test_another_organization_sees_empty_lists_and_nothing_by_its_id(onetrust, dsar):
    entry = onetrust.add_request("ana@example.com")
    reads = [f"{SUBTASKS}/{entry.subtask_id}", f"{QUEUES}/{entry.ref_id}/language/en-us"]
    reads.append(f"{QUEUES}/{entry.ref_id}/subtasks")

    def seen():
        lists = [dsar("GET", f"{QUEUES}/en-us"), dsar("POST", "/api/datasubject/v3/subtasks", json={})]
        return [dsar("GET", path).status_code for path in reads], [len(one.json()["content"]) for one in lists]

    assert seen() == ([200, 200, 200], [1, 1])
    onetrust.faults.turn_on("wrong_organization")
    assert seen() == ([404, 404, 404], [0, 0])


def test_a_token_names_its_scopes_unless_the_switch_is_on(onetrust):
    assert "DSAR_WRITE" in token(onetrust).json()["ot-scopes"].split(",")
    onetrust.faults.turn_on("scope_missing", "DSAR_WRITE")
    assert token(onetrust).json()["ot-scopes"] == "ATTACHMENT,DSAR_READ,INTEGRATIONS"
    onetrust.faults.turn_on("scopes_untold", times=1)
    assert "ot-scopes" not in token(onetrust).json()


@pytest.mark.parametrize(
    ("switch", "value", "told"),
    [
        ("field_unknown", None, (None, True)),
        ("field_unknown", "phone", (True, None)),
        ("field_no_identity", None, (False, True)),
        ("field_no_identity", "phone", (True, False)),
        ("field_no_identity", "nickname", (True, True)),
    ],
)
def test_a_field_is_missing_or_no_identity_in_every_call_about_the_schema(call, lytics, switch, value, told):
    lytics.faults.turn_on(switch, value)
    listed = {one["id"]: one["is_identifier"] for one in call("GET", FIELDS).json()["data"]}
    assert (listed.get("email"), listed.get("phone")) == told
    assert "nickname" not in listed
    names = call("GET", "/v2/schema/user/fieldnames").json()["data"]
    assert ("email" in names, "phone" in names) == tuple(one is not None for one in told)
    rank = call("GET", "/v2/schema/user/rank").json()["data"]["fields"]
    assert ("email" in rank, "phone" in rank) == tuple(bool(one) for one in told)
    assert call("GET", f"{FIELDS}/email").status_code == (404 if told[0] is None else 200)


def test_no_table_is_known_while_the_switch_is_on(call, lytics):
    lytics.faults.turn_on("table_unknown", times=1)
    answers = [call("GET", FIELDS) for _ in range(2)]
    assert [one.status_code for one in answers] == [404, 200]
    assert answers[0].json()["errors"][0]["code"] == "SCHEMA-NOTFOUND-010"
