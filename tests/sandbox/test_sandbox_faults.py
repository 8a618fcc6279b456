"""The registry of switches, its run-time routes, and the transport switches that both fakes share."""

from email.utils import parsedate_to_datetime

import pytest
import requests

from connector.sandbox.faults import Faults, Switch, UnknownFaultError

LOOKUP = {"table": "user", "key": "email", "value": "ana@example.com"}


@pytest.fixture
def faults():
    registry = Faults(
        {"slow": Switch("Slow.", 1.0), "shape": Switch("Shape.", "a", ("a", "b")), "plain": Switch("Plain.")}
    )
    registry.operations |= {"read", "write"}
    return registry


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nonsense",), {}, "no switch 'nonsense'; there are: plain, shape, slow"),
        (("slow",), {"operation": "fly"}, "no operation 'fly'"),
        (("slow", "much"), {}, "takes a number"),
        (("shape", "c"), {}, "takes one of"),
        (("plain",), {"times": 0}, "times must be"),
        (("plain",), {"after": -1}, "after must be"),
        (("plain",), {"share": 0}, "share must be"),
        (("plain",), {"share": 1.5}, "share must be"),
        (("plain",), {"share": True}, "share must be"),
    ],
)
def test_what_does_not_exist_is_refused(faults, arguments, options, message):
    with pytest.raises(UnknownFaultError, match=message):
        faults.turn_on(*arguments, **options)


def test_a_switch_counts_its_uses_lets_calls_through_first_and_keeps_to_its_operation(faults):
    faults.turn_on("plain", times=2, after=1, operation="write")
    assert faults.take("plain", "read") is None
    assert [faults.take("plain", "write") is not None for _ in range(4)] == [False, True, True, False]
    assert not faults


def test_a_switch_meets_its_share_of_the_calls_and_says_how_many_those_were(faults):
    faults.turn_on("plain", share=0.25)
    met = sum(faults.take("plain", "read") is not None for _ in range(4000))
    assert 800 < met < 1200
    assert faults.used == {"plain": met}


def test_the_limit_of_uses_counts_only_calls_that_were_met(faults):
    faults.turn_on("plain", share=0.5, times=3)
    assert sum(faults.take("plain", "read") is not None for _ in range(100)) == 3
    assert not faults


def test_a_switch_carries_its_value_or_the_default(faults):
    faults.turn_on("slow")
    assert faults.take("slow", "read").value == 1.0
    faults.turn_off("slow")
    faults.turn_on("slow", 3)
    assert faults.take("slow", "read").value == 3
    with pytest.raises(UnknownFaultError):
        faults.turn_off("nonsense")


def test_a_switch_without_an_operation_may_be_kept_to_some(faults):
    faults.turn_on("plain")
    assert faults.take("plain", "read", unless_named={"write"}) is None
    assert faults.take("plain", "write", unless_named={"write"})


def test_switches_are_set_and_cleared_at_run_time(call):
    wanted = {"name": "server_error", "times": 1, "operation": "lookup_post"}
    assert call("POST", "/_sandbox/faults", json=wanted).json()["on"][0]["name"] == "server_error"
    assert call("POST", "/v2/identity/lookup", json=LOOKUP).status_code == 500
    assert call("POST", "/v2/identity/lookup", json=LOOKUP).status_code == 404
    call("POST", "/_sandbox/faults", json={"name": "stuck"})
    call("POST", "/_sandbox/faults", json={"name": "latency"})
    assert call("DELETE", "/_sandbox/faults?name=stuck").json()["turned_off"] == 1
    assert call("DELETE", "/_sandbox/faults").json() == {"turned_off": 1, "on": []}
    listed = call("GET", "/_sandbox/faults").json()
    assert "stuck" in listed["catalogue"]
    assert "lookup_post" in listed["operations"]


@pytest.mark.parametrize("wanted", [{"name": "nonsense"}, {"value": 1}, {"name": "stuck", "colour": "red"}])
def test_a_wrong_switch_at_run_time_is_a_400_that_says_why(call, wanted):
    answer = call("POST", "/_sandbox/faults", json=wanted)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_sandbox_route_is_a_404(call):
    assert call("GET", "/_sandbox/nothing").status_code == 404


def test_the_clock_is_moved_at_run_time(call, lytics, clock):
    assert call("POST", "/_sandbox/advance", json={"seconds": 60}).json()["now"] == clock() + 60
    assert lytics.now() == clock() + 60


def test_latency_makes_a_client_give_up(call, lytics):
    lytics.faults.turn_on("latency", 3.0, times=1)
    with pytest.raises(requests.ReadTimeout):
        call("POST", "/v2/identity/lookup", json=LOOKUP, timeout=0.05)


def submit(call):
    return call("POST", "/v2/identity/delete", json={"table": "user", "field": "email", "values": ["ana@example.com"]})


