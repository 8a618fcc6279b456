"""The calling side of the fake OneTrust: what reaches the receiver, and how a switch bends it."""

import base64
import hashlib
import hmac
import json
import threading

import pytest
import requests

from connector.sandbox.onetrust_credentials import Basic, Bearer, Hmac, OAuth2, StaticHeader, build
from connector.sandbox.onetrust_template import published_template, render, unescaped
from connector.sandbox.serve import serve
from connector.sandbox.server import LoopbackServer

SECRET = "a-secret-that-is-long-enough-for-tests"


@pytest.fixture
def request_(onetrust):
    return onetrust.add_request("ana@example.com", identifiers={"Loyalty ID": "00481516"})


@pytest.fixture
def fire(onetrust, request_, workflow):
    return lambda *knobs, **valued: onetrust.fire([request_.subtask_id], knobs=dict.fromkeys(knobs) | valued)


def test_the_template_fills_in_and_leaves_what_is_missing_empty():
    data = {"a": {"b": "x", "c d": 1, "t": True, "l": ["p", "q"]}}
    text = """${a.b}|${(a.b)!}|${a.z.z}|${(a["c d"])!}|${a.t}|${a.l}|${(a.l?join('", "'))!}|${a.l?join("-")}|$a"""
    assert render(text, data) == 'x|x||1|true|p, q|p", "q|p-q|$a'


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(a.z)!'none'", "none"),
        ("((a.z)!'')?json_string", ""),
        ("((a.q)!'')?json_string", 'say \\"hi\\" \\\\ é'),
        ("a.q", 'say "hi" \\ é'),
        ("(a.t?c)!", "true"),
        ("(a.z?c)!", ""),
        ("((a.l?join(', '))!'')?json_string", "p, q"),
        ("((a.z?join(','))!'')?json_string", ""),
        ('( a . l ) ! "it\'s"', "p, q"),
        ("a['c d']", "1"),
        ("a.b['deeper']", ""),
    ],
)
def test_the_template_knows_the_expressions_that_are_published(expression, text):
    data = {"a": {"b": "x", "c d": 1, "t": True, "l": ["p", "q"], "q": 'say "hi" \\ é'}}
    assert render(f"${{{expression}}}", data) == text


@pytest.mark.parametrize(
    "expression", ["a?upper_case", "a?join", "a?join(1)", "(a", "a b", "a[0]", "1 + 1", "a.", "?c"]
)
def test_what_the_template_does_not_know_is_said(expression):
    with pytest.raises(ValueError, match="does not know this expression"):
        render(f"${{{expression}}}", {"a": "x"})


def test_the_published_template_escapes_what_people_write_and_leaves_out_the_event_id():
    said = {"identifiers": {"email": 'say "hi"'}, "subTaskId": "s1", "requestTypes": ['Delete "all"', "Access"]}
    rendered = json.loads(render(published_template(["email"]), {"event": {"eventId": "e1", "payload": said}}))
    assert rendered["identifiers"] == {"email": 'say "hi"'}
    assert rendered["requestTypes"] == 'Delete "all",Access'
    assert "eventId" not in rendered
    with pytest.raises(json.JSONDecodeError):
        json.loads(render(unescaped(published_template(["email"])), {"event": {"payload": said}}))


def test_the_default_body_is_the_published_contract(fire, receiver, request_):
    (delivery,) = fire()
    assert (delivery.status, delivery.answer, delivery.attempts) == (202, {"accepted": True}, 1)
    body = receiver.bodies[0]
    assert body.pop("eventId") == delivery.event_id
    assert body == {
        "schema": "consent-connector/v1",
        "event": "dsar.subtask.created",
        "occurredAt": "2026-09-21T14:13:20.000Z",
        "requestQueueRefId": request_.ref_id,
        "requestQueueId": request_.queue_id,
        "subTaskId": request_.subtask_id,
        "requestTypes": "Data Deletion",
        "countryCode": "DE",
        "deadline": "2026-10-21T14:13:20.000Z",
        "testRequest": "false",
        "identifiers": {"email": "ana@example.com", "Loyalty ID": "00481516"},
    }


