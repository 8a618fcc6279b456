"""What the client sends with every call, and what each kind of answer means."""

from __future__ import annotations

import pytest
from responses import matchers

from connector.codes import Code
from connector.errors import Misconfigured, NotFound, Refused, Temporary
from connector.lytics.account import DeletionApiName, open_account
from connector.lytics.client import Purpose
from connector.outbound import Client
from connector.private import Secret
from tests.unit.lytics.conftest import ANA, BASE, TOKEN


def v2_error(code="", message="no", status=400):
    return {"status": status, "request_id": "corr-1", "errors": [{"code": code, "level": "warn", "message": message}]}


@pytest.mark.parametrize("account_id", ["", "77"])
def test_every_call_carries_the_raw_token_and_the_account_when_there_is_one(lytics, http, account_id):
    account = lytics.account(DeletionApiName.IDENTITY_DELETE, account_id=account_id)
    match = [
        matchers.header_matcher(lytics.headers),
        matchers.query_param_matcher({"account_id": account_id} if account_id else {}),
    ]
    submitted = matchers.json_params_matcher({"table": "user", "field": "email", "values": [ANA.reveal()]})
    looked_up = matchers.json_params_matcher({"table": "user", "key": "email", "field": "email", "value": ANA.reveal()})
    http.post(f"{BASE}/v2/identity/delete", json={"data": "id-1"}, match=[*match, submitted])
    http.get(f"{BASE}/v2/identity/delete/status/id-1", json={"data": {"status": "pending"}}, match=match)
    http.get(f"{BASE}/v2/identity/delete/status", json={"data": []}, match=match)
    http.post(f"{BASE}/v2/identity/lookup", json={"data": {"keys": [1]}}, match=[*match, looked_up])
    http.get(f"{BASE}/v2/schema/user/field", json={"data": [{"id": "email"}]}, match=match)
    assert account.api.submit("user", "email", [ANA]).accepted == {ANA: "id-1"}
    account.api.status("id-1")
    account.api.recent()
    account.profiles.look_up("user", "email", ANA)
    assert account.identity_fields("user") == {"email": False}


def test_the_queue_sends_its_values_in_the_body_of_a_delete(lytics, http):
    http.delete(
        f"{BASE}/v2/identity/queue/bulk/user/e%2Fmail",
        status=202,
        json={"data": {"successes": {ANA.reveal(): "id-1"}}},
        match=[
            matchers.header_matcher({**lytics.headers, "Content-Type": "application/json"}),
            matchers.query_param_matcher({}),
            matchers.json_params_matcher({"values": [ANA.reveal()]}),
        ],
    )
    api = lytics.account(DeletionApiName.IDENTITY_QUEUE).api
    assert api.submit("user", "e/mail", [ANA]).accepted == {ANA: "id-1"}