def test_a_drop_before_does_nothing_and_a_drop_after_has_done_the_work(call, lytics):
    for name, committed in (("drop_before", 0), ("drop_after", 1)):
        lytics.faults.turn_on(name, times=1)
        with pytest.raises(requests.ConnectionError):
            submit(call)
        assert lytics.times_submitted("user", "email", "ana@example.com") == committed


def test_server_error_before_and_after_the_work(call, lytics):
    for name, committed in (("server_error", 0), ("server_error_after", 1)):
        lytics.faults.turn_on(name, times=1)
        answer = submit(call)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (500, "INTERNAL-019")
        assert lytics.times_submitted("user", "email", "ana@example.com") == committed


def test_bad_gateway_is_html(call, lytics):
    lytics.faults.turn_on("bad_gateway")
    answer = submit(call)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


def test_rate_limited_with_seconds_a_date_or_nothing(call, lytics):
    lytics.faults.turn_on("rate_limited", times=1)
    assert "Retry-After" not in submit(call).headers
    lytics.faults.turn_on("rate_limited", 7, times=1)
    assert submit(call).headers["Retry-After"] == "7"
    lytics.faults.turn_on("rate_limited", "date", times=1)
    answer = submit(call)
    assert answer.status_code == 429
    assert parsedate_to_datetime(answer.headers["Retry-After"]).timestamp() == int(lytics.now() + 60)


def test_an_empty_answer_has_no_body_though_the_work_is_done(call, lytics):
    lytics.faults.turn_on("empty_answer", times=1)
    answer = submit(call)
    assert (answer.status_code, answer.content) == (204, b"")
    assert lytics.times_submitted("user", "email", "ana@example.com") == 1


def test_truncated_json_and_a_short_body(call, lytics):
    lytics.faults.turn_on("truncated_json", times=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        submit(call).json()
    lytics.faults.turn_on("short_body", times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        submit(call)


def test_the_access_log_and_the_counts_show_who_called_what(call, lytics):
    submit(call)
    call("GET", "/v2/identity/user/email/ana%40example.com?account_id=1")
    assert lytics.access_log == [
        ("POST", "/v2/identity/delete"),
        ("GET", "/v2/identity/user/email/ana%40example.com?account_id=1"),
    ]
    state = call("GET", "/_sandbox/state").json()
    assert state["calls"] == {"delete_submit": 1, "lookup_get": 1}
    assert state["max_concurrency"] == 1
    assert state["max_concurrency_by_operation"]["delete_submit"] == 1


def test_a_defect_of_the_fake_is_shown_not_hidden(call, lytics, monkeypatch):
    monkeypatch.setattr(lytics.world, "find", None)
    answer = call("POST", "/v2/identity/lookup", json=LOOKUP)
    assert answer.status_code == 500
    assert "sandbox_defect" in answer.json()


@pytest.mark.parametrize("headers", [{"Origin": "https://www.example.org"}, {"Host": "rebound.example.org"}])
def test_a_page_in_a_browser_cannot_reach_the_run_time_routes(call, lytics, headers):
    answer = call("POST", "/_sandbox/faults", json={"name": "stuck"}, headers=headers)
    assert answer.status_code == 403
    assert not lytics.faults


def test_an_answer_that_comes_byte_by_byte_outlasts_a_client_that_waits_for_each_piece(call, lytics):
    lytics.faults.turn_on("slow_answer", 0.05, times=1)
    with pytest.raises(requests.RequestException):
        call("POST", "/v2/identity/lookup", json=LOOKUP, timeout=0.02)
    lytics.faults.turn_on("slow_answer", 0.0001, times=1)
    assert submit(call).status_code == 202
    assert lytics.times_submitted("user", "email", "ana@example.com") == 1


def test_a_page_in_between_answers_200_and_does_nothing(call, lytics):
    lytics.faults.turn_on("html_page", times=1)
    answer = submit(call)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert lytics.times_submitted("user", "email", "ana@example.com") == 0


@pytest.mark.parametrize("status", [500, 501, 503, 504])
def test_an_error_of_the_server_has_the_wanted_status(call, lytics, status):
    lytics.faults.turn_on("server_error", status, times=1)
    assert submit(call).status_code == status


def test_a_clock_is_wrong_as_long_as_its_switch_is_on(call, lytics, clock):
    call("POST", "/_sandbox/faults", json={"name": "clock_off", "value": -3600})
    assert [lytics.now(), lytics.now()] == [clock() - 3600] * 2
    call("DELETE", "/_sandbox/faults?name=clock_off")
    assert lytics.now() == clock()


def test_a_limit_of_onetrust_may_come_without_saying_how_long(dsar, onetrust):
    onetrust.faults.turn_on("rate_limited", 0, times=1)
    answer = dsar("GET", "/api/datasubject/v2/requestqueues/en_us")
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers
