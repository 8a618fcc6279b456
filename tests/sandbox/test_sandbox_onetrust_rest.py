"""The side of the fake OneTrust that takes our calls."""

import json

import pytest
import requests

from connector.sandbox.defaults import ONETRUST_API_KEY, ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_state import RESOLUTIONS

TOKEN = "/api/access/v1/oauth/token"
QUEUES = "/api/datasubject/v2/requestqueues"
SUBTASKS = "/api/datasubject/v2/subtasks"
V3 = "/api/datasubject/v3/subtasks"
FORM = {"grant_type": "client_credentials", "client_id": ONETRUST_CLIENT_ID, "client_secret": ONETRUST_CLIENT_SECRET}
ERASED = RESOLUTIONS[0].id


@pytest.fixture
def request_(onetrust):
    return onetrust.add_request("ana@example.com", identifiers={"Loyalty ID": "00481516"})


@pytest.fixture
def status(dsar, request_):
    return lambda **body: dsar("PUT", f"{SUBTASKS}/{request_.subtask_id}/status", json=body)


def test_a_token_is_given_in_three_encodings(onetrust):
    url = onetrust.url + TOKEN
    basic = requests.auth.HTTPBasicAuth(ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET)
    multipart = {name: (None, value) for name, value in FORM.items()}
    answers = [
        requests.post(url, files=multipart, timeout=5),
        requests.post(url, data=FORM, timeout=5),
        requests.post(url, data={"grant_type": "client_credentials"}, auth=basic, timeout=5),
    ]
    assert [answer.json()["token_type"] for answer in answers] == ["bearer"] * 3
    assert onetrust.snapshot()["tokens_issued"] == {"multipart": 1, "form": 1, "basic": 1}


def test_the_summary_tells_how_often_a_subtask_was_closed_and_what_came_after(onetrust, dsar, status, request_):
    other = onetrust.add_request("bo@example.com")
    onetrust.person_sets(other.subtask_id, "COMPLETED")
    for word in ("IN_PROGRESS", "COMPLETED", "COMPLETED", "FAILED"):
        assert status(status=word, comment="c").status_code == 200
    summary = dsar("GET", "/_sandbox/summary").json()
    assert summary["statuses"] == {"FAILED": 1, "COMPLETED": 1}
    assert summary["times_closed"] == {"2": 1, "0": 1}
    assert summary["written_when_closed"] == 2
    assert summary["last_written_at"] == onetrust.now()


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"grant_type": "password"}, 400), ({"client_secret": "wrong"}, 401), ({"client_id": ""}, 401)],
)
def test_a_wrong_credential_gets_no_token(onetrust, change, expected):
    answer = requests.post(onetrust.url + TOKEN, data=FORM | change, timeout=5)
    assert answer.status_code == expected
    assert answer.json()["error"]
    broken = requests.post(onetrust.url + TOKEN, data=FORM, headers={"Authorization": "Basic ???"}, timeout=5)
    assert broken.status_code == 401


def test_token_refused_and_token_short_lived_and_the_end_of_a_token(onetrust, dsar, clock, request_):
    path = f"{SUBTASKS}/{request_.subtask_id}"
    onetrust.faults.turn_on("token_refused", times=1)
    assert dsar("POST", TOKEN, data=FORM).status_code == 401
    onetrust.faults.turn_on("token_short_lived", 10, times=1)
    assert dsar("POST", TOKEN, data=FORM).json()["expires_in"] == 9
    onetrust.faults.turn_on("token_expired", times=1)
    assert [dsar("GET", path).status_code for _ in range(2)] == [401, 200]
    clock.advance(3600)
    assert dsar("GET", path).status_code == 401


@pytest.mark.parametrize(
    "headers", [{"Authorization": None}, {"Authorization": None, "APIKey": "x"}, {"Authorization": "Bearer x"}]
)
def test_without_a_good_token_the_answer_is_401(dsar, headers):
    assert dsar("GET", f"{QUEUES}/en-us", headers=headers).status_code == 401


