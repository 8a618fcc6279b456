"""Every key is changed while traffic runs: in order, killed halfway once, with nothing lost and nothing unreadable."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.crypto.keyring import Keyring
from connector.crypto.pseudonym import Pseudonymiser
from connector.policy.needed_keys import Keeping
from connector.private import Secret
from connector.proof.keys import new_pem
from connector.sandbox.defaults import ONETRUST_CLIENT_ID
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Credential, Hmac, OAuth2
from connector.sandbox.onetrust_outbound import Workflow
from connector.services import pseudonyms, rewrap
from connector.store import tables as t
from connector.store import watch_tables as w
from connector.store.database import Database
from tests.acceptance.test_processes import Town
from tests.support.processes import ROOT, Running, connector, started, until
from tests.support.sealing import opened_rows

pytestmark = [pytest.mark.process, pytest.mark.soak]

NAMES = ("webhook", "client", "token-key", "sealing", "pseudonym", "api", "share", "lytics", "onetrust")
CLIENT = "onetrust-workflow"
# So many people at least between two changes.
MEANWHILE = 4


class Keys:
    """Every key that there is, the former and the new one, each in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for age in ("old", "new"):
            for name in NAMES:
                prefix = "at." if name == "lytics" else ""
                (folder / f"{name}.{age}").write_text(f"{prefix}canary-{age}-{name}-0123456789-abcdefghij")
            seed = bytes(range(32)) if age == "old" else bytes(range(1, 33))
            (folder / f"signing.{age}").write_text(new_pem(seed))

    def text(self, name: str, age: str) -> str:
        return (self.folder / f"{name}.{age}").read_text()

    def secret(self, name: str, age: str) -> Secret:
        return Secret(self.text(name, age), f"test:{name}.{age}")

    def settings(self, order: Sequence[str], vendors: str) -> list[str]:
        """Return the settings for keys in this order, the present one first."""

        def of(name: str, ages: Sequence[str] = order) -> str:
            return "[" + ", ".join(f'"file:{self.folder}/{name}.{age}"' for age in ages) + "]"

        signed = f'{{check="signature", header="X-OneTrust-Signature", prefix="sha256=", secrets={of("webhook")}, '
        signed += 'timestamp_header="X-OneTrust-Timestamp"}'
        token = f'{{check="issued-token", client_id="{CLIENT}", audience="https://c.example.com/webhooks/onetrust", '
        token += f"secrets={of('client')}, signing_keys={of('token-key')}}}"
        return [
            f'sources.onetrust.verify=[{{check="any_of", checks=[{signed}, {token}]}}]',
            f"store.sealing_keys={of('sealing')}",
            f'store.pseudonym_key="file:{self.folder}/pseudonym.{order[0]}"',
            f"store.other_pseudonym_keys={of('pseudonym', order[1:])}",
            f'api.clients.collector={{secrets={of("api")}, scopes=["suppression"]}}',
            f'suppression.share_key="file:{self.folder}/share.{order[0]}"',
            f"proof.signing_keys={of('signing')}",
            f'accounts.main.token="file:{self.folder}/lytics.{vendors}"',
            f'sources.onetrust.report.client_secret="file:{self.folder}/onetrust.{vendors}"',
            'sources.onetrust.watch="alarm"',
        ]


