"""A store with requests in every stage of their life, on a site that can go on with them elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.codes import Code
from connector.errors import Temporary
from connector.model import Delivered
from connector.policy.fuse import FusePolicy
from connector.policy.tangle import TangleRule
from connector.policy.watching import Reaction, WatchRule
from connector.private import Private
from connector.services import fuses, holds, tangles
from connector.services.alarms import Alarms
from connector.services.alerts import alert
from connector.services.backstop import backstop
from connector.services.export import export
from connector.services.own_keys import note_own_keys
from connector.services.proofs import Proofs
from connector.store import tables as t
from connector.store.audit import Decision
from connector.store.fuses import Scope
from tests.support.authorities import StandInAuthority
from tests.support.listings import Lister, Roll, asking, looking
from tests.support.proofs import KEY, ORIGIN
from tests.support.site import Bench
from tests.support.stand_ins import Killed, StandInChannel, StandInCommenter, StandInFiling, StandInReader

TABLES = tuple(t.metadata.sorted_tables)


def rich_bench(folder: Path) -> Bench:
    """Return a site whose SQLite store is closed: what is open, held, ended, refused, unknown and unreported."""
    bench = Bench(f"sqlite:///{folder / 'store.db'}")
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY, stamping=StandInAuthority.at(bench.clock).stamping()))
    bench.beside(filing=StandInFiling(), commenter=StandInCommenter())
    _ended(bench)
    _guarded(bench)
    _asks_for_access(bench)
    # Before what is to be under way: it takes hours, in which that would come to its end.
    was = bench.source
    _came_back(bench)
    _under_way(bench)
    bench.site = replace(bench.site, sources={"onetrust": was})
    bench.beside()
    bench.list_by(asking(Lister()))
    bench.look_through(looking(Roll(["missed"])))
    backstop(bench.site)
    bench.list_by(None)
    bench.look_through(None)
    bench.deliver("waits-1", event="e-waits-1")
    bench.deliver("waits-2", ("email", "wäits 2@example.com"), ("loyalty id", "Ł-2"))
    _told(bench)
    bench.database.close()
    return bench


def _asks_for_access(bench: Bench) -> None:
    """Let the data of one access request be taken, and that of another wait, beside one whose look-up gave nothing."""
    was = bench.source.scope
    lasting = replace(was, access_types=frozenset({"data access"}))
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, scope=lasting)})
    reader = StandInReader({("email", f"access-{number}@example.com"): {"email": "ä"} for number in range(2)})
    bench.with_account(reader=reader)
    for number in range(2):
        bench.deliver(f"access-{number}", types=("Data Access",))
        bench.pass_time(seconds=1)
    request_id = bench.dossier("access-0").request.id
    export(bench.site, request_id, lambda _content: None, Decision("operator", "a reason", bench.clock.now()))
    reader.answers = [Temporary(Code.REMOTE_FAULT)]
    bench.deliver("access-2", types=("Data Access",))
    bench.pass_time(seconds=1)
    bench.with_account(reader=None)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, scope=was)})


def _came_back(bench: Bench) -> None:
    """Let somebody be there again after their deletion, and somebody else be deleted again; the watch stays on."""
    for reaction, name in ((Reaction.ALARM, "back-said"), (Reaction.DELETE, "back-deleted")):
        rule = WatchRule(reaction, looks=(timedelta(hours=1), timedelta(days=900)))
        bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
        bench.knows(f"{name}@example.com")
        bench.deliver(name)
        bench.run_to_end(8)
        # Longer than their deletion takes, so that they were not looked for before they came back.
        bench.knows(f"{name}@example.com")
        bench.pass_time(hours=1)


def _told(bench: Bench) -> None:
    """Let operators have been told what is wrong, and a channel not have taken it; and a credential be refused."""
    deaf = StandInChannel("deaf", answers=[Temporary(Code.REMOTE_FAULT)])
    bench.site = replace(bench.site, alarms=Alarms(channels=(deaf,)))
    bench.site.refusals.note(bench.database, "main", Code.TOKEN_REFUSED, bench.clock.now())
    alert(bench.site)
    note_own_keys(bench.site)
    bench.site = replace(bench.site, alarms=Alarms())


def _guarded(bench: Bench) -> None:
    """Let a fuse blow and be resumed, and somebody be on the legal hold list, and somebody who was."""
    bench.with_account(fuse=FusePolicy(timedelta(days=1), 1, 0, 1))
    for number in range(2):
        bench.deliver(f"counted-{number}")
    bench.run_to_end(3)
    decision = Decision("operator", "a reason", bench.clock.now())
    fuses.resume(bench.database, Scope.ACCOUNT, "main", 5, decision)
    bench.with_account(fuse=None)
    holds.add(bench.site, [Private("kept@example.com"), Private("let-go@example.com")], decision)
    holds.remove(bench.site, [Private("let-go@example.com")], [], decision)
    bench.deliver("kept", ("email", "Kept@example.com"))
    bench.run_to_end()
    bench.with_account(tangle=TangleRule(0))
    for name in ("tangled", "let-pass"):
        bench.knows(f"{name}@example.com")
        bench.lytics.others[f"{name}@example.com"] = [("email", "other@example.com")]
        bench.deliver(name)
    bench.run_to_end()
    tangles.release(bench.site, bench.dossier("let-pass").request.id, decision)


def _ended(bench: Bench) -> None:
    for number in range(6):
        bench.knows(f"done-{number}@example.com")
        bench.headers = {"x_replay": f"nonce-{number}", **({"x_replay_for": "86400"} if number % 2 else {})}
        bench.deliver(f"done-{number}", event=f"e-done-{number}")
    bench.headers = {}
    bench.lytics.refuses = {"no@example.com"}
    bench.deliver("refused", ("email", "no@example.com"))
    bench.deliver("test-call", test=True)
    bench.deliver("held", ("email", "held@example.com"), ("shoe size", "44"))
    bench.reporter.answers = [Delivered.CONFLICT]
    bench.run_to_end()


def _under_way(bench: Bench) -> None:
    bench.lytics.finish_at_once = False
    bench.reporter.answers = [Temporary(Code.REMOTE_UNREACHABLE)] * 2
    for number in range(3):
        bench.knows(f"running-{number}@example.com")
        bench.deliver(f"running-{number}")
    bench.pass_time(seconds=61)
    bench.pass_time(seconds=1)
    bench.knows("unknown@example.com")
    bench.deliver("unknown")
    bench.lytics.after = Killed()
    try:
        bench.pass_time(seconds=1)
    except Killed:
        bench.starts_again()
    bench.lytics.finish_at_once = True


def go_on(bench: Bench, store_url: str) -> None:
    """Let another process carry on with another store; Lytics has finished meanwhile."""
    bench.store_url = store_url
    bench.starts_again()
    for one in list(bench.lytics.operations):
        bench.lytics.finish(one)


def contents(bench: Bench) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as typed values."""
    return {one.name: sorted(map(tuple, bench.rows(one)), key=repr) for one in TABLES}
