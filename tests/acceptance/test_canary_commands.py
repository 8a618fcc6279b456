"""What commands print names nobody and shows no secret: every command of the command line, on a store full of life.

The list of commands comes from the command line itself, so that a new one without a trial here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from connector.cli.main import cli
from connector.sandbox.onetrust_credentials import Hmac
from tests.acceptance.canary import IDENTIFIERS, Watched, watched
from tests.acceptance.canary_features import EMAIL, WHY, state
from tests.support.canary import value_of
from tests.support.postgres import plain

Capture = pytest.CaptureFixture[str]
SETTINGS = (
    'sources.onetrust.access.types=["Data Access"]',
    'sources.onetrust.access.delivery="export"',
    "sources.onetrust.fuse.max_values=7",
    "accounts.main.tangled_above=1",
)
# They serve until they are stopped; `test_canary_processes.py` looks at what they write.
SERVING = {"run", "web", "worker", "dashboard", "metrics"}
# They make up their own people and secrets, and know no others.
REHEARSING = {"demo", "sandbox"}


@dataclass
class Scene:
    """Where the commands find what they are about."""

    watch: Watched
    done: Any
    tangled: Any
    failed: Any
    access: Any

    def id_of(self, asked: Any) -> str:
        return str(self.watch.life.dossier(asked).request.id)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.watch.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def new(self, name: str) -> str:
        path = self.watch.folder / name
        path.unlink(missing_ok=True)
        return str(path)

    @property
    def people(self) -> str:
        return self.file("people.txt", f"{EMAIL}\n{value_of('second email')}\n")

    @property
    def body(self) -> bytes:
        said = {
            "subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
            "requestTypes": ["Data Deletion"],
            "identifiers": {"email": EMAIL, **IDENTIFIERS},
        }
        return json.dumps(said).encode()

    def saved(self, secret: str) -> tuple[str, str]:
        signed = Hmac(secret, prefix="sha256=").headers(self.body, self.watch.life.onetrust.now(), None, spoil=False)  # type: ignore[arg-type]
        lines = [*(f"{name}: {text}" for name, text in signed.items()), f"X-Person: {value_of('header')}"]
        return self.file("headers.txt", "\n".join(lines)), self.file("body.json", self.body)

    @property
    def moment(self) -> str:
        return self.watch.life.clock.now().isoformat()


Calls = Callable[[Scene], Sequence[Sequence[str]]]
#: Command → the arguments that it is given, one after the other.
COMMANDS: Mapping[str, Calls] = {
    "status": lambda _: [[], ["--list", "50"]],
    "show": lambda s: [[s.id_of(one)] for one in (s.done, s.tangled, s.failed, s.access)] + [[s.done.ref_id], [EMAIL]],
    "doctor": lambda _: [[], ["--strict"]],
    "map": lambda s: [[s.file("payload.json", s.body)], [s.file("wrong.json", s.body[:-9])]],
    "preview": lambda _: [["--examples", "1000"]],
    "approve": lambda _: [["0" * 64, *WHY], [EMAIL, *WHY]],
    "dlq list": lambda _: [[], ["--dropped"]],
    "dlq show": lambda s: [[s.id_of(s.failed)], [EMAIL]],
    "dlq replay": lambda s: [[EMAIL, *WHY[:2]], ["--all", "--reason", EMAIL], ["--all", *WHY[:2]]],
    "dlq drop": lambda s: [[s.id_of(s.failed), *WHY[:2]]],
    "hold add": lambda s: [["--file", s.people, *WHY], ["--file", s.file("bad.txt", f"{EMAIL}\n{EMAIL}\0\n"), *WHY]],
    "hold list": lambda _: [[]],
    "hold remove": lambda s: [["--file", s.people, *WHY]],
    "release": lambda s: [[s.tangled.subtask_id, *WHY], [EMAIL, *WHY]],
    "resume": lambda _: [["--all", *WHY], ["--source", EMAIL, *WHY]],
    "audit": lambda _: [[]],
    "audit verify": lambda _: [[]],
    "audit checkpoint": lambda _: [[], ["--key"]],
    "audit proof": lambda _: [["--entry", "0"], ["--from", "1"]],
    "receipt show": lambda s: [[s.id_of(s.done)], [EMAIL]],
    "receipt export": lambda s: [[s.id_of(s.done)], [s.id_of(s.done), "--html"]],
    "receipt verify": lambda s: [
        [
            s.file("receipt.json", s.watch.run("receipt", "export", s.id_of(s.done))),
            "--keys",
            s.file("keys.json", "{}"),
        ],
        [s.file("no.json", s.body), "--keys", s.file("keys.json", s.watch.run("keys", "public"))],
    ],
    "alerts list": lambda _: [[]],
    "alerts test": lambda _: [[]],
    "suppression check": lambda s: [["--kind", "email", "--file", s.people], ["--kind", EMAIL, "--file", s.people]],
    "suppression export": lambda s: [["--output", s.new("main.filter")]],
    "suppression list": lambda _: [[]],
    "suppression end": lambda s: [["--kind", "email", "--file", s.people, *WHY]],
    "access list": lambda _: [[]],
    "access show": lambda s: [[s.id_of(s.access)], [EMAIL]],
    "access export": lambda s: [
        [s.id_of(s.access), "--to", s.new("data.json"), *WHY],
        [EMAIL, "--to", "/nowhere", *WHY],
    ],
    "verify": lambda s: [
        [*s.saved(value_of("webhook secret")), "--at", s.moment],
        [*s.saved("another-secret-of-good-length"), "--at", s.moment],
        [*s.saved(value_of("webhook secret"))],
        [s.file("no-headers.txt", f"{value_of('header')} {EMAIL}\n"), s.file("body.json", s.body)],
    ],
    "send": lambda s: [["--test"], [s.file("payload.json", s.body)], ["--email", EMAIL]],
    "users add": lambda s: [
        ["ann", "--role", "viewer", "--password-file", s.file("password", value_of("dashboard password"))],
        [EMAIL, "--role", "viewer", "--password-file", s.file("password", value_of("dashboard password"))],
    ],
    "users list": lambda _: [[]],
    "users remove": lambda _: [["ann"]],
    "keys report": lambda _: [[]],
    "keys sealing": lambda _: [[]],
    "keys rotate": lambda _: [[], ["pseudonym"]],
    "keys pseudonyms": lambda _: [[]],
    "keys drop-pseudonym": lambda _: [["0" * 16, *WHY[:2]], [EMAIL, *WHY[:2]]],
    "keys public": lambda _: [[]],
    "keys new-signing": lambda s: [[s.new("made.pem")], [s.file("there.pem", value_of("sealing key"))]],
    "config check": lambda _: [[]],
    "config show": lambda _: [[]],
    "config schema": lambda _: [[]],
    "db upgrade": lambda _: [[]],
    # To PostgreSQL, below; here what is wrong about it.
    "db copy": lambda s: [
        [f"postgresql://connector:{value_of('header')}@127.0.0.1/x"],
        [f"file:{s.file('url', 'mysql://u:' + value_of('header') + '@127.0.0.1/x')}"],
    ],
}


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Give every command that does something, by its words."""
    for name, one in group.commands.items():
        words = f"{path} {name}".strip()
        if not isinstance(one, click.Group) or one.invoke_without_command:
            yield words, one
        if isinstance(one, click.Group):
            yield from commands(one, words)


