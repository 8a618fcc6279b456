from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.dialect.reply import Replies, Reply
from connector.dialect.text import Body, Text
from connector.errors import Misconfigured
from connector.model import Purpose

NAMES = ("a", "b")


def refusal(text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        Text.read(text, NAMES)
    return caught.value.detail


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{a}", "1"),
        ("x{a}y{b}z", "x1y2z"),
        ("{a}{b}", "12"),
        ("{{a}} {a}", "{a} 1"),
        ("{{{a}}}", "{1}"),
    ],
)
def test_placeholders_are_filled_and_doubled_braces_stay_braces(text: str, filled: str) -> None:
    assert Text.read(text, NAMES).fill({"a": "1", "b": "2"}) == filled


@pytest.mark.parametrize("text", ["{c}", "{}", "{a.b}", "{a[0]}", "{a!r}", "{a:x}", "{0}"])
def test_an_unknown_placeholder_is_refused_with_those_that_there_are(text: str) -> None:
    assert refusal(text) == "the placeholders here are {a}, {b}"


@pytest.mark.parametrize("text", ["{", "}", "{a", "a}", "{a}}"])
def test_a_stray_brace_is_refused(text: str) -> None:
    assert "not doubled" in refusal(text) or "the placeholders" in refusal(text)


@pytest.mark.parametrize("text", ["x{a:number}", "{a:number}x", "{a}{b:number}"])
def test_a_number_has_to_stand_alone(text: str) -> None:
    assert "has to be the whole text" in refusal(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = Text.read(text, NAMES)
    except Misconfigured:
        return
    assert isinstance(read.fill({}), str)


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_a_value_is_never_read_as_a_template(values: dict[str, str]) -> None:
    filled = Body.read({"x": "<{a}>", "y": ["{b}"]}, NAMES).fill(values)
    assert filled["x"] == f"<{values.get('a', '')}>"
    assert filled["y"] == ([values["b"]] if values.get("b") else [])


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ({"x": "{a}"}, {"x": "7"}),
        ({"x": "{a:number}"}, {"x": 7}),
        ({"x": "{b:number}"}, {"x": "b-1"}),
        ({"x": "{t}"}, {"x": True}),
        ({"x": "{t} {a}"}, {"x": "true 7"}),
        ({"x": "{n}", "y": "{n}!", "z": ["{n}", "{a}"]}, {"y": "!", "z": ["7"]}),
        ({"x": {"y": [1, True, 1.5, None, {"z": "{a}"}]}}, {"x": {"y": [1, True, 1.5, None, {"z": "7"}]}}),
        ({"{a}": "k"}, {"{a}": "k"}),
    ],
)
def test_a_body_keeps_its_shape_and_leaves_out_what_has_no_value(body: Any, filled: Any) -> None:
    values = {"a": "7", "b": "b-1", "t": True, "n": None}
    assert Body.read(body, values).fill(values) == filled


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_does_not_have_is_refused(number: float) -> None:
    with pytest.raises(Misconfigured, match="cannot be written in JSON"):
        Body.read({"x": [{"y": number}]}, ())


def test_a_wrong_placeholder_deep_inside_a_body_is_refused() -> None:
    with pytest.raises(Misconfigured, match="the placeholders here are"):
        Body.read({"x": [{"y": "{c}"}]}, NAMES)


class TestReplies:
    def test_the_usual_answer_is_202_with_our_id(self) -> None:
        answer = Replies().to(Purpose.REQUEST, {}, "job-1", duplicate=False)
        assert (answer.status, answer.content_type) == (202, "application/json")
        assert json.loads(answer.body) == {"accepted": True, "jobId": "job-1", "duplicate": False}

    @pytest.mark.parametrize("purpose", [Purpose.PING, Purpose.OTHER])
    def test_what_asks_for_nothing_is_answered_200(self, purpose: Purpose) -> None:
        answer = Replies().to(purpose, {}, "", duplicate=False)
        assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})

    def test_a_ping_may_be_answered_with_what_it_asks_back(self) -> None:
        replies = Replies(other=Reply.read(200, "{challenge}", {"challenge"}))
        answer = replies.to(Purpose.PING, {"challenge": "c-1"}, "", duplicate=False)
        assert (answer.body, answer.content_type) == (b"c-1", "text/plain; charset=utf-8")

    def test_a_bare_status_has_neither_body_nor_type(self) -> None:
        answer = Replies(Reply.read(204, None, ())).to(Purpose.REQUEST, {}, "job-1", duplicate=True)
        assert (answer.status, answer.body, answer.content_type) == (204, b"", "")

    def test_a_type_of_its_own_is_sent(self) -> None:
        reply = Reply.read(200, {"x": "{duplicate}"}, (), "application/vnd.example+json")
        answer = Replies(reply).to(Purpose.REQUEST, {}, "job-1", duplicate=True)
        assert (answer.body, answer.content_type) == (b'{"x":true}', "application/vnd.example+json")

    def test_a_request_that_stored_nothing_has_no_ids_to_show(self) -> None:
        reply = Reply.read(202, {"job": "{job_id}", "duplicate": "{duplicate}", "fixed": 1}, ())
        assert json.loads(Replies(reply, reply).to(Purpose.OTHER, {}, "", duplicate=False).body) == {"fixed": 1}
