"""A deletion whose log a time-stamping authority attests, as it is configured, and what an auditor checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import cli
from connector.clock import FixedClock
from connector.sandbox.time_authority import FakeTimeAuthority
from connector.store.stamp_tables import stamps
from tests.acceptance.journey import ROOT, START, Journey, journey, logging_as_it_was
from tests.support.authorities import openssl

ANA = "canary-ana@example.com"


class Town:
    """A journey, the authority beside it, and the commands on its store."""

    def __init__(self, folder: Path, away: FakeTimeAuthority) -> None:
        self.folder = folder
        self.away = away
        self.root = folder / "root.pem"
        self.root.write_text(away.root.pem)
        self.store_url = f"sqlite:///{folder / 'store.db'}"
        self.settings = (
            f'proof.stamps.url="{away.stamp_url}"',
            f"proof.stamps.trusted=[{json.dumps(f'file:{self.root}')}]",
        )
        self.life: Journey

    def delete_ana(self) -> None:
        self.life.knows(ANA)
        asked = self.life.ask(ANA)
        self.life.accept(asked)
        self.life.run_until_told(asked, seconds=60)
        assert self.life.status(asked) == "COMPLETED"

    def stamped(self) -> list[int]:
        with self.life.site.database.read() as connection:
            return [one.size for one in connection.execute(stamps.select().order_by(stamps.c.size))]

    def command(self, *arguments: str) -> Result:
        chosen = (f'store.url="{self.store_url}"', *self.settings)
        options = [part for one in chosen for part in ("--set", one)]
        config = str(ROOT / "config/connector.toml")
        with logging_as_it_was():
            return CliRunner(env={"COLUMNS": "250"}).invoke(cli, ["--config", config, *options, *arguments])


@contextmanager
def town(folder: Path, *settings: str, lifetime: timedelta = timedelta(days=365)) -> Iterator[Town]:
    clocks: list[FixedClock] = []

    def seconds() -> float:
        return (clocks[0].now() if clocks else START).timestamp()

    with FakeTimeAuthority(clock=seconds, lifetime=lifetime) as away:
        made = Town(folder, away)
        made.settings += settings
        with journey(made.store_url, *made.settings) as made.life:
            clocks.append(made.life.clock)
            yield made


def test_a_deletion_is_attested_by_somebody_else_and_anybody_can_check_it(tmp_path: Path) -> None:
    with town(tmp_path) as made:
        made.delete_ana()
        made.life.run_for(4, seconds=1800)
        assert len(made.stamped()) == 2
        verified = made.command("audit", "verify")
        assert verified.exit_code == 0, verified.output
        first, last = made.stamped()
        assert f"a time-stamping authority has seen the first {first} entries at 2026-11-02T09:0" in verified.output
        assert f"and the first {last} at 2026-11-02T1" in verified.output
        assert "; 2 stamps hold" in verified.output

        exported = made.command("audit", "checkpoint", "--stamp", str(tmp_path / "stamp.tst"))
        assert exported.exit_code == 0
        assert "stamped at 2026-11-02T" in exported.stderr
        (tmp_path / "checkpoint.txt").write_bytes(exported.stdout_bytes)
        at = str(int(made.life.clock.now().timestamp()))
        said = openssl(
            *("ts", "-verify", "-data", "checkpoint.txt", "-in", "stamp.tst", "-token_in", "-CAfile", "root.pem"),
            *("-attime", at),
            cwd=tmp_path,
        )
        assert "Verification: OK" in said
        kept = made.command("audit", "verify", "--checkpoint", str(tmp_path / "checkpoint.txt"))
        assert kept.exit_code == 0


def test_the_authority_is_shown_a_hash_and_nothing_else(tmp_path: Path) -> None:
    with town(tmp_path) as made:
        made.delete_ana()
        assert made.away.access_log == [("POST", "/tsr")]
        assert "canary" not in json.dumps(made.away.snapshot())


@pytest.mark.parametrize(
    "switch",
    ["stamp_refused", "foreign_root", "wrong_imprint", "html_page", "drop_before", "server_error", "short_body"],
)
def test_an_authority_that_fails_keeps_nobody_s_data(
    tmp_path: Path, switch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with town(tmp_path) as made:
        made.away.faults.turn_on(switch)
        made.delete_ana()
        assert not made.life.lytics.has("user", "email", ANA)
        assert made.stamped() == []
        assert made.command("audit", "verify").exit_code == 0
        told = [json.loads(one) for one in capsys.readouterr().err.splitlines() if '"stamp_failed"' in one]
        assert {one["level"] for one in told} == {"error"}
        made.away.faults.turn_off()
        made.life.run_for(2, seconds=7200)
        (only,) = made.stamped()
        verified = made.command("audit", "verify").output
        assert verified.count(f"a time-stamping authority has seen the first {only} entries at 2026-11-02T") == 1
        assert "and the first" not in verified


def test_a_stamp_holds_after_the_certificate_that_made_it_has_ended(tmp_path: Path) -> None:
    with town(tmp_path, lifetime=timedelta(days=2)) as made:
        made.delete_ana()
        made.life.clock.advance(days=700)
        assert made.away.signer.certificate.not_valid_after_utc < made.life.clock.now()
        verified = made.command("audit", "verify", "--json")
        assert verified.exit_code == 0
        said = json.loads(verified.stdout)
        assert (said["holds"], said["stamped"]["count"], said["stamped"]["findings"]) == (True, 1, [])


def test_without_a_stamp_there_is_none_to_write(tmp_path: Path) -> None:
    with town(tmp_path) as made:
        made.away.faults.turn_on("stamp_refused")
        made.delete_ana()
        given = made.command("audit", "checkpoint", "--stamp", str(tmp_path / "stamp.tst"))
        assert given.exit_code == 1
        assert "no checkpoint was stamped yet; it needs proof.stamps" in given.output
        assert not (tmp_path / "stamp.tst").exists()


def test_stamps_that_nobody_is_trusted_for_any_more_are_counted(tmp_path: Path) -> None:
    with town(tmp_path) as made:
        made.delete_ana()
        made.settings = ()
        verified = made.command("audit", "verify")
        assert verified.exit_code == 0
        assert "1 stamps were not checked" in verified.output


@pytest.mark.parametrize(
    ("switch", "found"),
    [
        ("", "stamps_fine"),
        ("stamp_refused", "stamps_refused"),
        ("foreign_root", "stamps_wrong"),
        ("drop_before", "stamps_unreachable"),
    ],
)
def test_the_doctor_says_how_the_authority_is(tmp_path: Path, switch: str, found: str) -> None:
    # Of the machine's clock, because the doctor has no other.
    with FakeTimeAuthority() as away:
        made = Town(tmp_path, away)
        if switch:
            away.faults.turn_on(switch)
        said = json.loads(made.command("doctor", "--json").stdout)["findings"]
    assert [one["id"] for one in said if one["id"].startswith("stamps_")] == [found]
