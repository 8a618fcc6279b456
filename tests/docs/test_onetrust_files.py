"""The files for OneTrust and the pages about them say the same, and no file holds a secret."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from connector.config import load
from connector.sandbox.onetrust_template import published_template
from connector.sources.registry import PLATFORMS
from tests.docs.onetrust_files import LABELS, PLACEHOLDERS, SECRET_HEADER, files, written
from tests.docs.pages import ROOT
from tests.unit.config.trial import toml

FOLDER = ROOT / "docs/examples/onetrust"
NAMES = sorted(files())
GUIDE = (ROOT / "docs/onetrust-setup.md").read_text(encoding="utf-8")
#: Members and headers whose value would be a secret.
SECRETS = ("clientSecret", "value", "token", "password", "Authorization", SECRET_HEADER)


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Give every text of a document with the name of the member that holds it."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from texts(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, name)
    elif isinstance(value, str):
        yield name, value


def placeholders(text: str) -> list[str]:
    return re.findall(r"\{\{(\w+)\}\}", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_what_is_written_for_it(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == written(files()[name]), "run `make docs`"


def test_there_are_no_others() -> None:
    assert sorted(one.name for one in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_is_a_placeholder(name: str) -> None:
    told = list(texts(json.loads((FOLDER / name).read_text(encoding="utf-8"))))
    secret = [(member, value) for member, value in told if member in SECRETS]
    assert all(re.fullmatch(r"\{\{\w+\}\}", value) for _, value in secret)
    assert bool(secret) == (name != "workflow-oauth2.json")
    # No word is long and wild enough to be one that was left behind.
    words = [word for _, value in told for word in re.split(r"[\s\"'/.:,(){}$]+", value)]
    assert [word for word in words if len(word) > 30] == []


def test_each_placeholder_is_explained_in_the_guide() -> None:
    used = {one for name in NAMES for one in placeholders((FOLDER / name).read_text(encoding="utf-8"))}
    assert used == set(PLACEHOLDERS)
    rows = dict(re.findall(r"^\| `\{\{(\w+)\}\}` \| (.+?) \|", GUIDE, re.MULTILINE))
    assert rows == PLACEHOLDERS


def test_the_command_of_the_guide_leaves_nothing_but_secrets_to_be_put_in() -> None:
    (command,) = re.findall(r"^```sh\n(sed .*?)> workflow.json\n```$", GUIDE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert placeholders(done.stdout) == ["CONNECTOR_SECRET"]
    assert json.loads(done.stdout)["trigger"]["eventCode"] == "YOUR-CODE"


@pytest.mark.parametrize("page", ["onetrust.md"])
def test_the_page_shows_the_template_that_is_imported(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert f"```json\n{published_template(LABELS)}```\n" in text


def blocks() -> Iterator[tuple[str, str]]:
    for page in ("onetrust-setup.md", "verification-oauth2.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for block in re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield page, block


@pytest.mark.parametrize(("page", "block"), [*blocks()])
def test_the_settings_that_the_pages_show_are_accepted(page: str, block: str) -> None:
    shown = tomllib.loads(block)["sources"]["onetrust"]
    overrides = [f"sources.onetrust.{name}={toml(value, top=False)}" for name, value in shown.items()]
    names = ("ONETRUST_WEBHOOK_SECRET", "ONETRUST_OAUTH_SECRET", "ONETRUST_CLIENT_SECRET", "CONNECTOR_TOKEN_KEY")
    environ = {name: f"made-up-value-of-{name}-for-a-test" for name in names}
    assert load(ROOT / "config/connector.toml", environ, overrides, PLATFORMS)


@pytest.mark.parametrize("name", [one for one in NAMES if one.startswith("workflow")])
def test_a_workflow_has_what_an_import_demands(name: str) -> None:
    """As OneTrust's API description says of `WorkflowActionsV2Request` and its trigger."""
    workflow = files()[name]
    assert {"name", "trigger", "workflowType"} <= workflow.keys()
    assert workflow["workflowType"] in {"CUSTOM", "COMPOSITE", "CONFIG", "PRESET"}
    assert workflow["defaultDlqAction"] in {"NONE", "PURGE", "REPROCESS"}
    assert workflow["trigger"]["triggerType"] == "EVENT"
    kinds = [one["processType"] for one in workflow["actions"]]
    assert kinds == ["TRANSFORM", "HTTP"]
    labels = [one["nodeLabel"] for one in workflow["actions"]]
    assert [(one["startNode"], one["endNode"]) for one in workflow["directions"]] == [tuple(labels)]
    # Nothing runs before a person has looked at it and switched it on.
    assert workflow["enabled"] is False


@pytest.mark.parametrize(
    ("name", "demanded"),
    [
        ("credential-header.json", {"authParameterType", "key", "value"}),
        ("credential-oauth2.json", {"authParameterType", "clientId", "clientSecret", "grantType", "tokenUrl"}),
    ],
)
def test_a_credential_has_what_its_creation_demands(name: str, demanded: set[str]) -> None:
    """As OneTrust's API description says of `CredentialsV2Dto`, `ApiKeyAuth` and `OAuth2TokenAuth`."""
    credential = files()[name]
    assert {"authContext", "authType", "integrationName", "name"} <= credential.keys()
    assert demanded <= credential["authContext"].keys()
    assert credential["authContext"]["type"] == credential["authType"]
    assert credential["integrationName"] == files()["workflow-header.json"]["integrationName"]