def test_every_path_has_its_scope(clock):
    with FakeOneTrust(clock=clock, scopes=("DSAR_READ",)) as fake, requests.Session() as session:
        entry = fake.add_request("ana@example.com")
        token = session.post(fake.url + TOKEN, data=FORM, timeout=5).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        subtask = f"{fake.url}{SUBTASKS}/{entry.subtask_id}"
        assert session.get(subtask, timeout=5).status_code == 200
        assert session.put(f"{subtask}/status", json={"status": "IN_PROGRESS"}, timeout=5).status_code == 403
        assert session.post(f"{fake.url}/api/document/v2/attachments", timeout=5).status_code == 403
        assert fake.history(entry.subtask_id) == []


def test_scope_missing_takes_a_scope_away(onetrust, dsar, status):
    onetrust.faults.turn_on("scope_missing", operation="subtask_status", times=1)
    assert status(status="IN_PROGRESS").status_code == 403
    onetrust.faults.turn_on("scope_missing", "DSAR_WRITE", times=1)
    assert status(status="IN_PROGRESS").status_code == 403
    assert status(status="IN_PROGRESS").status_code == 200


def test_get_request_shows_form_labels_and_belongs_to_its_subtask(dsar, request_):
    body = dsar("GET", f"{QUEUES}/{request_.ref_id}/language/en-us").json()
    assert body["requestAdditionalData"] == {"Loyalty ID": "00481516"}
    assert json.loads(body["additionalData"]) == body["requestAdditionalData"]
    assert body["legalDeadLineInfo"]["testRequest"] is False
    subtask = dsar("GET", f"{SUBTASKS}/{request_.subtask_id}?includeComments=true").json()
    assert (subtask["requestQueueId"], subtask["status"]) == (body["requestQueueId"], "OPEN")
    assert {"taskName", "statusCode", "type", "integrationWorkflowId"} <= set(subtask)
    assert dsar("GET", f"{QUEUES}/AAAAAAAAAA/language/en-us").status_code == 404
    assert dsar("GET", f"{SUBTASKS}/unknown").status_code == 404


def test_lists_are_paged_and_may_be_bare_arrays(onetrust, dsar):
    for number in range(5):
        onetrust.add_request(f"p{number}@example.com", stage="New" if number else "In Progress")
    page = dsar("GET", f"{QUEUES}/en-us?page=1&size=2&sort=email,desc").json()
    assert [item["email"] for item in page["content"]] == ["p2@example.com", "p1@example.com"]
    assert (page["totalElements"], page["totalPages"], page["last"]) == (5, 3, False)
    assert dsar("GET", f"{QUEUES}/en-us?status=In%20Progress").json()["totalElements"] == 1
    assert dsar("GET", f"{QUEUES}/en-us?status=In%2520Progress").json()["totalElements"] == 0
    assert dsar("GET", f"{QUEUES}/en-us?size=501").status_code == 400
    assert dsar("GET", f"{QUEUES}/en-us?size=x").status_code == 400
    assert dsar("GET", f"{QUEUES}/en-us?sort=colour,asc").status_code == 500
    onetrust.faults.turn_on("bare_array")
    assert len(dsar("GET", f"{QUEUES}/en-us").json()) == 5


def test_dates_of_a_list_are_days(onetrust, dsar, clock):
    onetrust.add_request("ana@example.com")
    clock.advance(3 * 86400)
    fresh = {"Authorization": f"Bearer {ONETRUST_API_KEY}"}
    assert dsar("GET", f"{QUEUES}/en-us?createddate=20260921", headers=fresh).json()["totalElements"] == 1
    assert dsar("GET", f"{QUEUES}/en-us?modifieddate=20260922", headers=fresh).json()["totalElements"] == 0
    assert dsar("GET", f"{QUEUES}/en-us?modifieddate=2026-09-22", headers=fresh).status_code == 400


