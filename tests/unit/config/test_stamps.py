"""The table `[proof.stamps]`: who stamps checkpoints, and whose stamps count."""

from __future__ import annotations

from typing import Any

import pytest

from connector.clock import FixedClock
from connector.proof.keys import new_pem
from connector.wiring.stamps import stamping_of
from tests.support.certificates import authority
from tests.support.site import START
from tests.unit.config.trial import ENVIRON, Trial, spoilt

ROOT, OLDER = authority().pem.decode(), authority("Example Older Root").pem.decode()
KEYS = {
    "KEY": new_pem(bytes(range(32))),
    "ROOT": ROOT,
    "BOTH": f"{ROOT}\n{OLDER}",
    "BROKEN": ROOT.replace("MII", "MIX"),
    "NONE": "canary-no-certificate",
}
GOOD = {"url": "https://stamps.example.com/tsr", "trusted": ["env:ROOT"]}


def stamps(keys: bool = True, **settings: Any) -> dict[str, Any]:
    return spoilt((("proof",), {"stamps": {**GOOD, **settings}} | ({"signing_keys": ["env:KEY"]} if keys else {})))


def test_nobody_stamps_unless_it_is_said(trial: Trial) -> None:
    assert trial.load().proof.stamps is None


def test_what_is_said_is_how_it_is_asked(trial: Trial) -> None:
    given = stamps(trusted=["env:BOTH"], hash="sha512", policy="1.3.6.1.4.1.32473.1.1", every_minutes=90, tolerance_s=9)
    settings = trial.load(given, environ={**ENVIRON, **KEYS}).proof.stamps
    assert settings is not None
    made = stamping_of(settings, FixedClock(START))
    assert (made.hash, made.policy, made.every_s, made.tolerance_s) == ("sha512", "1.3.6.1.4.1.32473.1.1", 5400, 9)
    assert len(made.trusted.certificates) == 2
    assert made.nonce() != made.nonce()


def test_by_default_it_is_asked_once_an_hour_at_most(trial: Trial) -> None:
    settings = trial.load(stamps(), environ={**ENVIRON, **KEYS}).proof.stamps
    assert settings is not None
    assert (settings.every_minutes, settings.hash, settings.policy) == (60, "sha256", "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "http://stamps.example.com/tsr"}, "expected https://HOST, or http:// on a loopback address"),
        ({"url": "https://stamps.example.com/tsr?x=1"}, "expected https://HOST"),
        ({"trusted": []}, "proof.stamps.trusted"),
        ({"trusted": ["env:NONE"]}, "env:NONE does not hold certificates in PEM"),
        ({"trusted": ["env:BROKEN"]}, "env:BROKEN does not hold certificates in PEM"),
        ({"trusted": [ROOT]}, "expected a reference"),
        ({"hash": "sha1"}, "proof.stamps.hash"),
        ({"policy": "one.two"}, "expected an object identifier in numbers"),
        ({"every_minutes": 0.5}, "proof.stamps.every_minutes"),
        ({"keys": False}, "stamps are made on signed checkpoints; set signing_keys"),
    ],
)
def test_what_does_not_work_is_said(trial: Trial, settings: dict[str, Any], said: str) -> None:
    found = trial.refusal(stamps(**settings), environ={**ENVIRON, **KEYS})
    assert said in found
    assert "canary" not in found