EVERY = dict(commands(cli))


@pytest.fixture
def scene(tmp_path: Path, capfd: Capture) -> Iterator[Scene]:
    """A store in which somebody was deleted, is held, failed, asked for their data, and waits behind a fuse."""
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd, *SETTINGS) as watch:
        life = watch.life
        done = watch.deletes()
        life.lytics.tangle("user", "email", value_of("second email"), email=[value_of("stranger"), "two@example.com"])
        tangled = watch.ask(value_of("second email"), identifiers={})
        life.lytics.faults.turn_on("deletion_failed")
        failed = watch.ask(f"failed.{EMAIL}", identifiers={})
        watch.knows()
        access = watch.ask(request_types=("Data Access",))
        life.accept(tangled, failed, access)
        life.run_for(10, seconds=400)
        life.lytics.faults.turn_off()
        waits = watch.ask(identifiers=IDENTIFIERS)
        life.accept(waits)
        life.run_for(4, seconds=60)
        states = [state(watch, one)[0] for one in (done, tangled, failed, access)]
        assert states == ["completed", "held", "failed", "delivering"]
        assert {str(one.state) for one in life.dossier(waits).targets} >= {"queued"}
        # So that `send` finds the receiver.
        watch.settings = [*watch.settings, f"server.port={watch.url.rpartition(':')[2]}"]
        yield Scene(watch, done, tangled, failed, access)


def test_every_command_has_a_trial() -> None:
    assert set(COMMANDS) | SERVING | REHEARSING == set(EVERY)


def test_no_command_says_who_it_was(scene: Scene) -> None:
    """In the order of the table: what changes something stands behind what shows it."""
    for words, calls in COMMANDS.items():
        answers = [one.name for one in EVERY[words].params]
        for arguments in calls(scene):
            scene.watch.run(*words.split(), *arguments, status=None)
            if "machine" in answers:
                scene.watch.run(*words.split(), *arguments, "--json", status=None)
        scene.watch.run(*words.split(), "--help")
    said = {place for place, content in scene.watch.seen if content and place.startswith("standard output of")}
    assert [one for one in COMMANDS if not any(f"`connector {one}" in place for place in said)] == []
    # A command may repeat to whoever typed it what they typed.
    assert [one for one in scene.watch.findings() if EMAIL not in one] == []


@pytest.mark.parametrize(
    "wrong",
    [
        f'accounts.main.token="{value_of("lytics token")}"',
        f'sources.onetrust.report.client_secret={{value="{value_of("onetrust client secret")}"}}',
        f'store.sealing_keys=["{value_of("sealing key")}"]',
        f'store.url="postgresql://u:{value_of("header")}@127.0.0.1:1/x"',
        f"accounts.main.base_url=https://u:{value_of('header')}@api.example.com",
    ],
)
def test_a_secret_in_the_wrong_place_of_the_configuration_is_not_repeated(
    wrong: str, tmp_path: Path, capfd: Capture
) -> None:
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd) as watch:
        for command in ("config check", "config show", "doctor", "doctor --json", "status"):
            watch.run(*command.split(), status=None, more=(wrong,))
        assert watch.findings() == []


@pytest.mark.postgres
def test_a_copy_of_the_store_names_nobody_either(
    scene: Scene, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_URL", plain(postgres_url))
    # As its page says: with nobody at work on the store.
    scene.watch.life.site.database.close()
    scene.watch.run("db", "copy", "env:TARGET_URL")
    scene.watch.saw("the copy", copied_bytes(postgres_url))
    scene.watch.require_nothing_seen()


def copied_bytes(url: str) -> bytes:
    from connector.store.database import Database
    from tests.support.stores import all_bytes

    with Database(url) as copy:
        return all_bytes(copy)
