from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from connector.observe.uncaught import log_uncaught, place
from tests.support.site import RecordingLog

CANARY = "canary-7f3a@example.com"


@pytest.fixture
def log() -> Iterator[RecordingLog]:
    process, thread = sys.excepthook, threading.excepthook
    recorded = RecordingLog()
    log_uncaught(recorded)
    yield recorded
    sys.excepthook, threading.excepthook = process, thread


def raised() -> ValueError:
    try:
        int(CANARY)
    except ValueError as error:
        return error
    pytest.fail("a number was read")


def test_what_ends_the_process_is_told_by_class_and_place_alone(log: RecordingLog, capsys) -> None:
    error = raised()
    sys.excepthook(ValueError, error, error.__traceback__)
    ((action, fields),) = log.records
    assert action == "uncaught"
    assert fields["error_class"] == "ValueError"
    assert fields["place"].startswith("test_uncaught.py:")
    assert CANARY not in str(log.records) + capsys.readouterr().err


def test_what_ends_a_thread_is_told_by_class_and_place_alone(log: RecordingLog, capsys) -> None:
    def fails() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    assert log.actions == ["uncaught"]
    assert CANARY not in str(log.records) + capsys.readouterr().err


def test_ctrl_c_stays_what_it_is(log: RecordingLog, capsys) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert log.records == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


def test_an_error_without_a_trace_has_no_place() -> None:
    assert place(None) == ""
