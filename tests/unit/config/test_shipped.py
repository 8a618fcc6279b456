"""The files in config/: they load, they build, and they say what is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connector.config import Config, load
from connector.config.checks import HeaderCheck, SignatureCheck
from connector.proof.keys import new_pem
from connector.sandbox import defaults
from connector.sources.registry import PLATFORMS
from connector.wiring import build_site
from tests.docs.pages import ROOT
from tests.unit.config.trial import VERIFY, Trial, spoilt
from tests.unit.observe.logging_state import logging_restored

REHEARSAL = ROOT / "config/connector.toml"
EXAMPLE = ROOT / "config/onetrust-lytics.example.toml"
MADE_UP = {
    "LYTICS_TOKEN": "at.made-up-token",
    "ONETRUST_CLIENT_SECRET": "made-up-client-secret",
    "ONETRUST_WEBHOOK_SECRET": "made-up-webhook-secret",
    "CONNECTOR_PSEUDONYM_KEY": "made-up-pseudonym-key-0123456789abcdef",
    "CONNECTOR_SEALING_KEY": "made-up-sealing-key-fedcba9876543210",
}


def rehearsal(*overrides: str) -> Config:
    return load(REHEARSAL, {}, overrides, PLATFORMS)


def example(*overrides: str, text: str = "", folder: Path | None = None) -> Config:
    file = EXAMPLE
    if folder is not None:
        file = folder / "example.toml"
        file.write_text(text, encoding="utf-8")
    in_comments = {
        "GATEWAY_SIGNING_SECRET": "made-up-gateway-secret",
        "ONETRUST_OAUTH_SECRET": "made-up-secret-of-a-client",
        "CONNECTOR_TOKEN_KEY": "made-up-key-of-thirty-two-bytes-or-more",
        "CONNECTOR_SIGNING_KEY": new_pem(bytes(32)),
    }
    return load(file, MADE_UP | in_comments, overrides, PLATFORMS)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [one for each in inner for one in texts(each)]
    return [value] if isinstance(value, str) else []


def test_the_rehearsal_talks_to_this_machine_only_and_with_public_secrets_only() -> None:
    found = texts(rehearsal().describe())
    addresses = [one for one in found if re.match(r"[a-z]+://", one) and not one.startswith("sqlite:")]
    assert addresses == ["http://127.0.0.1:8091", "http://127.0.0.1:8092"]
    references = [one for one in found if re.match(r"(env|file):", one)]
    assert len(references) == 6
    assert all(one.startswith("file:sandbox/") for one in references)


def test_the_rehearsal_has_the_credentials_of_the_sandbox() -> None:
    config = rehearsal()
    source, account = config.sources[defaults.SOURCE], config.accounts["main"]
    (check,) = source.verify
    assert isinstance(check, SignatureCheck)
    assert [one.reveal() for one in check.secrets] == [defaults.WEBHOOK_SECRET]
    assert account.token.reveal() == defaults.LYTICS_TOKEN
    assert source.report.client_id.reveal() == defaults.ONETRUST_CLIENT_ID
    assert source.report.client_secret.reveal() == defaults.ONETRUST_CLIENT_SECRET
    assert source.report.subtask_name == defaults.SUBTASK_NAME
    assert account.base_url.endswith(f":{defaults.LYTICS_PORT}")
    assert source.report.base_url.endswith(f":{defaults.ONETRUST_PORT}")
    assert config.server.port == defaults.RECEIVER_PORT


def test_every_secret_of_the_rehearsal_says_that_it_is_none() -> None:
    files = sorted((ROOT / "config/sandbox").glob("*"))
    assert len(files) == 6
    assert [one.name for one in files if "not-a-secret" not in one.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("file", [REHEARSAL, EXAMPLE], ids=lambda path: path.name)
def test_the_files_that_its_comments_name_are_there(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    comments = " ".join(re.findall(r"^# (.*)$", text, re.MULTILINE))
    named = re.findall(r"\b(?:config|docs)/[\w./-]*\w", comments)
    assert named
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_the_example_is_valid_with_the_variables_that_it_names() -> None:
    config = load(EXAMPLE, MADE_UP, (), PLATFORMS)
    references = {one for one in texts(config.describe()) if one.startswith("env:")}
    assert references == {f"env:{name}" for name in MADE_UP}
    listed = re.findall(r"^#     ([A-Z_]+)  ", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(MADE_UP)


def test_the_example_is_set_up_as_onetrust_and_lytics_are() -> None:
    config = example()
    source = config.sources["onetrust"]
    (check,) = source.verify
    assert isinstance(check, HeaderCheck)
    assert source.report.host == "example.my.onetrust.com"
    assert config.accounts["main"].base_url == "https://api.lytics.io"
    assert {target.field for rule in source.mapping for target in rule.targets} >= {"email", "phone", "user_id"}


def test_the_blocks_that_the_example_offers_in_comments_are_valid_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    opened = re.sub(
        r"^# (\[.*\]\n(?:# \w+ = .*\n)+)", lambda one: one[1].replace("\n# ", "\n"), text, flags=re.MULTILINE
    )
    config = example(text=opened, folder=tmp_path)
    source = config.sources["onetrust"]
    assert [one.check for one in source.verify] == ["header", "issued-token", "signature"]
    assert source.report.resolutions.rejected.endswith("2")


@pytest.mark.parametrize("name", ["rehearsal", "example"])
def test_what_loads_can_be_built(name: str, tmp_path: Path) -> None:
    config = {"rehearsal": rehearsal, "example": example}[name](f"store.url=sqlite:///{tmp_path / 'store.db'}")
    with logging_restored():
        site = build_site(config, "cli")
        site.database.close()
    assert set(site.sources) == {"onetrust"}
    assert set(site.accounts) == {"main"}


def blocks() -> list[str]:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    return re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_page_shows_the_kinds_of_check_that_have_no_page_of_their_own() -> None:
    shown = {one["check"] for text in blocks() for one in tomllib.loads(text)["sources"]["onetrust"]["verify"]}
    assert shown == {"header", "bearer", "basic", "scheme", "signature", "address", "any_of"}


@pytest.mark.parametrize("text", blocks())
def test_the_checks_on_the_page_are_valid(trial: Trial, text: str) -> None:
    checks = tomllib.loads(text)["sources"]["onetrust"]["verify"]
    environ = {
        "LYTICS_TOKEN": "x",
        "CLIENT_SECRET": "c" * 16,
        "PSEUDONYM_KEY": "p" * 32,
        "SEALING_KEY": "s" * 32,
        "ONETRUST_WEBHOOK_SECRET": "w" * 16,
        "GATEWAY_SIGNING_SECRET": "g" * 16,
        "STANDARD_WEBHOOKS_SECRET": "whsec_" + "QUFB" * 8,
    }
    config = trial.load(spoilt((VERIFY, checks)), environ=environ)
    assert len(config.sources["onetrust"].verify) == len(checks)