def test_a_token_with_bearer_in_front_is_refused_before_any_call(lytics):
    http = Client(BASE, clock=None)
    error = lytics.failure(
        open_account, "main", http, Secret(f"Bearer {TOKEN}", "env:T"), DeletionApiName.IDENTITY_DELETE
    )
    assert (type(error), error.code) == (Misconfigured, Code.TOKEN_REFUSED)
    assert "env:T" in error.detail


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"message": "Not authorized", "status": 401}, Misconfigured, Code.TOKEN_REFUSED),
        (403, v2_error("FORBIDDEN-026"), Misconfigured, Code.PERMISSION_MISSING),
        (404, v2_error("NOTFOUND-003"), NotFound, Code.REMOTE_NOT_FOUND),
        (404, {"message": "Not Found", "status": 404}, NotFound, Code.REMOTE_NOT_FOUND),
        (404, v2_error("ACCOUNT-NOTFOUND-021"), Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (404, v2_error("TABLE-NOTFOUND-009"), Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (404, v2_error("SCHEMA-NOTFOUND-010"), Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (404, "<html>", Temporary, Code.REMOTE_ANSWER_UNREADABLE),
        (404, [], Temporary, Code.REMOTE_ANSWER_UNREADABLE),
        (405, "", Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (400, v2_error("BADREQ-001"), Refused, Code.REMOTE_REFUSED),
        (409, "", Refused, Code.REMOTE_REFUSED),
        (422, "", Refused, Code.REMOTE_REFUSED),
        (413, "", Refused, Code.REMOTE_TOO_LARGE),
        (408, "", Temporary, Code.REMOTE_FAULT),
        (500, v2_error("INTERNAL-019"), Temporary, Code.REMOTE_FAULT),
        (502, "<html>", Temporary, Code.REMOTE_FAULT),
        (302, "", Temporary, Code.REMOTE_ANSWER_UNREADABLE),
    ],
)
def test_what_an_answer_to_a_question_about_an_operation_means(lytics, http, status, body, kind, code):
    content = {"body": body} if isinstance(body, str) else {"json": body}
    http.get(f"{BASE}/v2/identity/delete/status/id-1", status=status, **content)
    error = lytics.failure(lytics.account().api.status, "id-1")
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, v2_error("NOTFOUND-003"), Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (404, "<html>", Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (405, "", Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (302, "", Misconfigured, Code.DELETION_API_NOT_ANSWERED),
        (404, v2_error("TABLE-NOTFOUND-009"), Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (404, v2_error("SCHEMA-NOTFOUND-010"), Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (404, v2_error("ACCOUNT-NOTFOUND-021"), Misconfigured, Code.REMOTE_NAME_UNKNOWN),
        (422, "", Refused, Code.REMOTE_REFUSED),
    ],
)
def test_what_an_answer_to_a_submission_means(lytics, http, status, body, kind, code):
    content = {"body": body} if isinstance(body, str) else {"json": body}
    http.post(f"{BASE}/v2/identity/delete", status=status, **content)
    error = lytics.failure(lytics.account().api.submit, "user", "email", [ANA])
    assert (type(error), error.code) == (kind, code)


def test_the_vendors_code_and_correlation_id_are_kept_and_its_message_is_not(lytics, http):
    http.post(f"{BASE}/v2/identity/delete", status=400, json=v2_error("BADREQ-001", f"no such {ANA.reveal()}"))
    error = lytics.failure(lytics.account().api.submit, "user", "email", [ANA])
    assert error.detail == "status 400, code BADREQ-001, correlation id corr-1"


@pytest.mark.parametrize("code", [ANA.reveal(), "BADREQ-001 Ana@Example.com", 7, None, "x" * 300])
def test_a_code_that_looks_like_no_code_is_not_kept(lytics, http, code):
    body = {"request_id": "Ana@Example.com", "errors": [{"code": code}]}
    http.post(f"{BASE}/v2/identity/delete", status=400, json=body)
    assert lytics.failure(lytics.account().api.submit, "user", "email", [ANA]).detail == "status 400"


@pytest.mark.parametrize("body", [{"errors": None}, {"errors": []}, {"errors": ["x"]}, {"errors": {"a": 1}}, [1], 7])
def test_an_error_in_any_shape_is_still_an_error(lytics, http, body):
    http.post(f"{BASE}/v2/identity/delete", status=400, json=body)
    assert type(lytics.failure(lytics.account().api.submit, "user", "email", [ANA])) is Refused


@pytest.mark.parametrize(("message", "told"), [("Expired Token", True), ("Not authorized", False), (None, False)])
def test_an_expired_token_is_called_expired(lytics, http, message, told):
    http.get(f"{BASE}/v2/identity/delete/status", status=401, json={"message": message, "status": 401})
    assert ("expired" in lytics.failure(lytics.account().api.recent).detail) is told


def test_a_verb_that_is_not_allowed_concerns_the_api_only_when_the_api_was_asked(lytics, http):
    http.get(f"{BASE}/v2/x", status=405)
    assert type(lytics.failure(lytics.account().client.call, Purpose.LOOK_UP, "GET", "x")) is Refused


def test_a_value_that_no_url_can_carry_is_put_into_none(lytics, http):
    account = lytics.account()
    for value in ("..", "."):
        # A client would resolve this away and call another path.
        assert type(lytics.failure(account.client.call, Purpose.LOOK_UP, "GET", "identity", value)) is Refused
    assert len(http.calls) == 0


@pytest.mark.parametrize("data", [None, {"email": {}}, "x"])
def test_a_schema_in_another_shape_is_not_taken_for_an_empty_one(lytics, http, data):
    http.get(f"{BASE}/v2/schema/user/field", json={"data": data})
    assert type(lytics.failure(lytics.account().identity_fields, "user")) is Temporary


@pytest.mark.parametrize(
    ("name", "path", "status", "answer"),
    [
        (DeletionApiName.IDENTITY_DELETE, "delete/status", 200, True),
        (DeletionApiName.IDENTITY_DELETE, "delete/status", 404, False),
        (DeletionApiName.IDENTITY_DELETE, "delete/status", 405, False),
        (DeletionApiName.IDENTITY_DELETE, "delete/status", 400, None),
        (DeletionApiName.IDENTITY_QUEUE, "deletestatus/list", 200, True),
        (DeletionApiName.IDENTITY_QUEUE, "deletestatus/list", 404, None),
        (DeletionApiName.IDENTITY_QUEUE, "deletestatus/list", 405, False),
    ],
)
def test_the_probe_reads_only_and_says_none_when_it_cannot_tell(lytics, http, name, path, status, answer):
    other = {"delete/status": "deletestatus/list", "deletestatus/list": "delete/status"}[path]
    http.get(f"{BASE}/v2/identity/{path}", status=status, json=v2_error("NOTFOUND-003", status=status))
    http.get(f"{BASE}/v2/identity/{other}", json={"data": []})
    assert lytics.account().probe()[name] is answer


def test_a_page_in_between_that_answers_200_is_no_deletion_api(lytics, http):
    http.get(f"{BASE}/v2/identity/delete/status", body="<html>Please log in</html>")
    assert lytics.failure(lytics.account().probe).code is Code.REMOTE_ANSWER_UNREADABLE


def test_the_probe_says_when_the_token_is_refused(lytics, http):
    http.get(f"{BASE}/v2/identity/delete/status", status=401, json={"message": "Not authorized"})
    assert lytics.failure(lytics.account().probe).code is Code.TOKEN_REFUSED
