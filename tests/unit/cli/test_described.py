"""Commands on a platform that the configuration describes."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.described import SECRETS
from tests.acceptance.journey import ROOT
from tests.unit.cli.conftest import Run

EXAMPLES = {
    "shopify/customers_redact": "queued for deletion",
    "shopify/shop_redact": "held: nothing_mapped",
    "shopify/customers_data_request": "rejected: not_an_erasure",
    "onetrust-consent/profile_updated": "queued for deletion",
    "onetrust-consent/profile_updated__another_purpose": "answered and not stored: other",
    "mineos/delete__test": "answered and not stored: ping",
    "standard-webhooks/newsletter_confirmed": "answered and not stored: other",
}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in SECRETS.items():
        monkeypatch.setenv(name, text)


def use(monkeypatch: pytest.MonkeyPatch, fixture: str) -> str:
    example = fixture.partition("/")[0]
    monkeypatch.setenv("CONNECTOR_CONFIG", str(ROOT / f"config/{example}.example.toml"))
    return str(ROOT / f"tests/fixtures/{fixture}.json")


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("fixture", EXAMPLES)
def test_map_says_what_would_become_of_a_delivery(run: Run, monkeypatch: pytest.MonkeyPatch, fixture: str) -> None:
    file = use(monkeypatch, fixture)
    verdict = EXAMPLES[fixture]
    assert f"The request would be {verdict}." in run("map", file).out
    said = json.loads(run("map", file, "--json").out)
    assert said["purpose"] == (verdict.rpartition(": ")[2] if "not stored" in verdict else "request")


@pytest.mark.usefixtures("secrets")
def test_send_has_no_sample_of_a_described_platform(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "shopify/shop_redact")
    ended = run("send")
    assert ended.status == 2
    assert "give a FILE" in ended.err


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    "example", ["shopify", "datagrail", "mineos", "kertos", "onetrust-consent", "standard-webhooks"]
)
def test_the_examples_are_valid_and_show_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(ROOT / f"config/{example}.example.toml"))
    assert run("config", "check").status == 0
    shown = run("config", "show").out
    assert [name for name, text in SECRETS.items() if text in shown] == []