def test_search_finds_by_term(dsar, request_):
    found = dsar("POST", f"{QUEUES}/search/en-us", json={"term": "ANA@"}).json()["content"]
    assert [item["requestQueueRefId"] for item in found] == [request_.ref_id]


def test_subtasks_are_listed_by_filter_and_by_request(onetrust, dsar, request_, clock):
    other = onetrust.add_request("bo@example.com", subtask_name="Other system", request_types=["Access"])
    onetrust.person_sets(onetrust.add_request("done@example.com").subtask_id, "COMPLETED")

    def listed(query="", **wanted):
        return [item["requesterEmail"] for item in dsar("POST", V3 + query, json=wanted).json()["content"]]

    assert listed() == ["ana@example.com", "bo@example.com"]
    assert listed("?includeClosedSubtasks=true", SubtaskStatus=["Completed"]) == ["done@example.com"]
    assert listed(SystemName="CDP") == ["ana@example.com"]
    assert listed(SystemName="CDP", ExactSystemNameMatch=True) == []
    assert listed(RequestType="Access") == ["bo@example.com"]
    assert listed(SubtaskType="manual") == []
    assert listed(SubtaskStatus=["Failed"]) == []
    assert listed(SubtaskDateUpdated={"EndDate": "2020-01-01T00:00:00.000Z"}) == []
    onetrust.desk.requests[other.ref_id].stage = "COMPLETE"
    assert listed(OpenRequests=True) == ["ana@example.com"]
    own = dsar("GET", f"{QUEUES}/{request_.ref_id}/subtasks").json()["content"]
    assert [item["subTaskId"] for item in own] == [request_.subtask_id]
    assert dsar("GET", f"{QUEUES}/AAAAAAAAAA/subtasks").status_code == 404


def test_the_old_subtask_list_warns_and_omits_closed_ones(onetrust, dsar, request_):
    onetrust.person_sets(onetrust.add_request("done@example.com").subtask_id, "COMPLETED")
    answer = dsar("GET", SUBTASKS)
    assert answer.headers["Warning"].startswith("299 ")
    assert [item["subTaskId"] for item in answer.json()["content"]] == [request_.subtask_id]


def test_every_status_write_is_kept_in_order(onetrust, status, request_):
    assert status(status="IN_PROGRESS", comment="accepted").json() is True
    onetrust.person_sets(request_.subtask_id, "REJECTED")
    assert status(status="COMPLETED", resolutionId=ERASED).status_code == 200
    history = [(entry["by"], entry["previous"], entry["status"]) for entry in onetrust.history(request_.subtask_id)]
    assert history == [
        ("api", "OPEN", "IN_PROGRESS"),
        ("person", "IN_PROGRESS", "REJECTED"),
        ("api", "REJECTED", "COMPLETED"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "OPEN"},
        {"status": "IN_PROGRESS", "resolutionId": ERASED},
        {"status": "FAILED", "resolutionId": ERASED},
        {"status": "COMPLETED", "resolutionId": "unknown"},
        {"status": "COMPLETED", "resolutionId": RESOLUTIONS[3].id},
        {"status": "COMPLETED", "comment": "x" * 1_500_001},
        {},
    ],
)
def test_a_status_that_is_not_allowed_is_refused(onetrust, status, request_, body):
    assert status(**body).status_code == 400
    assert onetrust.history(request_.subtask_id) == []


def test_a_form_body_or_broken_json_is_refused(dsar, request_):
    path = f"{SUBTASKS}/{request_.subtask_id}/status"
    assert dsar("PUT", path, data={"status": "COMPLETED"}).status_code == 400
    headers = {"Content-Type": "application/json"}
    assert dsar("PUT", path, data=b"{", headers=headers).status_code == 400
    assert dsar("PUT", path, data=b"[]", headers=headers).status_code == 400