def test_the_administrator_may_write_another_template_headers_and_method(onetrust, fire, receiver, workflow):
    workflow.template = '{"id": "${event.payload.subTaskId}", "gone": "${(event.payload.nothing)!}"}'
    workflow.headers["X-Extra"] = "1"
    fire()
    headers, _ = receiver.calls[0]
    assert headers["x-extra"] == "1"
    assert receiver.bodies[0]["gone"] == ""


def test_simple_credentials(fire, receiver, workflow):
    workflow.credentials = (StaticHeader("s3", "X-Secret"), Basic("jo", "pw"))
    fire()
    headers, _ = receiver.calls[0]
    assert (headers["x-secret"], base64.b64decode(headers["authorization"][6:])) == ("s3", b"jo:pw")
    workflow.credentials = (Bearer("tok"),)
    fire("wrong_secret")
    assert receiver.calls[1][0]["authorization"] == "Bearer tok-but-wrong"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("signed", ["body", "timestamp_body"])
def test_hmac_signs_the_raw_bytes(fire, receiver, workflow, clock, algorithm, encoding, signed):
    workflow.credentials = (Hmac(SECRET, "X-Sig", algorithm, encoding, "v1=", signed, ":", "X-Time"),)
    fire()
    headers, body = receiver.calls[0]
    text = body if signed == "body" else b"%d:" % clock() + body
    digest = hmac.digest(SECRET.encode(), text, getattr(hashlib, algorithm))
    expected = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert (headers["x-sig"], headers["x-time"]) == (f"v1={expected}", str(int(clock())))


def test_hmac_without_a_timestamp_header(fire, receiver, workflow):
    workflow.credentials = (Hmac(SECRET, signed="body", timestamp_header=""),)
    fire()
    assert "x-onetrust-timestamp" not in receiver.calls[0][0]


def test_oauth2_fetches_a_token_once_and_again_when_it_expires(onetrust, fire, receiver, workflow, clock):
    url = onetrust.url + "/api/access/v1/oauth/token"
    workflow.credentials = (OAuth2(url, *onetrust.access.credential, scope="x"),)
    fire()
    fire()
    assert onetrust.calls["token"] == 1
    clock.advance(4000)
    fire()
    assert onetrust.calls["token"] == 2
    assert receiver.calls[0][0]["authorization"].startswith("Bearer sandbox.")
    fire("wrong_secret")
    assert receiver.calls[-1][0]["authorization"].endswith("wrong")
    clock.advance(4000)
    onetrust.faults.turn_on("token_refused")
    (delivery,) = fire()
    assert (delivery.status, delivery.error) == (None, "no token: HTTPError")


def verified(receiver, clock, index=-1):
    headers, body = receiver.calls[index]
    stamp = headers["x-onetrust-timestamp"]
    expected = hmac.digest(SECRET.encode(), stamp.encode() + b"." + body, "sha256").hex()
    return hmac.compare_digest(expected, headers["x-onetrust-signature"]), int(stamp) - int(clock())


def test_knobs_break_the_signature_in_their_own_way(fire, receiver, workflow, clock):
    workflow.credentials = (Hmac(SECRET),)
    fire()
    assert verified(receiver, clock) == (True, 0)
    fire("wrong_secret")
    assert verified(receiver, clock) == (False, 0)
    fire("old_timestamp")
    assert verified(receiver, clock) == (True, -3600)
    fire(future_timestamp=600)
    assert verified(receiver, clock) == (True, 600)
    fire("tampered_body")
    assert verified(receiver, clock) == (False, 0)
    assert receiver.bodies[-1]["tampered"] is True
    fire("missing_header")
    assert "x-onetrust-signature" not in receiver.calls[-1][0]


def test_replayed_body_is_the_same_bytes_and_headers_later(fire, receiver, workflow, clock):
    workflow.credentials = (Hmac(SECRET),)
    assert [delivery.kind for delivery in fire("replayed_body")] == ["event", "replay"]
    clock.advance(900)
    assert [delivery.kind for delivery in fire("replayed_body")] == ["replay"]
    assert verified(receiver, clock) == (True, -900)
    assert receiver.calls[0][1] == receiver.calls[1][1] == receiver.calls[2][1]


