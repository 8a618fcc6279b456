from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codes import Code
from connector.observe.log import MAX_TEXT_CHARS, UNLISTED, configure, keep_listed
from connector.observe.words import ACTIONS, FIELDS
from connector.private import Private, Secret
from connector.states import RequestState
from tests.unit.observe.conftest import Written

CANARY = "canary.jo@example.com"
Writer = Callable[..., Written]


class Odd(Enum):
    NUMBER = 7
    PERSON = CANARY
    WRAPPED = Private(CANARY)
    PAIR = ("a", "b")


class Level(IntEnum):
    THREE = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return CANARY

    __repr__ = __str__


def test_a_record_is_one_line_of_json_with_its_action_and_fields(written: Writer) -> None:
    out = written()
    out.log.info("batch_submitted", account="main", count=250, duplicate=False)
    assert out.text.endswith("}\n")
    record = out.record
    assert datetime.fromisoformat(record.pop("timestamp")).utcoffset() == UTC.utcoffset(None)
    assert record == {
        "action": "batch_submitted",
        "level": "info",
        "role": "worker",
        "account": "main",
        "count": 250,
        "duplicate": False,
    }


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_record_says_its_level(written: Writer, level: str) -> None:
    out = written()
    getattr(out.log, level)("worker_started")
    assert out.record["level"] == level


@pytest.mark.parametrize(
    ("least", "levels"),
    [("info", ["info", "warning", "error"]), ("warning", ["warning", "error"]), ("error", ["error"])],
)
def test_what_is_below_the_level_is_not_written(written: Writer, least: str, levels: list[str]) -> None:
    out = written(least)
    for level in ("info", "warning", "error"):
        getattr(out.log, level)("worker_started")
    assert [one["level"] for one in out.records] == levels


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("main", "main"),
        ("", ""),
        (0, 0),
        (1.5, 1.5),
        (True, True),
        (Code.TOKEN_REFUSED, "token_refused"),
        (RequestState.QUEUED, RequestState.QUEUED.value),
        (Odd.NUMBER, 7),
        (Level.THREE, 3),
        (datetime(2026, 11, 2, 9, 0, tzinfo=UTC), "2026-11-02T09:00:00+00:00"),
        ("x" * 1000, "x" * MAX_TEXT_CHARS),
        ("two\nlines\r\n\x1b[31mred\x00", "two?lines???[31mred?"),
        ("Zoë\u2028", "Zo??"),
        ("env:NAME + file:a/b.secret", "env:NAME + file:a/b.secret"),
    ],
)
def test_plain_values_are_written(written: Writer, value: Any, shown: Any) -> None:
    out = written()
    out.log.info("delivery_accepted", state=value)
    assert out.record["state"] == shown
    assert "dropped" not in out.record


