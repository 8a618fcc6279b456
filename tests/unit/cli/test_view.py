"""The demo's view: bars on a terminal, a plain line now and then where there is none."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from connector.cli import view as view_module
from connector.cli.view import View, all_told, told
from connector.store.overview import Overview


def seen(held: int = 0, **reports: int) -> Overview:
    requests = {"completed": 5, "working": 2, "queued": 1, "held": held}
    return Overview(
        requests={state: number for state, number in requests.items() if number},
        targets={"deleted": 5, "submitted": 3},
        submissions={},
        operations={"running": 1},
        reports={"sent": 9, **reports},
        deliveries=8,
        held_by_reason={"unmapped_identity": held} if held else {},
        late=0,
        due_within_7_days=0,
        next_due=None,
    )


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(view_module.time, "monotonic", lambda: moment[0])
    return moment


def test_without_a_terminal_it_says_a_line_when_there_is_news(now: list[float]) -> None:
    out = io.StringIO()
    view = View(Console(file=out, width=40), callbacks=10, requests=8)
    with view:
        view.draw(3, seen())
        now[0] += 0.5
        view.draw(4, seen())  # news, but too soon
        now[0] += 5
        view.draw(4, seen())
        now[0] += 5
        view.draw(4, seen())  # no news
    tail = ", requests stored 8, requests finished or held 5, last word reported to OneTrust 5"
    assert out.getvalue().splitlines() == [f"callbacks sent 3{tail}", f"callbacks sent 4{tail}"]


def test_on_a_terminal_it_draws_bars_and_the_states() -> None:
    out = io.StringIO()
    view = View(Console(file=out, force_terminal=True, width=120, height=40, legacy_windows=False), 10, 8)
    with view:
        view.draw(10, seen(held=1))
    drawn = out.getvalue()
    for words in (
        "callbacks sent",
        "10/10",
        "requests stored",
        "9/8",
        "operations at Lytics",
        "completed 5",
        "running 1",
    ):
        assert words in drawn
    # The terminal gets its cursor back.
    assert "\x1b[?25h" in drawn


def test_a_request_is_told_when_it_ended_or_is_held_and_no_report_waits() -> None:
    assert told(seen()) == 5
    assert told(seen(held=2)) == 7
    assert told(seen(held=2, queued=3)) == 4
    assert told(seen(queued=9)) == 0


def test_all_is_told_only_when_no_report_waits() -> None:
    assert all_told(seen(), 5)
    assert not all_told(seen(), 6)
    assert not all_told(seen(held=3, queued=1), 5)
