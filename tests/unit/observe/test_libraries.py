"""Whatever a library logs, its own words do not come through."""

from __future__ import annotations

import logging
import logging.config
import warnings
from collections.abc import Callable, Iterator

import pytest
from granian.log import LOGGING_CONFIG
from sqlalchemy import create_engine, text
from werkzeug import _internal

from tests.unit.observe.conftest import Written

CANARY = "canary-jo-meyer"
LIBRARIES = ("werkzeug", "sqlalchemy.engine.Engine", "urllib3.util.retry", "apscheduler.scheduler", "_granian")
Writer = Callable[..., Written]


@pytest.fixture(autouse=True)
def _no_word_on_the_standard_streams(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    seen = capfd.readouterr()
    assert CANARY not in seen.out + seen.err


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("style", ["json", "console"])
def test_an_error_of_a_library_is_its_name_and_class_alone(written: Writer, name: str, style: str) -> None:
    out = written(style=style)
    try:
        {}[CANARY]
    except KeyError:
        logging.getLogger(name).exception("POST /users?email=%s", CANARY, extra={"body": CANARY}, stack_info=True)
    assert CANARY not in out.text
    assert len(out.text.splitlines()) == 1
    if style == "json":
        record = out.record
        del record["timestamp"]
        assert record == {
            "action": "library_record",
            "level": "error",
            "role": "worker",
            "logger": name,
            "error_class": "KeyError",
        }


@pytest.mark.parametrize("name", LIBRARIES)
def test_information_of_a_library_is_left_out(written: Writer, name: str) -> None:
    out = written()
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.debug(CANARY)
    logger.info(CANARY)
    assert out.text == ""


@pytest.mark.parametrize("name", ["apscheduler.scheduler", "apscheduler.executors.default"])
def test_the_scheduler_need_not_say_that_a_step_still_runs(written: Writer, name: str) -> None:
    out = written()
    logging.getLogger(name).warning("Execution of job %s skipped", CANARY)
    assert out.text == ""
    logging.getLogger(name).error("Job %s raised an exception", CANARY)
    assert out.record["level"] == "error"


def test_the_level_counts_for_libraries_too(written: Writer) -> None:
    out = written("error")
    logging.getLogger("urllib3").warning(CANARY)
    logging.getLogger("urllib3").critical(CANARY)
    assert [one["level"] for one in out.records] == ["error"]


def test_handlers_that_a_server_brought_are_taken_away(written: Writer) -> None:
    logging.config.dictConfig(LOGGING_CONFIG)
    out = written()
    for name in ("_granian", "granian.access"):
        logging.getLogger(name).warning(CANARY)
        assert logging.getLogger(name).handlers == []
    assert [one["logger"] for one in out.records] == ["_granian", "granian.access"]


def test_werkzeug_finds_a_handler_and_brings_none(written: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_internal, "_logger", None)
    monkeypatch.setattr(logging.getLogger("werkzeug"), "level", logging.NOTSET)
    out = written()
    _internal._log("info", "%s", CANARY)
    _internal._log("warning", "%s", CANARY)
    assert logging.getLogger("werkzeug").handlers == []
    assert [one["logger"] for one in out.records] == ["werkzeug"]


def test_a_database_that_echoes_says_nothing(written: Writer) -> None:
    out = written()
    engine = create_engine("sqlite://", echo=True)
    # Echoing brings a handler of its own, so the log is set up again, as at the start of a process.
    out = written()
    with engine.connect() as connection:
        connection.execute(text("SELECT :value"), {"value": CANARY})
    engine.dispose()
    assert out.text == ""


def test_a_warning_of_python_is_one_of_a_library(written: Writer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # As it is outside of tests, where nobody else collects them.
        logging.captureWarnings(capture=False)
        out = written()
        warnings.warn(CANARY, UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert out.record["logger"] == "py.warnings"


@pytest.mark.parametrize("number", [25, 31, 45, 99])
def test_levels_of_its_own_make_a_library_no_exception(written: Writer, number: int) -> None:
    out = written()
    logging.getLogger("some.package").log(number, CANARY)
    assert [one["level"] for one in out.records] == [
        level for least, level in ((41, "error"), (30, "warning")) if number >= least
    ][:1]


def test_a_name_that_says_too_much_is_left_out(written: Writer) -> None:
    out = written()
    logging.getLogger(f"{CANARY}@example.com").error("x")
    assert out.record["dropped"] == 1


def test_a_record_made_by_hand_does_no_harm(written: Writer) -> None:
    out = written()
    record = logging.LogRecord("some.package", logging.ERROR, __file__, 1, "%s %s", (CANARY,), None)
    record.exc_info = True  # type: ignore[assignment]
    logging.getLogger("some.package").handle(record)
    record.exc_info = (None, None, None)
    logging.getLogger("some.package").handle(record)
    assert [one["logger"] for one in out.records] == ["some.package"] * 2
