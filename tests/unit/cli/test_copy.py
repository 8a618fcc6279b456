"""`db copy`: how the target is named, and what the end of a copy says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from connector.cli import copy as command
from connector.store.copy import Compared, Copied, Phase, Tell
from connector.store.database import Database
from connector.store.sums import Sum
from tests.unit.cli.conftest import Run

EQUAL = Compared("requests", Sum(3, "aa"), Sum(3, "aa"))
UNEQUAL = Compared("identities", Sum(4, "bb"), Sum(3, "cc"))
PASSWORD = "canary-of-a-password"
URL = f"postgresql://connector:{PASSWORD}@127.0.0.1/connector"

Ends = Callable[..., list[str]]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Let a copy end at once in this way; the list fills with the URLs of its targets."""
    targets: list[str] = []

    def set_end(*tables: Compared, started_over: bool = False) -> list[str]:
        def copied(_source: Database, target: Database, tell: Tell) -> Copied:
            targets.append(target.url.render_as_string(hide_password=False))
            tell(Phase.COPYING, "requests", 3, 3)
            return Copied(tables, went_on=started_over, started_over=started_over)

        monkeypatch.setattr(command, "copy_store", copied)
        return targets

    return set_end


class TestTarget:
    def test_it_may_be_a_reference_to_a_variable_or_to_a_file(
        self, run: Run, ends: Ends, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TARGET_URL", URL)
        (tmp_path / "url").write_text(f"{URL}\n", encoding="utf-8")
        targets = ends(EQUAL)
        for reference in ("env:TARGET_URL", f"file:{tmp_path / 'url'}"):
            done = run("db", "copy", reference)
            assert done.status == 0
            assert f'Set url = "{reference}"' in done.out
            assert PASSWORD not in done.out + done.err
        assert targets == [URL.replace("postgresql://", targets[0].partition("connector:")[0])] * 2

    def test_a_url_without_a_password_may_stand_there_itself(self, run: Run, ends: Ends) -> None:
        ends(EQUAL)
        assert 'Set url = "postgresql:///connector"' in run("db", "copy", "postgresql:///connector").out

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            (URL, "the URL holds a password; give a reference instead"),
            ("env:NOT_SET", "the environment variable NOT_SET is not set"),
            ("file:missing", "the file missing cannot be read"),
            ("mysql://example.com/x", "expected sqlite:///PATH or postgresql://USER@HOST/NAME"),
            ("", "expected sqlite:///PATH or postgresql://USER@HOST/NAME"),
        ],
    )
    def test_anything_else_is_wrong_usage_and_is_not_shown(self, run: Run, target: str, words: str) -> None:
        done = run("db", "copy", target)
        assert done.status == 2
        assert words in done.err
        assert PASSWORD not in done.out + done.err

    def test_a_target_in_sqlite_is_refused(self, run: Run, tmp_path: Path) -> None:
        done = run("db", "copy", f"sqlite:///{tmp_path / 'other.db'}")
        assert done.status == 2
        assert done.err.startswith("copy_refused: ")


class TestEnd:
    def test_a_difference_names_the_table_and_is_status_1(self, run: Run, ends: Ends) -> None:
        ends(EQUAL, UNEQUAL)
        done = run("db", "copy", "postgresql:///connector")
        assert done.status == 1
        assert "NOT EQUAL: identities." in done.out
        assert "Set url" not in done.out

    def test_a_copy_that_began_again_says_why(self, run: Run, ends: Ends) -> None:
        ends(EQUAL, started_over=True)
        assert "was changed since the earlier copy" in run("db", "copy", "postgresql:///connector").out

    @pytest.mark.parametrize(("tables", "status"), [((EQUAL,), 0), ((EQUAL, UNEQUAL), 1)])
    def test_json_has_every_table_and_nothing_else_is_said(
        self, run: Run, ends: Ends, tables: tuple[Compared, ...], status: int
    ) -> None:
        ends(*tables)
        done = run("db", "copy", "--json", "postgresql:///connector")
        assert (done.status, done.err) == (status, "")
        told = json.loads(done.out)
        assert told["equal"] is (status == 0)
        assert told["tables"][0] == {"table": "requests", "rows": 3, "digest": "aa", "equal": True}


class TestView:
    def test_a_terminal_has_a_bar_for_each_phase(self) -> None:
        screen = io.StringIO()
        with command.View(Console(file=screen, force_terminal=True, width=120, color_system=None)) as view:
            view.tell(Phase.COPYING, "requests", 50, 100)
            view.tell(Phase.COPYING, "targets", 100, 100)
            view.tell(Phase.COMPARING, "requests", 20, 200)
        assert "100/100" in screen.getvalue()
        assert "comparing both stores, requests" in screen.getvalue()

    def test_without_a_terminal_there_is_a_line_now_and_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        written = io.StringIO()
        now = [0.0]
        monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
        with command.View(Console(file=written, force_terminal=False, width=20)) as view:
            for second in range(6):
                now[0] = float(second)
                view.tell(Phase.COPYING, "requests", second * 10, 100)
        assert written.getvalue() == "copying, requests: 30 of 100 rows\n"
