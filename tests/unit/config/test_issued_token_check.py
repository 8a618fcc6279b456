"""`check = "issued-token"`: a client of our own token endpoint, as it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.config.checks import live_secrets, token_clients, verifier_of
from connector.config.checks.base import NothingPublished
from connector.inbound import Inbound
from tests.unit.config.trial import BASE, ENVIRON, SOURCE, VERIFY, Place, Trial, spoilt

NOW = datetime(2026, 11, 2, tzinfo=UTC)
ISSUED = {
    "check": "issued-token",
    "client_id": "onetrust-workflow",
    "audience": "https://connector.example.com/webhooks/onetrust",
    "secrets": ["env:WEBHOOK_SECRET"],
    "signing_keys": ["env:SIGNING"],
}
KEYS = {"SIGNING": "canary-signing-key-0123456789abcdef", "NEXT": "canary-next-signing-key-0123456789ab"}
ALL = {**ENVIRON, **KEYS}
OTHER: Place = ("sources", "other")
PLACE = "sources.onetrust.verify[0]"


def lines(trial: Trial, *changes: tuple[Place, Any]) -> list[str]:
    found = trial.lines(spoilt(*changes), environ=ALL)
    assert not [one for one in found if "canary" in one]
    return found


def other(**check: Any) -> tuple[Place, Any]:
    """A second source with a check of the same kind."""
    return OTHER, {**BASE["sources"]["onetrust"], "verify": [{**ISSUED, **check}]}


def test_it_becomes_a_client_and_the_check_of_its_tokens(trial: Trial) -> None:
    written = {**ISSUED, "signing_keys": ["env:NEXT", "env:SIGNING"], "lifetime_s": 300}
    checks = trial.load(spoilt((VERIFY, [written])), environ=ALL).sources["onetrust"].verify
    (client,) = token_clients(checks)
    assert (client.client_id, client.lifetime_s) == ("onetrust-workflow", 300)
    token = client.issue(client.secrets[0], NOW, "t1")
    inbound = Inbound("POST", "", (("Authorization", f"Bearer {token}"),), b"{}")
    said = verifier_of(checks, NothingPublished()).verify(inbound, NOW)
    assert said.secret_ids == ("env:WEBHOOK_SECRET", "env:NEXT")
    assert [one.id for one in live_secrets(checks)] == ["env:WEBHOOK_SECRET", "env:NEXT", "env:SIGNING"]


def test_clients_are_found_within_other_checks(trial: Trial) -> None:
    bearer = {"check": "bearer", "secrets": ["env:WEBHOOK_SECRET"]}
    either = {"check": "any_of", "checks": [bearer, {"check": "all_of", "checks": [ISSUED]}]}
    checks = trial.load(spoilt((VERIFY, [either])), environ=ALL).sources["onetrust"].verify
    assert [one.client_id for one in token_clients(checks)] == ["onetrust-workflow"]
    assert token_clients(trial.load(environ=ALL).sources["onetrust"].verify) == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"client_id": "one:two"},
            f"{PLACE}: issued-token: client_id is 1 to 100 characters of printable ASCII without blanks and colons",
        ),
        ({"audience": ""}, f"{PLACE}: issued-token: name the audience"),
        ({"secrets": []}, f"{PLACE}.secrets: expected at least one entry; found none"),
        ({"signing_keys": []}, f"{PLACE}.signing_keys: expected at least one entry; found none"),
        (
            {"signing_keys": ["env:CLIENT_SECRET"]},
            f"{PLACE}.signing_keys[0]: env:CLIENT_SECRET has fewer than 32 bytes; use a longer, random one",
        ),
        (
            {"signing_keys": ["env:SIGNING", "env:SIGNING"]},
            f"{PLACE}.signing_keys: two secrets have the same id; then nobody can tell which one is still in use",
        ),
        ({"lifetime_s": 3601}, f"{PLACE}.lifetime_s: expected at most 3600; found 3601"),
        ({"lifetime_s": 59}, f"{PLACE}.lifetime_s: expected at least 60; found 59"),
    ],
)
def test_what_could_not_protect_is_refused(trial: Trial, change: dict[str, Any], line: str) -> None:
    assert lines(trial, (VERIFY, [{**ISSUED, **change}])) == [line]


def test_no_two_sources_share_a_client_or_an_audience(trial: Trial) -> None:
    mine = (VERIFY, [ISSUED])
    assert lines(trial, mine, other(audience="b")) == [
        "the file: sources.other: client_id is that of another check, in sources.onetrust"
    ]
    assert lines(trial, mine, other(client_id="other")) == [
        "the file: sources.other: audience is that of sources.onetrust"
    ]
    assert trial.load(spoilt(mine, other(client_id="other", audience="b")), environ=ALL)


def test_two_clients_of_one_source_have_names_of_their_own(trial: Trial) -> None:
    either = {"check": "any_of", "checks": [ISSUED, ISSUED]}
    assert lines(trial, (VERIFY, [either])) == [
        "the file: sources.onetrust: client_id is that of another check, in sources.onetrust"
    ]
    second = {**ISSUED, "client_id": "second"}
    assert trial.load(spoilt((VERIFY, [{**either, "checks": [ISSUED, second]}])), environ=ALL)


def test_a_second_check_of_the_same_header_is_refused(trial: Trial) -> None:
    bearer = {"check": "bearer", "secrets": ["env:WEBHOOK_SECRET"]}
    (line,) = lines(trial, (VERIFY, [ISSUED, bearer]))
    assert line.endswith("two checks read the header authorization; a delivery cannot pass both")
    assert SOURCE[1] in line
