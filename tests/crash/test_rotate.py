"""`connector keys rotate` is killed halfway, also between a part's last statement and its commit; the same goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from connector.crypto.keyring import Keyring
from connector.crypto.pseudonym import Pseudonymiser, identity_scope
from connector.errors import Misconfigured
from connector.policy.watching import WatchRule
from connector.private import Secret
from connector.services import rewrap
from connector.store import tables as t
from connector.store.database import Database
from connector.store.watch_tables import watched
from tests.support.killed import COMMIT
from tests.support.processes import ROOT
from tests.support.rich_store import contents
from tests.support.sealing import KEYRING, SEALING, opened_rows
from tests.support.site import KEY as PSEUDONYM
from tests.support.site import Bench

pytestmark = [pytest.mark.process, pytest.mark.soak]

NEW = Secret("another-sealing-key-of-good-length-000", "test:new")
UPDATE = "UPDATE data_keys"


def rotate(store_url: str, key: Path, *killed: str) -> subprocess.CompletedProcess[str]:
    """Give the command in a process of its own, killed before some statement if that is given."""
    begin = ("tests.support.killed", *killed) if killed else ("connector",)
    settings = f"store.url={json.dumps(store_url)}", f'store.sealing_keys=["file:{key}", "{SEALING.id}"]'
    command = [sys.executable, "-m", *begin, *(part for one in settings for part in ("--set", one)), "keys", "rotate"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def under_each(store_url: str) -> list[int]:
    """Return how many data keys are under the new key, and how many under the old one."""
    with Database(store_url, pool_size=1, keyring=Keyring([NEW, SEALING])) as database:
        return [one.data_keys for one in rewrap.uses(database)]


def test_killed_halfway_no_data_key_is_lost_and_the_same_command_goes_on(store_url: str, tmp_path: Path) -> None:
    key = tmp_path / "new.secret"
    key.write_text(NEW.reveal(), encoding="utf-8")
    bench = Bench(store_url)
    for number in range(7):
        bench.deliver(f"s{number}")
    before = contents(bench)["identities"]
    bench.database.close()

    # Two data keys in each part there; the second time a part begins, the first is committed.
    for words, number, wanted in ((UPDATE, "1", [0, 7]), (COMMIT + UPDATE, "1", [0, 7]), (UPDATE, "2", [2, 5])):
        assert rotate(store_url, key, words, number).returncode == -signal.SIGKILL
        assert under_each(store_url) == wanted, words
    assert rotate(store_url, key, COMMIT + UPDATE, "2").returncode == -signal.SIGKILL
    assert under_each(store_url) == [4, 3]
    done = rotate(store_url, key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 data keys were brought under file:")
    assert under_each(store_url) == [7, 0]

    assert KEYRING.current.id != Keyring([NEW]).current.id
    bench.database = Database(store_url, pool_size=4, keyring=Keyring([NEW]))
    assert contents(bench)["identities"] == before
    bench.database.close()


def test_killed_halfway_the_keys_of_who_is_watched_are_brought_too(store_url: str, tmp_path: Path) -> None:
    key = tmp_path / "new.secret"
    key.write_text(NEW.reveal(), encoding="utf-8")
    bench = Bench(store_url)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=WatchRule())})
    for number in range(3):
        bench.deliver(f"s{number}")
    bench.run_to_end()
    before = sorted(one.value.reveal() for one in bench.rows(watched))
    assert len(before) == 3
    bench.database.close()
    for number, wanted in (("1", [0, 6]), ("2", [2, 4])):
        assert rotate(store_url, key, "UPDATE watched", number).returncode == -signal.SIGKILL
        assert under_each(store_url) == wanted
    assert rotate(store_url, key).returncode == 0
    assert under_each(store_url) == [6, 0]
    bench.database = Database(store_url, pool_size=4, keyring=KEYRING)
    with pytest.raises(Misconfigured):
        bench.rows(watched)
    bench.database.close()
    with Database(store_url, pool_size=1, keyring=Keyring([NEW])) as database, database.read() as connection:
        assert sorted(one.value.reveal() for one in opened_rows(connection, watched)) == before


ANEW = "UPDATE identities SET value_hash"


def rehash(store_url: str, key: Path, *killed: str) -> subprocess.CompletedProcess[str]:
    """Give `keys rotate pseudonym` in a process of its own, killed before some statement if that is given."""
    begin = ("tests.support.killed", *killed) if killed else ("connector",)
    keys = f'store.pseudonym_key="file:{key}"', f'store.other_pseudonym_keys=["{PSEUDONYM.id}"]'
    settings = [part for one in (f"store.url={json.dumps(store_url)}", *keys) for part in ("--set", one)]
    command = [sys.executable, "-m", *begin, *settings, "keys", "rotate", "pseudonym"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def hashed_under_each(store_url: str) -> list[int]:
    """Return how many requests are hashed under the new key, and how many under the old one, each as a whole."""
    new, old = Pseudonymiser(NEW), Pseudonymiser(PSEUDONYM)
    with Database(store_url, pool_size=1, keyring=KEYRING) as database, database.read() as connection:
        keys = {one.id: one.hash_key for one in connection.execute(t.requests.select())}
        for one in opened_rows(connection, t.identities):
            by = {new.id: new, old.id: old}[keys[one.request_id]]
            assert one.value_hash == by.of(identity_scope("onetrust", one.kind), one.value)
    counted = Counter(keys.values())
    return [counted[new.id], counted[old.id]]


def test_killed_halfway_each_request_is_hashed_under_one_key_and_the_same_command_goes_on(
    store_url: str, tmp_path: Path
) -> None:
    key = tmp_path / "new.secret"
    key.write_text(NEW.reveal(), encoding="utf-8")
    bench = Bench(store_url)
    for number in range(7):
        bench.deliver(f"s{number}", ("email", f"s{number}@example.com"), ("loyalty id", f"L-{number}"))
    bench.database.close()
    marked = "UPDATE requests SET hash_key"
    for words, number, wanted in ((ANEW, "1", [0, 7]), (COMMIT + marked, "1", [0, 7]), (marked, "2", [2, 5])):
        assert rehash(store_url, key, words, number).returncode == -signal.SIGKILL
        assert hashed_under_each(store_url) == wanted, words
    done = rehash(store_url, key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 requests and entries were hashed under file:")
    assert hashed_under_each(store_url) == [7, 0]
