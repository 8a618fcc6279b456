from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.config.trial import BASE, ENVIRON, SOURCE, VERIFY, Place, Trial, leaves, spoilt


def test_it_describes_itself_without_any_secret(trial: Trial) -> None:
    config = trial.load()
    seen = f"{json.dumps(config.describe())} {config!r} {config} {config.store!r} {config.digest()}"
    assert not any(secret in seen for secret in ENVIRON.values())
    assert "canary" not in seen


def test_it_describes_every_setting_with_its_default(trial: Trial) -> None:
    shown = trial.load().describe()
    assert shown["accounts"]["main"]["token"] == "env:LYTICS_TOKEN"
    assert shown["accounts"]["main"]["batch_max_values"] == 1000
    assert shown["sources"]["onetrust"]["regulation"] == "gdpr"
    assert shown["sources"]["onetrust"]["verify"][0]["secrets"] == ["env:WEBHOOK_SECRET"]
    assert shown["store"]["url"] == "sqlite:///store.db"
    assert json.loads(json.dumps(shown)) == shown


def test_its_digest_stays_the_same_for_the_same_file(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> None:
    digest = trial.load().digest()
    assert len(digest) == 64
    assert digest == trial.load().digest()
    # Neither the folder, nor the order, nor a default that is spelt out, nor a new value of a secret changes it.
    assert digest == Trial(tmp_path_factory.mktemp("other")).load().digest()
    assert digest == trial.load(dict(reversed(BASE.items()))).digest()
    assert digest == trial.load(spoilt((("server", "threads"), 16))).digest()
    assert digest == trial.load(environ={name: f"{value}-2" for name, value in ENVIRON.items()}).digest()


OTHERS: dict[Place, Any] = {
    ("store", "url"): "sqlite:///other.db",
    ("store", "pseudonym_key"): "env:OTHER",
    ("store", "sealing_keys", 0): "env:OTHER",
    ("log", "level"): "error",
    ("log", "format"): "console",
    ("accounts", "main", "token"): "env:OTHER",
    ("accounts", "main", "base_url"): "https://example.com",
    (*SOURCE, "enabled"): False,
    (*SOURCE, "regulation"): "ccpa",
    (*VERIFY, 0, "secrets", 0): "env:OTHER",
    (*SOURCE, "mapping", 0, "targets", 0, "steps", 0): "nfc",
    (*SOURCE, "mapping", 0, "targets", 0, "steps", 1): "upper",
    (*SOURCE, "report", "host"): "other.my.onetrust.com",
    (*SOURCE, "report", "client_secret"): "env:OTHER",
    (*SOURCE, "report", "resolutions", "completed"): "00000000-0000-4000-8000-000000000003",
    ("server", "port"): 8081,
    ("engine", "tick_s"): 6.0,
}
#: These have no other value, or name each other.
FIXED = {(*SOURCE, "platform"), (*SOURCE, "account"), (*VERIFY, 0, "check")}


@pytest.mark.parametrize("place", [one for one in leaves(BASE) if one not in FIXED], ids=str)
def test_its_digest_changes_with_every_setting(trial: Trial, place: Place) -> None:
    environ = {**ENVIRON, "OTHER": "another-value-of-some-length-0123456789"}
    changed = trial.load(spoilt((place, OTHERS.get(place, "other"))), environ=environ)
    assert changed.digest() != trial.load().digest()


def test_nothing_of_it_can_be_changed(trial: Trial) -> None:
    config = trial.load()
    for table, name in (
        (config, "log"),
        (config.server, "port"),
        (config.accounts["main"], "token"),
        (config.sources["onetrust"].verify[0], "secrets"),
        (config.sources["onetrust"].mapping[0].targets[0], "field"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(table, name, None)
    for tables in (config.accounts, config.sources):
        with pytest.raises(TypeError):
            tables["new"] = None  # type: ignore[index]
    assert isinstance(config.sources["onetrust"].deletion_types, tuple)