def test_knobs_bend_the_body(fire, receiver):
    fire("unescaped_quote")
    with pytest.raises(json.JSONDecodeError):
        json.loads(receiver.calls[-1][1])
    receiver.calls.clear()
    fire("unrendered_placeholder")
    assert receiver.bodies[-1]["identifiers"]["email"].startswith("${")
    fire("oversized_body")
    assert len(receiver.calls[-1][1]) > 300 * 1024
    assert receiver.bodies[-1]["schema"]
    fire("text_plain")
    assert receiver.calls[-1][0]["content-type"] == "text/plain"


def test_duplicate_delivers_the_same_event_again(fire, receiver):
    assert [delivery.kind for delivery in fire(duplicate=3)] == ["event", "duplicate", "duplicate"]
    assert receiver.bodies[0] == receiver.bodies[1] == receiver.bodies[2]


def test_apply_each_makes_one_call_per_identifier(fire, receiver):
    fire("apply_each")
    first, second = receiver.bodies
    assert (first["identifiers"], second["identifiers"]) == (
        {"email": "ana@example.com", "Loyalty ID": ""},
        {"email": "", "Loyalty ID": "00481516"},
    )
    assert first["eventId"] == second["eventId"]
    fire(apply_each="own")
    assert receiver.bodies[2]["eventId"] != receiver.bodies[3]["eventId"]


def test_doubled_event_id_has_other_content(fire, receiver):
    fire("doubled_event_id")
    first, second = receiver.bodies
    assert first["eventId"] == second["eventId"]
    assert first["identifiers"] != second["identifiers"]


def test_out_of_order_reverses_a_batch(onetrust, receiver, workflow):
    ids = [onetrust.add_request(f"p{number}@example.com").subtask_id for number in range(3)]
    onetrust.fire(ids, knobs=["out_of_order"])
    onetrust.faults.turn_on("out_of_order", times=1)
    onetrust.fire(ids)
    assert [body["subTaskId"] for body in receiver.bodies] == ids[::-1] * 2


def test_retries_repeat_the_same_event_and_stop_at_a_refusal(onetrust, fire, receiver):
    receiver.statuses = [503, 500, 202]
    (delivery,) = fire(retries=3)
    assert (delivery.status, delivery.attempts) == (202, 3)
    assert len({body["eventId"] for body in receiver.bodies}) == 1
    receiver.statuses = [422]
    (delivery,) = fire(retries=3)
    assert (delivery.status, delivery.attempts, delivery.is_accepted) == (422, 1, False)


def test_client_timeout_gives_up(onetrust, request_, workflow):
    gate = threading.Event()

    def slow(_environ, start_response):
        gate.wait(5)
        start_response("202 Accepted", [])
        return [b""]

    with LoopbackServer(slow) as server:
        workflow.url = server.url
        (delivery,) = onetrust.fire([request_.subtask_id], knobs={"client_timeout": 0.05})
        gate.set()
    assert (delivery.status, delivery.error) == (None, "ReadTimeout")


def test_dead_letters_are_replayed_with_a_fresh_signature(onetrust, fire, receiver, workflow, clock):
    workflow.credentials = (Hmac(SECRET),)
    assert fire("dead_letter") == []
    receiver.statuses = [503]
    (failed,) = fire("wrong_secret")
    receiver.statuses = [202]
    clock.advance(86400)
    replayed = onetrust.outbound.replay_dead_letters()
    assert [(delivery.kind, delivery.status) for delivery in replayed] == [("dead_letter", 202)] * 2
    assert replayed[1].event_id == failed.event_id
    assert verified(receiver, clock) == (True, 0)
    assert onetrust.outbound.dead_letters == []


