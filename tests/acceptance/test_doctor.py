"""`connector doctor` on deliberately broken set-ups: it names the fault, no other one, and changes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import cli
from connector.doctor.findings import KINDS, Level
from connector.sandbox.defaults import (
    LYTICS_EXPIRED_TOKEN,
    LYTICS_TOKEN,
    ONETRUST_CLIENT_SECRET,
    WEBHOOK_SECRET,
)
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_state import RESOLUTIONS
from connector.store.database import Database
from tests.acceptance.journey import ROOT, logging_as_it_was
from tests.support.stores import bring_up_to_date

ERASED, CLOSED = RESOLUTIONS[0].id, RESOLUTIONS[3].id
NOBODYS = "9f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
VALUES = (LYTICS_TOKEN, LYTICS_EXPIRED_TOKEN, ONETRUST_CLIENT_SECRET, WEBHOOK_SECRET, "canary@example.com")
# What reads. Everything else that a fake answers could change something.
READS = {"token", "subtasks_list", "resolutions", "schema_fields", "delete_list", "queue_list"}


@dataclass
class House:
    """Both fakes, a store and a configuration that is right until something is broken."""

    lytics: FakeLytics
    onetrust: FakeOneTrust
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return json.dumps(f"file:{path}")

    def examine(self, *options: str) -> Result:
        chosen = [part for name, value in self.settings.items() for part in ("--set", f"{name}={value}")]
        config = str(ROOT / "config/connector.toml")
        with logging_as_it_was():
            return CliRunner(env={"COLUMNS": "250"}).invoke(cli, ["--config", config, *chosen, "doctor", *options])

    def findings(self) -> list[dict[str, str]]:
        done = self.examine("--json")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        said: list[dict[str, str]] = json.loads(done.stdout)["findings"]
        return said

    def faults(self) -> dict[str, str]:
        """Whatever is not well, by its id, with its level."""
        return {one["id"]: one["level"] for one in self.findings() if one["level"] != "ok"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Database(url) as database:
        bring_up_to_date(database)
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        onetrust.add_request("canary@example.com")
        made = House(lytics, onetrust, tmp_path)
        made.settings = {
            "store.url": json.dumps(url),
            "accounts.main.base_url": f'"{lytics.url}"',
            "sources.onetrust.report.base_url": f'"{onetrust.url}"',
            "sources.onetrust.report.resolutions.completed": f'"{ERASED}"',
        }
        yield made


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(frozen=True)
class Broken:
    """One broken set-up.

    Attributes:
        named: what has to be found, all of it, beside what is well.
        lytics, onetrust: switches with their values.
        settings: of the product.
        files: secrets by setting.
    """

    named: tuple[str, ...]
    lytics: Mapping[str, Any] = field(default_factory=dict)
    onetrust: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


ACCOUNT, REPORT = "accounts.main", "sources.onetrust.report"
SET_UPS: Mapping[str, Broken] = {
    "Lytics' clock differs": Broken(("lytics_clock_off",), lytics={"clock_off": 3600}),
    "OneTrust's clock differs": Broken(("onetrust_clock_off",), onetrust={"clock_off": -90}),
    "the token has expired": Broken(("lytics_token_expired",), lytics={"token_expired": None}),
    "another token": Broken(("lytics_token_refused",), files={f"{ACCOUNT}.token": "at.other.0123456789abcdef"}),
    "Lytics knows our address not": Broken(("lytics_token_refused",), lytics={"address_refused": None}),
    "the token may not follow deletions": Broken(
        ("lytics_permission_missing",), lytics={"forbidden": {"operation": "delete_list"}}
    ),
    "the token may not read the schema": Broken(
        ("schema_untold",), lytics={"forbidden": {"operation": "schema_fields"}}
    ),
    "another account": Broken(("lytics_account_unknown",), settings={f"{ACCOUNT}.account_id": '"4711"'}),
    "identity-delete is not answered": Broken(("deletion_api_other",), lytics={"identity_delete_off": None}),
    "identity-delete is not allowed": Broken(("deletion_api_other",), lytics={"identity_delete_off": 405}),
    "identity-queue is not answered": Broken(
        ("deletion_api_untold",),
        lytics={"identity_queue_off": None, "identity_delete_off": 405},
        settings={f"{ACCOUNT}.deletion_api": '"identity-queue"'},
    ),
    "neither deletion API is allowed": Broken(
        ("deletion_api_none",), lytics={"identity_queue_off": 405, "identity_delete_off": 405}
    ),
    "a field that is not there": Broken(("schema_lacks_field",), lytics={"field_unknown": "email"}),
    "a field that is no identity": Broken(("schema_no_identity",), lytics={"field_no_identity": "phone"}),
    "a table that is not there": Broken(("schema_lacks_table",), lytics={"table_unknown": None}),
    "a login page instead of Lytics": Broken(("lytics_not_itself",), lytics={"html_page": None}),
    "Lytics has trouble": Broken(("lytics_troubled",), lytics={"server_error": 503}),
    "Lytics asks to slow down": Broken(("lytics_troubled",), lytics={"rate_limited": 30}),
    "nothing at Lytics' address": Broken(
        ("lytics_unreachable",), settings={f"{ACCOUNT}.base_url": f'"http://127.0.0.1:{closed_port()}"'}
    ),
    "the client secret is wrong": Broken(
        ("onetrust_credential_refused",), files={f"{REPORT}.client_secret": "another-0123456789-abcdefghijklm"}
    ),
    "OneTrust's IP restriction": Broken(("onetrust_address_refused",), onetrust={"address_refused": None}),
    "the credential may read only": Broken(("onetrust_scope_missing",), onetrust={"scope_missing": "DSAR_WRITE"}),
    "evidence is to be filed, and may not": Broken(
        ("onetrust_scope_missing",),
        onetrust={"scope_missing": "ATTACHMENT"},
        settings={f"{REPORT}.complete_with": '"complete"', f"{REPORT}.evidence.enabled": "true"},
    ),
    "the credential may not read subtasks": Broken(
        ("onetrust_read_refused",), onetrust={"scope_missing": {"operation": "subtasks_list"}}
    ),
    "scopes are not told": Broken(("onetrust_scopes_untold",), onetrust={"scopes_untold": None}),
    "the credential is of another organization": Broken(
        ("onetrust_nothing_listed",), onetrust={"wrong_organization": None}
    ),
    "a login page instead of OneTrust": Broken(("onetrust_not_itself",), onetrust={"html_page": None}),
    "OneTrust has trouble": Broken(("onetrust_troubled",), onetrust={"server_error": 500}),
    "nothing at OneTrust's address": Broken(
        ("onetrust_unreachable",), settings={f"{REPORT}.base_url": f'"http://127.0.0.1:{closed_port()}"'}
    ),
    "a resolution that nobody knows": Broken(
        ("resolution_unknown",), settings={f"{REPORT}.resolutions.rejected": f'"{NOBODYS}"'}
    ),
    "a resolution for requests alone": Broken(
        ("resolution_unknown",), settings={f"{REPORT}.resolutions.rejected": f'"{CLOSED}"'}
    ),
    "resolutions cannot be read": Broken(
        ("resolutions_untold",), onetrust={"scope_missing": {"operation": "resolutions"}}
    ),
    "a weak secret": Broken(("secret_weak",), files={"store.pseudonym_key": "changeme" * 4}),
    "one secret twice": Broken(("secret_shared",), files={"store.pseudonym_key": WEBHOOK_SECRET}),
}


def broken(house: House, how: Broken) -> None:
    for fake, switches in ((house.lytics, how.lytics), (house.onetrust, how.onetrust)):
        for name, value in switches.items():
            options = value if isinstance(value, dict) else {"value": value}
            fake.faults.turn_on(name, **options)
    if f"{ACCOUNT}.account_id" in how.settings:
        house.lytics.account_id = "another"
    house.settings |= how.settings
    house.settings |= {name: house.file(name, text) for name, text in how.files.items()}


def test_a_right_set_up_is_well_and_says_of_what_all(house: House) -> None:
    done = house.examine()
    assert (done.exit_code, done.stderr) == (0, "")
    said = house.findings()
    assert {one["level"] for one in said} == {"ok"}
    assert [one["id"] for one in said] == [
        "configuration_fine",
        "secrets_fine",
        "store_fine",
        "deadlines_fine",
        "lytics_fine",
        "lytics_token_fine",
        "deletion_api_fine",
        "schema_fine",
        "onetrust_fine",
        "onetrust_token_fine",
        "onetrust_scopes_fine",
        "onetrust_read_fine",
        "resolutions_fine",
    ]


@pytest.mark.parametrize("name", SET_UPS)
def test_a_broken_set_up_is_named_and_nothing_else_is(house: House, name: str) -> None:
    how = SET_UPS[name]
    broken(house, how)
    assert house.faults() == {one: KINDS[one].level for one in how.named}
    # What one part cannot tell keeps no other from telling.
    other = "onetrust_fine" if how.lytics or any(ACCOUNT in one for one in how.settings) else "lytics_fine"
    well = {one["id"] for one in house.findings()}
    assert {other, "store_fine"} <= well or "secret" in how.named[0] or "lytics_token" in how.named[0]
    done = house.examine()
    levels = {KINDS[one].level for one in how.named}
    assert done.exit_code == (1 if Level.FAIL in levels else 0)
    assert all(f"[{one}]" in done.stdout and KINDS[one].mend in done.stdout for one in how.named)
    assert not [one for one in VALUES if one in done.stdout + done.stderr]
    strict = house.examine("--strict")
    assert strict.exit_code == 1


def test_a_token_that_may_not_follow_deletions_still_tells_of_the_schema(house: House) -> None:
    broken(house, SET_UPS["the token may not follow deletions"])
    assert "schema_fine" in {one["id"] for one in house.findings()}


@pytest.mark.parametrize("name", SET_UPS)
def test_nothing_is_changed_anywhere(house: House, name: str) -> None:
    house.lytics.seed("user", "email", "canary@example.com")
    broken(house, SET_UPS[name])
    house.examine()
    assert house.lytics.has("user", "email", "canary@example.com")
    assert set(house.lytics.calls) | set(house.onetrust.calls) <= READS
    assert {method for method, _ in house.lytics.access_log} <= {"GET"}
    assert not house.lytics.snapshot()["submissions"]
    assert all(not one["history"] for one in house.onetrust.snapshot()["subtasks"].values())


def test_two_faults_in_different_places_are_both_named(house: House) -> None:
    house.lytics.faults.turn_on("field_unknown")
    house.onetrust.faults.turn_on("token_refused")
    assert house.faults() == {"schema_lacks_field": "fail", "onetrust_credential_refused": "fail"}


@pytest.mark.parametrize(
    ("address", "found"),
    [("https://localhost:{port}", "no secure connection"), ("http://127.0.0.1:{closed}", "no connection")],
)
def test_why_nothing_answers_is_told_as_far_as_it_shows(house: House, address: str, found: str) -> None:
    port = house.lytics.url.rpartition(":")[2]
    house.settings[f"{ACCOUNT}.base_url"] = json.dumps(address.format(port=port, closed=closed_port()))
    (one,) = (one for one in house.findings() if one["level"] != "ok")
    assert one["id"] == "lytics_unreachable"
    assert one["found"].startswith(f"remote_unreachable: {found}")


def test_a_configuration_that_cannot_be_used_is_named_line_by_line(house: House) -> None:
    house.settings |= {"server.port": "99999999", "accounts.main.tokn": '"canary-value"'}
    done = house.examine("--json")
    said = json.loads(done.stdout)["findings"]
    assert done.exit_code == 1
    assert [one["id"] for one in said] == ["configuration_faulty"] * 2
    assert [one["found"].split(":")[0] for one in said] == ["accounts.main.tokn", "server.port"]
    assert "canary-value" not in done.stdout


def test_where_there_is_no_store_none_is_made(house: House) -> None:
    house.settings["store.url"] = json.dumps(f"sqlite:///{house.folder / 'none.db'}")
    assert house.faults() == {"store_absent": "warn"}
    assert not (house.folder / "none.db").exists()


def test_a_store_that_is_not_up_to_date_is_named(house: House) -> None:
    house.settings["store.url"] = json.dumps(f"sqlite:///{house.folder / 'empty.db'}")
    (house.folder / "empty.db").touch()
    assert house.faults() == {"store_outdated": "fail"}


def test_a_machine_gets_everything_with_its_mend_and_the_counts(house: House) -> None:
    house.lytics.faults.turn_on("field_unknown", "loyalty_id")
    said = json.loads(house.examine("--json").stdout)
    (one,) = (one for one in said["findings"] if one["level"] == "fail")
    kind = KINDS["schema_lacks_field"]
    assert one == {
        "id": "schema_lacks_field",
        "level": "fail",
        "subject": "main",
        "means": kind.means,
        "found": "user.loyalty_id",
        "mend": kind.mend,
    }
    assert said["counts"] == {"ok": 12, "warn": 0, "fail": 1, "unknown": 0}