def test_required_comment_and_resolution(onetrust, dsar):
    entry = onetrust.add_request("ana@example.com", comment_required=True, resolution_required=True)
    path = f"{SUBTASKS}/{entry.subtask_id}/status"
    assert dsar("PUT", path, json={"status": "COMPLETED", "resolutionId": ERASED}).status_code == 400
    assert dsar("PUT", path, json={"status": "COMPLETED", "comment": "x"}).status_code == 400
    assert dsar("PUT", path, json={"status": "COMPLETED", "comment": "x", "resolutionId": ERASED}).status_code == 200


def test_closed_conflict_and_not_found(onetrust, status, request_):
    onetrust.person_sets(request_.subtask_id, "COMPLETED")
    onetrust.faults.turn_on("closed_conflict")
    assert status(status="FAILED").status_code == 409
    onetrust.faults.turn_on("not_found", times=1)
    assert status(status="FAILED").status_code == 404
    assert len(onetrust.history(request_.subtask_id)) == 1


def upload(dsar, request_, name="evidence.csv", content=b"a,b\n", **about):
    about = {"FileName": name, "Type": 30, "RefIds": [request_.queue_id]} | about
    files = {"file": (name, content)}
    return dsar("POST", "/api/document/v2/attachments", files=files, data={"attachment": json.dumps(about)})


def test_complete_needs_a_comment_and_the_flag_and_known_files(onetrust, dsar, request_):
    path = f"{SUBTASKS}/{request_.subtask_id}/complete"
    assert dsar("PUT", path, json={"markAsComplete": True}).status_code == 400
    assert dsar("PUT", path, json={"comment": "only a comment"}).status_code == 200
    assert onetrust.history(request_.subtask_id) == []
    bad = [{"fileName": "evidence.csv", "fileId": "unknown"}]
    assert dsar("PUT", path, json={"comment": "x", "attachments": bad}).status_code == 400
    assert dsar("PUT", path, json={"comment": "x", "attachments": [{"fileId": "x"}]}).status_code == 400
    good = [{"fileName": "evidence.csv", "fileId": upload(dsar, request_).json()["Id"]}]
    done = {"comment": "done", "markAsComplete": True, "attachments": good, "resolutionId": ERASED}
    assert dsar("PUT", path, json=done).status_code == 200
    assert [entry["status"] for entry in onetrust.history(request_.subtask_id)] == ["COMPLETED"]
    comments = dsar("GET", f"{SUBTASKS}/{request_.subtask_id}?includeComments=true").json()["subTaskV2CommentsDtoList"]
    assert [entry["comment"] for entry in comments] == ["only a comment", "done"]


def test_complete_refused(onetrust, dsar, request_):
    onetrust.faults.turn_on("complete_refused", 403, times=1)
    assert dsar("PUT", f"{SUBTASKS}/{request_.subtask_id}/complete", json={"comment": "x"}).status_code == 403


def test_complete_comments_only(onetrust, dsar, request_):
    onetrust.faults.turn_on("complete_comments_only", times=1)
    path, done = f"{SUBTASKS}/{request_.subtask_id}/complete", {"comment": "done", "markAsComplete": True}
    assert dsar("PUT", path, json=done).status_code == 200
    assert onetrust.history(request_.subtask_id) == []
    assert dsar("PUT", path, json=done).status_code == 200
    assert [one["status"] for one in onetrust.history(request_.subtask_id)] == ["COMPLETED"]


