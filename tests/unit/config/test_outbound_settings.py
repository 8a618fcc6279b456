"""The table `[outbound]`: which hosts may be called though a sender named them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.config.trial import Trial, spoilt


def outbound(**settings: Any) -> dict[str, Any]:
    return spoilt((("outbound",), settings))


def test_nobody_may_be_called_unless_it_is_said(trial: Trial) -> None:
    settings = trial.load().outbound
    assert (settings.allowed_hosts, settings.rehearsal) == ((), False)


def test_hosts_are_kept_as_they_are_compared(trial: Trial) -> None:
    hosts = ["Keys.Example.COM.", "*.example.org", "callbacks.example.com:8443", "keys.example.com:443"]
    settings = trial.load(outbound(allowed_hosts=hosts, rehearsal=True)).outbound
    assert settings.allowed_hosts == (
        "keys.example.com",
        "*.example.org",
        "callbacks.example.com:8443",
        "keys.example.com",
    )
    assert settings.rehearsal


@pytest.mark.parametrize(
    "host", ["*", "*.com", "localhost", "https://keys.example.com", "10.0.0.1", "[::1]", "keys.example.com/canary", ""]
)
def test_what_names_no_host_or_too_many_is_told_without_being_shown(trial: Trial, host: str) -> None:
    (line,) = trial.lines(outbound(allowed_hosts=["keys.example.com", host]))
    assert line.startswith("outbound.allowed_hosts")
    assert "expected a host name such as keys.example.com" in line
    assert "canary" not in line