@pytest.mark.parametrize(
    "value",
    [
        Private(CANARY),
        Secret(CANARY, "env:NAME"),
        {"email": CANARY},
        [CANARY],
        (CANARY,),
        {CANARY},
        CANARY.encode(),
        bytearray(CANARY.encode()),
        ValueError(CANARY),
        ValueError,
        object(),
        Odd.PERSON,
        Odd.WRAPPED,
        Odd.PAIR,
        CANARY,
        f"{'x' * 300}@",
        float("nan"),
        float("inf"),
        lambda: CANARY,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("style", ["json", "console"])
def test_what_is_not_plain_is_left_out_and_counted(written: Writer, style: str, value: Any) -> None:
    out = written(style=style)
    out.log.warning("delivery_accepted", state=value, source="onetrust")
    assert "canary" not in out.text
    assert "NAME" not in out.text
    if style == "json":
        assert "state" not in out.record
        assert out.record["dropped"] == 1
        assert out.record["source"] == "onetrust"
    else:
        assert "dropped=1" in out.text


def test_a_text_that_shows_itself_differently_is_written_as_what_it_is(written: Writer) -> None:
    out = written()
    out.log.info("delivery_accepted", source=Text("onetrust"))
    assert out.record["source"] == "onetrust"
    assert "canary" not in out.text


def test_fields_that_are_not_listed_are_left_out_and_counted(written: Writer) -> None:
    out = written()
    fields: dict[str, Any] = {"email": "canary", "body": "canary", "exc_info": True, "stack_info": True}
    out.log.info("delivery_accepted", **fields, source="onetrust")
    assert "canary" not in out.text
    assert out.record["dropped"] == 4
    assert out.record["source"] == "onetrust"


def test_a_field_without_a_value_is_left_out_and_not_counted(written: Writer) -> None:
    out = written()
    out.log.info("delivery_refused", source=None)
    assert not {"source", "dropped"} & set(out.record)


@pytest.mark.parametrize("action", ["canary has left", "", CANARY, ["canary"], Private(CANARY)])
def test_an_action_that_is_not_listed_says_nothing(written: Writer, action: Any) -> None:
    out = written()
    out.log.info(action)
    assert (out.record["action"], out.record["dropped"]) == (UNLISTED, 1)
    assert "canary" not in out.text


def test_an_exception_in_hand_is_not_written(written: Writer) -> None:
    out = written()
    write, fields = out.log.error, {"exc_info": True, "error_class": "ValueError"}
    try:
        int(CANARY)
    except ValueError:
        write("step_failed", **fields)
    assert "canary" not in out.text
    assert "Traceback" not in out.text


def test_text_for_people_has_the_same_content(written: Writer) -> None:
    out = written(style="console")
    out.log.warning("account_paused", account="main", code=Code.TOKEN_REFUSED, reason="a\x1b[2Jb", token="canary")
    (line,) = out.text.splitlines()
    assert "[warning" in line
    assert "account_paused" in line
    assert "account=main" in line
    assert "code=token_refused" in line
    assert "dropped=1" in line
    assert "\x1b" not in line
    assert "canary" not in line


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=8), _ANY, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_is_logged_a_record_is_listed_plain_bounded_and_counted(fields: dict[str, Any]) -> None:
    kept = dict(keep_listed(None, "info", dict(fields)))
    line = json.dumps(kept, allow_nan=False)
    assert "\n" not in line
    assert "@" not in line
    assert set(kept) <= set(FIELDS)
    assert all(len(one) <= MAX_TEXT_CHARS and one.isprintable() for one in kept.values() if isinstance(one, str))
    dropped = kept.pop("dropped", 0) if "dropped" not in fields else None
    if dropped is not None:
        without_value = [name for name, one in fields.items() if one is None and name in FIELDS and name != "action"]
        replaced = kept.get("action") == UNLISTED
        assert dropped == len(fields) - len(kept) - len(without_value) + replaced


def test_a_second_call_replaces_the_first(written: Writer) -> None:
    first, second = written(), written()
    logging.getLogger("some.package").warning("canary")
    assert first.text == ""
    assert second.record["action"] == "library_record"
    assert len(logging.getLogger().handlers) == 1


def test_by_default_it_writes_to_what_standard_error_is_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = configure("cli")
    log.info("worker_started")
    seen = capsys.readouterr()
    assert json.loads(seen.err)["role"] == "cli"
    assert seen.out == ""
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    log.info("worker_stopped")
    assert json.loads(later.getvalue())["action"] == "worker_stopped"


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("state", ["full", "closed", "missing"])
def test_a_log_that_cannot_be_written_does_not_stop_the_work(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Full() if state == "full" else io.StringIO()
    if state == "closed":
        stream.close()
    if state == "missing":
        monkeypatch.setattr(sys, "stderr", None)
    log = configure("worker", stream=None if state == "missing" else stream)
    log.info("worker_started")
    logging.getLogger("some.package").error("canary")


def test_lines_of_several_threads_stay_whole(written: Writer) -> None:
    out = written()

    def write() -> None:
        for _ in range(50):
            out.log.info("delivery_accepted", source="x" * 200)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(out.records) == 200


def test_actions_and_fields_are_one_word_each() -> None:
    for name in (*ACTIONS, *FIELDS):
        assert name == name.lower()
        assert name.replace("_", "").isalpha()