def test_the_workflow_may_set_the_subtask_itself(onetrust, fire, receiver, workflow, request_):
    workflow.on_success, workflow.on_failure = "COMPLETED", "FAILED"
    fire()
    receiver.statuses = [401]
    fire()
    history = [(entry["by"], entry["status"]) for entry in onetrust.history(request_.subtask_id)]
    assert history == [("workflow", "COMPLETED"), ("workflow", "FAILED")]


def test_many_are_fired_at_once_and_all_answers_are_recorded(onetrust, receiver, workflow):
    ids = [onetrust.add_request(f"p{number}@example.com").subtask_id for number in range(40)]
    deliveries = onetrust.fire(ids, threads=4)
    assert [delivery.subtask_id for delivery in deliveries] == ids
    assert {delivery.status for delivery in deliveries} == {202}
    assert len(onetrust.snapshot()["deliveries"]) == len(receiver.calls) == 40


def test_a_receiver_that_is_away_is_recorded_as_no_answer(fire, workflow):
    with LoopbackServer(lambda _environ, _start: []) as gone:
        workflow.url = gone.url
    (delivery,) = fire()
    assert (delivery.status, delivery.error) == (None, "ConnectionError")


def test_knobs_may_be_turned_on_like_any_switch(onetrust, fire, receiver):
    onetrust.faults.turn_on("duplicate", times=1, operation="outbound")
    assert len(fire()) == 2
    assert len(fire()) == 1


def test_what_does_not_exist_is_refused(onetrust, fire):
    with pytest.raises(ValueError, match="no knob"):
        fire("nonsense")
    with pytest.raises(ValueError, match="takes one of"):
        fire(retries=9)
    with pytest.raises(ValueError, match="no such subtask"):
        onetrust.fire(["unknown"])
    onetrust.outbound.workflow = None
    with pytest.raises(ValueError, match="no workflow"):
        fire()
    with pytest.raises(ValueError, match="no credential kind"):
        build("magic")


def test_everything_can_be_driven_at_run_time(onetrust, dsar, receiver):
    workflow = {"url": receiver.url, "credentials": [{"kind": "hmac", "secret": SECRET}], "retries": 1}
    assert dsar("POST", "/_sandbox/workflow", json=workflow).json()["credentials"] == 1
    wanted = {"requests": [{"email": "ana@example.com"}, {"email": "bo@example.com"}]}
    made = dsar("POST", "/_sandbox/requests", json=wanted).json()["requests"]
    one = [made[0]["subtask_id"]]
    fired = dsar("POST", "/_sandbox/fire", json={"subTaskIds": one, "knobs": {"duplicate": 2}}).json()["deliveries"]
    assert [delivery["status"] for delivery in fired] == [202, 202]
    assert len(dsar("POST", "/_sandbox/fire", json={"threads": 2}).json()["deliveries"]) == 2
    dsar("POST", "/_sandbox/fire", json={"subTaskIds": one, "knobs": ["dead_letter"]})
    assert len(dsar("POST", "/_sandbox/replay").json()["deliveries"]) == 1
    decided = {"subTaskId": one[0], "status": "REJECTED"}
    assert dsar("POST", "/_sandbox/person", json=decided).json()["history"][0]["by"] == "person"
    state = dsar("GET", "/_sandbox/state").json()
    assert state["subtasks"][one[0]]["status"] == "REJECTED"
    assert len(state["deliveries"]) == 5
    assert dsar("POST", "/_sandbox/requests", json={"colour": "red"}).status_code == 400
    assert dsar("POST", "/_sandbox/fire", json={"knobs": ["nonsense"]}).status_code == 400


def test_both_fakes_are_served_until_stopped(receiver):
    stop, answered = threading.Event(), []

    def ready(lytics, onetrust):
        answered.extend(
            requests.get(f"{fake.url}/_sandbox/state", timeout=5).status_code for fake in (lytics, onetrust)
        )
        answered.append((len(lytics.profiles), len(onetrust.desk.requests)))
        answered.append(onetrust.fire(list(onetrust.desk.subtasks)[:1])[0].status)
        stop.set()

    serve(0, 0, receiver.url, people=10, stop=stop, ready=ready)
    assert answered == [200, 200, (9, 10), 202]
