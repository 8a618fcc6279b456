"""Sealing keys: by reference or from a command, never shown, and told apart."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from connector.config import sealing
from tests.unit.config.trial import ENVIRON, Trial, spoilt

KEYS = ("store", "sealing_keys")
PRINTS = [sys.executable, "-c", "import os; print(os.environ['SEALING_KEY'])"]


def line(trial: Trial, *keys: Any) -> str:
    (found,) = trial.lines(spoilt((KEYS, list(keys))))
    assert "canary" not in found
    return found


def test_a_command_prints_the_key(trial: Trial) -> None:
    config = trial.load(spoilt((KEYS, [{"id": "kms-1", "command": PRINTS}, "env:PSEUDONYM_KEY"])))
    first, second = config.store.sealing_keys
    assert (first.id, first.reveal(), second.id) == ("kms-1", ENVIRON["SEALING_KEY"], "env:PSEUDONYM_KEY")
    assert ENVIRON["SEALING_KEY"] not in str(config.describe())


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("canary" * 8, "expected a reference"),
        ({"id": "a b", "command": PRINTS}, "id: expected"),
        ({"command": PRINTS}, "id: expected"),
        ({"id": "a", "command": []}, "command: expected"),
        ({"id": "a", "command": "canary --key"}, "command: expected"),
        ({"id": "a", "command": ["x"], "canary2": 1}, "unknown key"),
        ({"id": "a", "command": ["/nowhere/at-all"]}, "the command failed (FileNotFoundError)"),
        ({"id": "a", "command": [sys.executable, "-c", "print('canary'); exit(3)"]}, "ended with the status 3"),
        ({"id": "a", "command": [sys.executable, "-c", "print('canary')"]}, "a has fewer than 32 bytes"),
        (
            {"id": "a", "command": [sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'\\xff')"]},
            "the command failed (UnicodeDecodeError)",
        ),
    ],
)
def test_what_is_wrong_is_said_without_showing_it(trial: Trial, key: Any, told: str) -> None:
    if isinstance(key, dict) and "canary2" in key:
        key = {"unknown" if name == "canary2" else name: value for name, value in key.items()}
    assert told in line(trial, key)


def test_a_command_that_does_not_end_is_ended(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "COMMAND_TIMEOUT_S", 0.2)
    endless = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    assert "took longer than" in line(trial, {"id": "a", "command": endless})


def test_the_same_key_twice_and_none_at_all_are_refused(trial: Trial) -> None:
    assert "same" in line(trial, "env:SEALING_KEY", "env:SEALING_KEY")
    assert line(trial).startswith("store.sealing_keys: ")