class Traffic:
    """People who ask for erasure one after the other; a call that is not accepted is made again."""

    def __init__(self, town: Town, keys: Keys) -> None:
        self.town, self.keys = town, keys
        self.age = "old"
        self.accepted: list[str] = []
        self.over = threading.Event()
        self.failed: list[BaseException] = []

    def credential(self, number: int) -> Credential:
        if number % 2:
            return Hmac(self.keys.text("webhook", self.age), prefix="sha256=")
        return OAuth2(f"{self.town.url}/oauth/token", CLIENT, self.keys.text("client", self.age))

    def send(self, subtask: str, number: int) -> bool:
        workflow = Workflow(f"{self.town.url}/webhooks/onetrust", credentials=(self.credential(number),))
        self.town.onetrust.outbound.workflow = workflow
        try:
            (delivery,) = self.town.onetrust.fire([subtask])
        except requests.RequestException:
            # No token to be had: the receiver is just being started again.
            return False
        return delivery.status == 202

    def run(self) -> None:
        try:
            while not self.over.is_set():
                (subtask,) = self.town.people(1)
                while not self.send(subtask, len(self.accepted)):
                    self.over.wait(0.05)
                self.accepted.append(subtask)
                self.over.wait(0.02)
        except BaseException as error:
            self.failed.append(error)
            raise

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()
        assert self.failed == []


