"""The table `[proof]`: the name of the log, and the keys that sign."""

from __future__ import annotations

from typing import Any

import pytest

from connector.proof.keys import SigningKey, new_pem
from tests.unit.config.trial import ENVIRON, SOURCE, Trial, spoilt

PEM = new_pem(bytes(range(32)))
OTHER = new_pem(bytes(range(1, 33)))
PUBLIC = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n"
)
KEYS = {"KEY": PEM, "OTHER": OTHER, "PUBLIC": PUBLIC, "NONE": "canary-no-key-0123456789"}


def proof(**settings: Any) -> dict[str, Any]:
    return spoilt((("proof",), settings))


def refused(trial: Trial, **settings: Any) -> str:
    return trial.refusal(proof(**settings), environ={**ENVIRON, **KEYS})


def test_nothing_is_signed_unless_there_is_a_key(trial: Trial) -> None:
    settings = trial.load().proof
    assert (settings.origin, settings.key(), settings.former()) == ("consent-connector", None, [])


def test_the_first_key_signs_and_the_others_stay_published(trial: Trial) -> None:
    given = proof(origin="log.example.com/x", signing_keys=["env:KEY", "env:PUBLIC", "env:OTHER"])
    settings = trial.load(given, environ={**ENVIRON, **KEYS}).proof
    key = settings.key()
    assert key is not None
    assert key.public == SigningKey.from_pem(PEM).public
    assert len(settings.former()) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"signing_keys": ["env:NONE"]},
            "env:NONE: expected a public key in PEM; `connector keys new-signing` makes one",
        ),
        ({"signing_keys": ["env:PUBLIC"]}, "env:PUBLIC: the first key signs, so it has to be a private one"),
        ({"signing_keys": ["env:KEY", "env:KEY"]}, "two of them are the same key"),
        ({"signing_keys": [PEM]}, "expected a reference"),
        ({"origin": "has space"}, "proof.origin"),
        ({"origin": "https://example.com/+"}, "proof.origin"),
    ],
)
def test_what_does_not_work_is_said_and_no_key_is_shown(trial: Trial, settings: dict[str, Any], said: str) -> None:
    found = refused(trial, **settings)
    assert said in found
    assert "canary" not in found
    assert "MC4C" not in found


@pytest.mark.parametrize("content", ["receipt", "certificate"])
def test_evidence_that_is_signed_needs_a_key(trial: Trial, content: str) -> None:
    evidence = {"enabled": True, "content": content}
    raw = spoilt(((*SOURCE, "report", "evidence"), evidence), ((*SOURCE, "report", "complete_with"), "complete"))
    assert "needs proof.signing_keys" in trial.refusal(raw, environ={**ENVIRON, **KEYS})
    raw["proof"] = {"signing_keys": ["env:KEY"]}
    report = trial.load(raw, environ={**ENVIRON, **KEYS}).sources["onetrust"].report
    assert report is not None
    assert report.evidence.file_extension() == "txt"
