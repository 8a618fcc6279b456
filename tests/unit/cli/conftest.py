from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.cli.main import main
from tests.acceptance.journey import ROOT, logging_as_it_was


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def run(store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `connector` in this process, on the configuration that we ship and a store of its own."""
    monkeypatch.setenv("CONNECTOR_CONFIG", str(ROOT / "config/connector.toml"))
    monkeypatch.delenv("CONNECTOR_SET", raising=False)
    # Tables as on a wide terminal, so that no word is folded.
    monkeypatch.setenv("COLUMNS", "250")

    def ran(*arguments: str, settings: tuple[str, ...] = ()) -> Ended:
        chosen = [part for one in (f'store.url="{store_url}"', *settings) for part in ("--set", one)]
        monkeypatch.setattr(sys, "argv", ["connector", *chosen, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return Ended(ended.value.code or 0, said.out, said.err)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with logging_as_it_was():
        yield ran
    for number, handler in handlers.items():
        signal.signal(number, handler)
