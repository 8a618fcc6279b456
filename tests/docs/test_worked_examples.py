"""What the pages about secrets show is what happens: printed output, and settings that lead through a rotation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.cli.sign import headers_for
from connector.clock import FixedClock
from connector.codes import Code
from connector.config import Config, load
from connector.config.checks import verifier_of
from connector.config.checks.base import NothingPublished
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.sandbox.defaults import WEBHOOK_SECRET
from connector.sources.registry import PLATFORMS
from tests.docs.pages import ROOT
from tests.unit.cli.conftest import Run, run, store_url

__all__ = ["run", "store_url"]

NOW = datetime(2027, 1, 15, 9, 0, tzinfo=UTC)
WIDTH = "100"


def shown() -> Iterator[tuple[list[str], str]]:
    """Give each call of `connector verify` on the page, and what the page says that it prints."""
    page = (ROOT / "docs/signature-does-not-match.md").read_text(encoding="utf-8")
    for command, output in re.findall(r"```sh\nconnector (verify [^\n]*)\n```\n+```text\n(.*?)```", page, re.DOTALL):
        yield command.split(), output


SHOWN = [*shown()]


def test_the_page_shows_a_refusal_and_its_mend() -> None:
    assert [output.partition(" ")[0].strip(",") for _, output in SHOWN] == ["refused", "passes"]


@pytest.mark.parametrize(("arguments", "output"), SHOWN, ids=["refused", "mended"])
def test_the_command_prints_what_the_page_shows(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    output: str,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", WIDTH)
    assert run(*arguments).out == output


class Rotation:
    """The steps of docs/rotation.md: its blocks of settings, in order, on the rehearsal configuration."""

    def __init__(self, folder: Path) -> None:
        page = (ROOT / "docs/rotation.md").read_text(encoding="utf-8")
        self.blocks = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        self._folder = folder / "config"
        (self._folder / "sandbox").mkdir(parents=True)
        for path in (ROOT / "config/sandbox").iterdir():
            (self._folder / "sandbox" / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "var").mkdir()
        (folder / "var/webhook-2.secret").write_text("the-second-secret-of-the-webhook", encoding="utf-8")
        self._shipped = (ROOT / "config/connector.toml").read_text(encoding="utf-8")

    def config(self, block: str = "") -> Config:
        """Load the shipped configuration, its check replaced by a block of the page."""
        (check,) = re.findall(r"\[\[sources\.onetrust\.verify\]\]\n(?:\w+ = .*\n)+", self._shipped)
        file = self._folder / "mine.toml"
        file.write_text(self._shipped.replace(check, block or check), encoding="utf-8")
        return load(file, {}, (), PLATFORMS)


def outcome(sender: Config, receiver: Config) -> str:
    """Send as one configuration says, judge as the other one says; the id of the secret, or the code."""
    clock = FixedClock(NOW)
    call = Inbound("POST", "", (), b"{}")
    headers = headers_for(sender.sources["onetrust"].verify, call, clock.now())
    check = verifier_of(receiver.sources["onetrust"].verify, NothingPublished())
    try:
        return check.verify(Inbound("POST", "", tuple(headers.items()), b"{}"), clock.now()).secret_id
    except Rejected as error:
        return error.code


@pytest.fixture
def rotation(tmp_path: Path) -> Rotation:
    return Rotation(tmp_path)


def test_the_steps_of_the_page_change_the_secret_without_a_gap(rotation: Rotation) -> None:
    before = rotation.config()
    added, ended, removed, _ = (rotation.config(block) for block in rotation.blocks)
    old, new = "file:sandbox/webhook.secret", "webhook-2"
    assert before.sources["onetrust"].verify[0].secrets[0].reveal() == WEBHOOK_SECRET  # type: ignore[union-attr]
    assert (outcome(before, added), outcome(added, added)) == (old, new)
    # Until the day it ends, the old one is still accepted; the announced end lies ahead.
    assert (outcome(before, ended), outcome(ended, ended)) == (old, new)
    assert (outcome(before, removed), outcome(removed, removed)) == (Code.CREDENTIAL_WRONG, new)


def test_a_secret_that_was_ended_is_refused_as_the_page_says(rotation: Rotation) -> None:
    ended = rotation.config(rotation.blocks[1].replace("2027-01-31", "2026-01-31"))
    assert outcome(rotation.config(), ended) == Code.CREDENTIAL_EXPIRED


def test_a_move_to_another_way_of_signing_accepts_both(rotation: Rotation) -> None:
    moving = rotation.config(rotation.blocks[3])
    only_old = rotation.config(
        '[[sources.onetrust.verify]]\ncheck = "header"\nname = "X-Connector-Secret"\n'
        'secrets = ["file:sandbox/webhook.secret"]\n'
    )
    assert outcome(moving, moving) == "webhook-2"
    assert outcome(only_old, moving) == "file:sandbox/webhook.secret"


def test_every_block_of_settings_is_toml(rotation: Rotation) -> None:
    for block in rotation.blocks:
        checks: list[Any] = tomllib.loads(block)["sources"]["onetrust"]["verify"]
        assert len(checks) == 1