def test_an_upload_names_one_request_by_uuid_and_has_an_allowed_extension(onetrust, dsar, request_):
    assert upload(dsar, request_).status_code == 201
    assert upload(dsar, request_, name="evidence.json").status_code == 400
    assert upload(dsar, request_, RefIds=[request_.ref_id]).status_code == 400
    assert upload(dsar, request_, RefIds=[request_.queue_id] * 2).status_code == 400
    assert upload(dsar, request_, RefIds=["00000000-0000-4000-8000-000000000000"]).status_code == 400
    assert upload(dsar, request_, Type=1).status_code == 400
    assert upload(dsar, request_, content=b"").status_code == 400
    assert dsar("POST", "/api/document/v2/attachments", data={"attachment": "{}"}).status_code == 400
    onetrust.faults.turn_on("extension_refused", times=1)
    assert upload(dsar, request_).status_code == 400
    assert onetrust.snapshot()["files"][0]["content"] == "a,b\n"


def test_reprocess_fires_again_only_for_unfinished_system_subtasks(onetrust, dsar, request_, receiver, workflow):
    path = f"{SUBTASKS}/{request_.subtask_id}/reprocess"
    assert dsar("PUT", path, json={"Comment": "again"}).status_code == 200
    assert [body["subTaskId"] for body in receiver.bodies] == [request_.subtask_id]
    onetrust.person_sets(request_.subtask_id, "COMPLETED")
    assert dsar("PUT", path).status_code == 400
    manual = onetrust.add_request("bo@example.com", subtask_type="USER_TASK")
    assert dsar("PUT", f"{SUBTASKS}/{manual.subtask_id}/reprocess").status_code == 400
    assert len(receiver.calls) == 1


def test_comments_custom_fields_stages_and_deadline(onetrust, dsar, request_):
    base = f"{QUEUES}/{request_.ref_id}"
    assert dsar("PUT", f"{base}/comments", json={"comment": "x"}).status_code == 400
    assert dsar("PUT", f"{base}/comments", json={"comment": "x", "internalComment": True}).status_code == 200
    assert request_.comments[0]["isInternalComment"] is True
    assert dsar("PUT", f"{base}/customfields/en-us", json={"deleted": 3}).status_code == 400
    assert dsar("PUT", f"{base}/customfields/en-us", json={"deleted": "3"}).status_code == 200
    assert request_.custom_fields == {"deleted": "3"}
    assert dsar("PUT", f"{base}/movestages/en-us", json={}).status_code == 400
    assert dsar("PUT", f"{base}/movestages/en-us", json={"nextStage": "COMPLETE"}).status_code == 400
    onetrust.person_sets(request_.subtask_id, "COMPLETED")
    moved = dsar("PUT", f"{base}/movestages/en-us", json={"nextStage": "COMPLETE"}).json()
    assert (moved["requestQueueId"], moved["currentStage"]) == (request_.ref_id, "COMPLETE")
    assert dsar("PUT", f"{base}/pausedeadline", json={"pauseDeadline": "yes"}).status_code == 400
    assert dsar("PUT", f"{base}/pausedeadline", json={"pauseDeadline": True}).status_code == 200
    paused = dsar("GET", f"{base}/language/en-us").json()
    assert "deadline" not in paused
    assert paused["additionalStatuses"] == "PAUSED"


def test_resolutions_of_subtasks_only_when_asked(dsar):
    path = "/api/datasubject/v2/resolutions?language=en-us"
    assert {item["type"] for item in dsar("GET", path).json()} == {10}
    assert {item["type"] for item in dsar("GET", f"{path}&includeSubTaskResolutions=true").json()} == {10, 20}


def test_rate_limited_carries_five_headers(onetrust, status):
    onetrust.faults.turn_on("rate_limited", 2135, times=1)
    answer = status(status="IN_PROGRESS")
    names = ("Retry-After", "ot-period", "ot-requests-allowed", "ot-request-made", "ot-ratelimit-event-id")
    assert answer.status_code == 429
    assert [answer.headers[name] for name in names][:2] == ["2135", "HOUR"]
    assert all(answer.headers[name] for name in names)
    onetrust.faults.turn_on("rate_limited", times=1)
    assert status(status="IN_PROGRESS").headers["ot-period"] == "MINUTE"