def command(settings: Sequence[str], *arguments: str, killed: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    begin = ["tests.support.killed", *killed] if killed else ["connector"]
    chosen = [part for one in settings for part in ("--set", one)]
    line = [sys.executable, "-m", *begin, *chosen, *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def is_listed(town: Town, token: str, emails: Sequence[str]) -> list[bool]:
    body = {"account": "main", "identities": [{"kind": "email", "value": one} for one in emails]}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{town.url}/api/v1/suppression/check", json=body, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["suppressed"])


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with FakeLytics() as lytics, FakeOneTrust() as onetrust:
        yield Town(tmp_path, lytics, onetrust)


def use(town: Town, keys: Keys, age: str) -> None:
    """Let the vendors know one of our credentials alone."""
    town.lytics.token = keys.text("lytics", age)
    town.onetrust.access.credential = (ONETRUST_CLIENT_ID, keys.text("onetrust", age))


def stages_of(town: Town, keys: Keys) -> list[list[str]]:
    """Return what each process knows, one stage after the other.

    The former keys alone; the new ones behind them; the new ones first; alone, but for what nobody can make anew.
    """
    known = ((["old"], "old"), (["old", "new"], "old"), (["new", "old"], "new"), (["new"], "new"))
    stages = [town.settings + keys.settings(*one) for one in known]
    former = f'store.other_pseudonym_keys=["file:{keys.folder}/pseudonym.old"]'
    signed = f'proof.signing_keys=["file:{keys.folder}/signing.new", "file:{keys.folder}/signing.old"]'
    return [*stages[:3], [*stages[3], former, signed], stages[3]]


def test_every_key_is_changed_under_traffic_killed_halfway_and_gone_on_with(town: Town, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    traffic = Traffic(town, keys)
    first, both, changed, last, alone = stages_of(town, keys)

    def more(running: Running) -> None:
        wanted = len(traffic.accepted) + MEANWHILE
        until(lambda: len(traffic.accepted) >= wanted or traffic.failed, "calls are accepted", running)

    use(town, keys, "old")
    with traffic.flowing():
        with started(connector("run", settings=first), tmp_path) as running:
            until(lambda: town.statuses()["COMPLETED"] >= MEANWHILE, "somebody is deleted", running)
            receipts = [receipt_of(town, first, traffic.accepted[0], running)]
            assert running.terminate() == 0
        with started(connector("run", settings=both), tmp_path) as running:
            more(running)
            traffic.age = "new"
            more(running)
            assert running.terminate() == 0
        use(town, keys, "new")
        with started(connector("run", settings=changed), tmp_path) as running:
            more(running)
            for words in ("UPDATE data_keys", "UPDATE targets SET value_hash", "UPDATE suppressions SET value_hash"):
                assert command(changed, "keys", "rotate", killed=(words, "2")).returncode == -signal.SIGKILL, words
                more(running)
            done = command(changed, "keys", "rotate")
            assert (done.returncode, done.stderr) == (0, "")
            assert running.terminate() == 0
        with started(connector("run", settings=last), tmp_path) as running:
            more(running)
            traffic.over.set()
            until(town.all_completed, "everything is reported", running)
            _nobody_is_forgotten(town, keys, traffic)
            receipts += [receipt_of(town, last, traffic.accepted[place], running) for place in (0, -1)]
            assert running.terminate() == 0

    assert len(traffic.accepted) > 6 * MEANWHILE
    _everybody_was_deleted_once(town, len(traffic.accepted))
    _everything_is_readable(town, keys, len(traffic.accepted))
    _receipts_hold(last, receipts, tmp_path)
    # The former pseudonym key still knows calls of its time: nothing starts without it.
    missing = command(alone, "status")
    assert missing.returncode == 2
    assert missing.stderr.startswith("pseudonym_key_missing: ")
    for output in tmp_path.glob("output-*"):
        told = output.read_text(errors="replace")
        assert "person-" not in told
        assert "canary" not in told


def receipt_of(town: Town, settings: Sequence[str], subtask: str, running: Running) -> str:
    """Return the receipt of a request that ended, which a worker issues."""
    found: list[str] = []

    def is_issued() -> bool:
        found.append(command(settings, "receipt", "export", subtask).stdout)
        return bool(found[-1])

    until(is_issued, "the receipt is issued", running)
    return found[-1]


def _nobody_is_forgotten(town: Town, keys: Keys, traffic: Traffic) -> None:
    """Whoever was deleted is on the list, under whichever key; and the first call of all is a duplicate."""
    asked = [town.onetrust.subtask(one).ref_id for one in traffic.accepted]
    emails = [town.onetrust.desk.requests[one].email for one in asked]
    assert set(is_listed(town, keys.text("api", "new"), emails)) == {True}
    credentials = (traffic.credential(1),)
    town.onetrust.outbound.workflow = Workflow(f"{town.url}/webhooks/onetrust", credentials=credentials)
    (again,) = town.onetrust.fire(traffic.accepted[:1])
    assert (again.status, again.answer["duplicate"]) == (202, True)


def _everybody_was_deleted_once(town: Town, people: int) -> None:
    assert town.times_submitted() == {1: people}
    assert town.final_writes() == {1: people}
    assert town.lytics.profiles == []


def _receipts_hold(settings: Sequence[str], receipts: Sequence[str], folder: Path) -> None:
    """Verify them, issued before and after, with the keys that are published now; and the audit log."""
    public, file = folder / "keys.json", folder / "receipt.json"
    public.write_text(command(settings, "keys", "public").stdout)
    for one in receipts:
        file.write_text(one)
        assert command(settings, "receipt", "verify", str(file), "--keys", str(public)).returncode == 0
    assert command(settings, "audit", "verify").returncode == 0


def _everything_is_readable(town: Town, keys: Keys, people: int) -> None:
    new, old = keys.secret("pseudonym", "new"), keys.secret("pseudonym", "old")
    present = Pseudonymiser(new)
    with Database(town.store, pool_size=1, keyring=Keyring([keys.secret("sealing", "new")])) as database:
        with database.read() as connection:
            for table in (t.identities, t.targets):
                rows: list[Any] = opened_rows(connection, table)
                assert len(rows) == people
                assert all(one.value is not None for one in rows)
            assert {
                present.of_target(one.account, one.lytics_table, one.field, one.value)
                for one in opened_rows(connection, t.targets)
            } == {one.value_hash for one in opened_rows(connection, t.targets)}
            assert len(opened_rows(connection, w.watched)) == people
            hashed = {one.hash_key for one in connection.execute(t.requests.select())}
            assert hashed == {present.id}
        assert [one.data_keys for one in rewrap.uses(database)] == [2 * people]
        present_use, former_use = pseudonyms.uses(database, Pseudonymiser(new, [old]), Keeping(None, None))
    assert (present_use.need.requests, present_use.need.entries) == (people, people)
    assert (former_use.need.requests, former_use.need.entries, former_use.need.repeats) == (0, 0, True)