def test_retry_after_missing(onetrust, status):
    onetrust.faults.turn_on("rate_limited", 2135)
    onetrust.faults.turn_on("retry_after_missing", times=1)
    answer = status(status="IN_PROGRESS")
    assert (answer.status_code, "Retry-After" in answer.headers, answer.headers["ot-period"]) == (429, False, "HOUR")
    assert status(status="IN_PROGRESS").headers["Retry-After"] == "2135"


@pytest.mark.parametrize(
    ("shape", "content_type", "start"),
    [
        ("object", "application/json", "{"),
        ("string", "application/json", '"'),
        ("list", "application/json", '{"validationErrors'),
        ("text", "text/plain", "status must"),
        ("html", "text/html", "<html>"),
        ("empty", "text/plain", ""),
    ],
)
def test_error_shape(onetrust, status, shape, content_type, start):
    onetrust.faults.turn_on("error_shape", shape, operation="subtask_status")
    answer = status(status="nonsense")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith(content_type)
    assert answer.text.startswith(start)


def test_deprecation_warning(onetrust, status):
    onetrust.faults.turn_on("deprecation_warning", operation="subtask_status", times=1)
    assert status(status="IN_PROGRESS").headers["Warning"].startswith("299 ")


def test_visibility_delay_hides_a_new_request(onetrust, dsar, request_, clock):
    onetrust.faults.turn_on("visibility_delay", 90)
    path = f"{QUEUES}/{request_.ref_id}/language/en-us"
    assert dsar("GET", path).status_code == 404
    assert dsar("GET", f"{QUEUES}/en-us").json()["content"] == []
    clock.advance(90)
    assert dsar("GET", path).status_code == 200


def test_dates_types_and_timer_come_in_odd_forms(onetrust, dsar, request_):
    path = f"{QUEUES}/{request_.ref_id}/language/en-us"
    assert dsar("GET", path).json()["dateCreated"] == "2026-09-21T14:13:20.000Z"
    onetrust.faults.turn_on("date_format", times=1)
    assert dsar("GET", path).json()["dateCreated"] == "2026-09-21T14:13:20Z"
    onetrust.faults.turn_on("date_format", "micros", times=1)
    assert dsar("GET", path).json()["dateCreated"] == "2026-09-21T14:13:20.000000Z"
    request_.request_types.append("Update Data")
    onetrust.faults.turn_on("packed_types", times=1)
    assert dsar("GET", path).json()["requestTypes"] == ["Data Deletion, Update Data"]
    onetrust.faults.turn_on("timer_as_number", times=1)
    assert dsar("GET", path).json()["additionalStatuses"] == 0


def test_the_inbound_webhook_wants_a_bearer_and_takes_a_key_in_the_query_only_if_opaque(onetrust, dsar):
    path = "/integrationmanager/api/v1/webhook/0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21"
    assert dsar("POST", path, json={"a": 1}).json()["requestId"]
    nobody = {"Authorization": None}
    assert dsar("POST", path, json={}, headers=nobody).status_code == 401
    token = dsar.session.headers["Authorization"]
    assert dsar("POST", path, json={}, headers=nobody, params={"Authorization": token}).status_code == 401
    key = {"Authorization": f"Bearer {ONETRUST_API_KEY}"}
    assert dsar("POST", path, json={}, headers=nobody, params=key).status_code == 202
    assert dsar("POST", path, data={"dataFields": '{"b": 2}'}).status_code == 202
    assert dsar("POST", path, data=b"x").status_code == 400
    assert [entry["payload"] for entry in onetrust.snapshot()["inbound"]] == [{"a": 1}, {}, {"b": 2}]


def test_a_request_exists_once(onetrust, request_):
    with pytest.raises(ValueError, match="exists already"):
        onetrust.add_request("x@example.com", ref_id=request_.ref_id)


def test_a_path_without_the_prefix_does_not_exist(dsar, request_):
    assert dsar("GET", f"/v2/subtasks/{request_.subtask_id}").status_code == 404
