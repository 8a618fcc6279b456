"""What the product asks again and again is answered by an index: nothing gets slower with everything that was done.

The statements are not listed here: they are noted while requests of every kind live through a whole life, so that a new
query cannot be forgotten. Then they are explained by each database over a store that is full of history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from bench import backlog
from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.crypto.seal import SHREDDED
from connector.crypto.share import ShareKey
from connector.engine.schedule import STEPS
from connector.errors import Misconfigured, Refused, Rejected, Temporary
from connector.mapping.rules import compile_rules
from connector.model import Delivered, Identity, RemoteState, RemoteStatus
from connector.policy.approval import Approval, ApprovalMode
from connector.policy.fuse import FusePolicy
from connector.policy.tangle import TangleRule
from connector.policy.watching import Reaction, WatchRule
from connector.private import Private, Secret
from connector.services import approvals, fuses, holds, rehash, suppression, tangles
from connector.services import receipts as services_receipts
from connector.services.alarms import Alarms
from connector.services.export import export
from connector.services.extras import AccessRules, Extras
from connector.services.key_uses import KeyUses
from connector.services.own_keys import in_use, note_own_keys
from connector.services.proofs import Proofs
from connector.services.reconcile import mark_orphans
from connector.services.site import Budgets
from connector.services.watch_rules import Suppression
from connector.states import RequestState, WatchState
from connector.store import (
    access,
    audit,
    browse,
    checkup,
    distinct,
    ledger,
    overview,
    pseudonym_keys,
    pulse,
    receipts,
    returns,
    stamp_tables,
    suppressions,
    targets,
    upkeep,
    vault,
    watched,
)
from connector.store import access_tables as a
from connector.store import fuses as guarded
from connector.store import guard_tables as g
from connector.store import holds as listing_of_holds
from connector.store import ledger_tables as p
from connector.store import tables as t
from connector.store import watch_tables as w
from connector.store.audit import Decision
from connector.store.browse import Wanted
from connector.store.fuses import Scope
from connector.store.insertion import insert_or_leave
from connector.store.tangle_tables import tangle_releases
from tests.support.authorities import StandInAuthority
from tests.support.listings import Lister, Roll, asking, listing, looking
from tests.support.postgres import Server
from tests.support.proofs import KEY, ORIGIN
from tests.support.site import KEY as PSEUDONYM_KEY
from tests.support.site import RULES, START, Bench
from tests.support.stand_ins import Killed, StandInChannel, StandInCommenter, StandInFiling, StandInReader

NAMES = frozenset(t.metadata.tables)
HISTORY = 6000
WAITING = 1500
# One row for each secret in use, one for each source and account, and a month of hours for each of these.
# And one for each trouble that operators are told of, and each system that refuses us.
ALWAYS_SMALL = frozenset(
    {
        *("key_uses", "rolls", "fuses", "fuse_counts", "ledger_head", "stamp_turn"),
        *("refusals", "alerts", "alert_messages", "own_keys"),
    }
)

# Who asks besides the steps.
BESIDE = frozenset(
    {
        *("intake", "mark_orphans", "show", "status", "status --list", "hold", "resume", "audit", "doctor", "preview"),
        *("suppression", "suppression export", "suppression list"),
        *("release", "access", "dashboard", "receipt", "metrics", "keys"),
    }
)

Statement = tuple[str, Any]


class Noted:
    """Every statement that was made, by who asked, with one set of its values."""

    def __init__(self) -> None:
        self.asking = ""
        self.statements: dict[tuple[str, str], Any] = {}

    def note(self, _c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.split(None, 1)[0] in ("SELECT", "UPDATE", "DELETE", "WITH"):
            self.statements.setdefault((self.asking, statement), parameters[0] if many else parameters)

    @contextmanager
    def by(self, name: str) -> Iterator[None]:
        before, self.asking = self.asking, name
        yield
        self.asking = before


class Life:
    """Requests of every kind come in and are carried out, with every kind of trouble, and an operator looks."""

    def __init__(self, bench: Bench, noted: Noted) -> None:
        self.bench = bench
        self.noted = noted
        bench.lytics.finish_at_once = False

    def asks(self, name: str, what: Callable[[], object]) -> None:
        with self.noted.by(name):
            what()

    def passes(self, number: int = 1, seconds: float = 61) -> None:
        for _ in range(number):
            self.bench.clock.advance(seconds=seconds)
            for step in STEPS:
                self.asks(step.name, lambda step=step: step.run(self.bench.site))

    def delivers(self, *arguments: Any, **said: Any) -> None:
        with self.noted.by("intake"), suppress(Rejected):
            self.bench.deliver(*arguments, **said)

    def ends(self, state: RemoteState = RemoteState.FINISHED) -> None:
        for remote_id, status in list(self.bench.lytics.statuses.items()):
            if status.state is RemoteState.RUNNING and state is RemoteState.FINISHED:
                self.bench.lytics.finish(remote_id)
            elif status.state is RemoteState.RUNNING:
                self.bench.lytics.statuses[remote_id] = RemoteStatus(state, "failed", None, None)

    def comes_in(self) -> None:
        self.bench.headers = {"x_replay": "r1", "x_replay_for": "60"}
        self.delivers("s1", event="e1")
        self.delivers("s1", event="e1")
        self.bench.headers = {}
        self.delivers("s1", event="e1")
        self.delivers("s1", ("email", "late@example.com"), event="e2")
        self.delivers("s2", ("shoe size", "44"))
        self.delivers("s3", types=["Data Access"])
        self.delivers("s4")

    def is_carried_out(self) -> None:
        lytics, reporter = self.bench.lytics, self.bench.reporter
        fails = Temporary(Code.REMOTE_FAULT)
        lytics.look_up_errors = [fails]
        reporter.answers = [fails, Delivered.CONFLICT, Refused(Code.REMOTE_REFUSED)]
        self.passes(2)
        self.delivers("s1", ("email", "later@example.com"), event="e3")
        lytics.after = Temporary(Code.REMOTE_FAULT, outcome_unknown=True)
        lytics.status_errors = [fails, Misconfigured(Code.TOKEN_REFUSED)]
        reporter.answers = [fails, Delivered.CONFLICT, Refused(Code.REMOTE_REFUSED)]
        self.passes(8, 301)
        self.ends()
        lytics.stays = {"s5@example.com"}
        self.bench.knows("s5@example.com")
        for name in ("s5", "s6", "s7"):
            self.delivers(name)
        lytics.errors = [Refused(Code.REMOTE_REFUSED)]
        self.passes(3, 301)
        self.ends(RemoteState.FAILED)
        self.passes(3, 601)
        self.ends()
        self.passes(8, 601)

    def dies_and_goes_on(self) -> None:
        self.delivers("s8")
        self.bench.lytics.after = Killed()
        with suppress(Killed):
            self.passes(8, 601)
        self.asks("mark_orphans", lambda: mark_orphans(self.bench.site))
        self.passes(4, 1000)
        self.bench.lytics.statuses.clear()
        self.passes(4, 90_000)
        self.ends()
        self.passes(6, 4000)
        self.delivers("s5")
        self.delivers("s1")
        self.bench.with_rules(compile_rules(RULES.rules, ignore_kinds=("first name", "shoe size")))
        self.bench.site.pauses.until.clear()
        self.passes(2)

    def is_told_more(self) -> None:
        self.bench.beside(filing=StandInFiling(), commenter=StandInCommenter())
        self.delivers("s40")
        self.passes(3)
        self.passes(2, 90_000)
        self.ends()
        self.passes(6, 4000)
        self.passes(1, 90_000)
        self.bench.beside()

    def is_listed(self) -> None:
        lister = Lister()
        self.bench.list_by(asking(lister))
        for name in ("s20", "s21", "s22"):
            self.delivers(name)
        for answer in (Temporary(Code.REMOTE_FAULT), listing(stage="NEW"), listing(email="s20@example.com")):
            lister.answer = answer
            self.passes(2, 1000)
        self.delivers("s20")
        self.passes(2)
        self.bench.look_through(looking(Roll(["s1", "s5", "s20", "s30"], Temporary(Code.REMOTE_FAULT))))
        self.passes(2)
        self.bench.look_through(looking(Roll(["s1", "s31"])))
        self.passes(2, 3600)
        self.bench.list_by(None)
        self.passes()

    def is_guarded(self) -> None:
        bench = self.bench
        decision = Decision("operator", "a reason", bench.clock.now())
        bench.with_account(fuse=FusePolicy(timedelta(days=1), 1, 10, 1))
        for name in ("s40", "s41", "s42"):
            self.delivers(name)
        self.passes(2)
        values = [Private("s41@example.com")]
        self.asks("hold", lambda: holds.add(bench.site, values, decision))
        self.asks("hold", lambda: holds.begun(bench.site, values))
        self.asks("hold", lambda: holds.remove_illegible(bench.site, decision))
        self.asks("resume", lambda: fuses.resume(bench.database, Scope.ACCOUNT, "main", 9, decision))
        self.delivers("s43", ("email", "S41@example.com"))
        self.passes(2)
        self.asks("hold", lambda: holds.remove(bench.site, values, ["0" * 32], decision))
        bench.with_account(fuse=None)
        self.passes(2)

    def is_asked_for_access(self) -> None:
        bench, now = self.bench, self.bench.clock.now()
        was, reader = bench.source, StandInReader({("email", f"a{place}@example.com"): {} for place in range(4)})
        scope = replace(was.scope, access_types=frozenset({"data access"}))
        rules = AccessRules(StandInFiling(), keep=timedelta(days=1))
        bench.with_account(reader=reader)
        for place, filing in enumerate((rules.filing, None, None, None)):
            extras = Extras(access=replace(rules, filing=filing))
            bench.site = replace(bench.site, sources={"onetrust": replace(was, scope=scope, extras=extras)})
            reader.redacts = place == 3
            reader.answers = [Temporary(Code.REMOTE_FAULT)] * (place == 2)
            self.delivers(f"a{place}", ("email", f"a{place}@example.com"), types=["Data Access"])
            self.passes(2)
        found: list[str] = []
        self.asks("show", lambda: found.append(bench.dossier("a1").request.id))
        decision = Decision("operator", "a reason", now)
        self.asks("access", lambda: export(bench.site, found[0], lambda _content: None, decision))
        with bench.database.read() as connection:
            self.asks("access", lambda: access.waiting(connection, 50))
            self.asks("access", lambda: access.results_of(connection, found[0]))
            self.asks("access", lambda: access.look_ups_of(connection, found[0]))
        self.delivers("a0", ("email", "a0@example.com"), types=["Data Access"])
        self.passes(3, 100_000)
        bench.site = replace(bench.site, sources={"onetrust": was})

    def is_approved(self) -> None:
        for mode in ApprovalMode:
            self.bench.with_account(approval=Approval(mode, 1))
            self.bench.deliver(f"approved-{mode}")
            self.passes(3)
            with self.bench.database.read() as connection:
                seen = approvals.preview(connection, self.bench.site.accounts["main"], 3)
            decision = Decision("operator", "a reason", self.bench.clock.now())
            self.asks("preview", partial(approvals.approve, self.bench.database, "main", seen.digest, decision))
            self.passes(1)
        self.bench.with_account(approval=Approval())

    def is_tangled(self) -> None:
        bench = self.bench
        bench.with_account(tangle=TangleRule(0))
        bench.knows("tangled@example.com", "late@example.com")
        bench.lytics.others = {"tangled@example.com": [("email", "other@example.com")]}
        self.delivers("tangled")
        self.passes(3)
        decision = Decision("operator", "a reason", bench.clock.now())
        with bench.database.read() as connection:
            (row,) = overview.find(connection, "tangled")
        self.asks("release", lambda: tangles.release(bench.site, row.id, decision))
        self.passes(2)
        bench.with_account(tangle=None)

    def is_watched(self) -> None:
        bench = self.bench
        was, first = bench.site, Identity("email", Private("s60@example.com"))
        share = ShareKey(Secret("s" * 32, "test:share"))
        bench.site = replace(was, suppression=Suppression(timedelta(days=400), share))
        for reaction, name in zip(Reaction, ("s60", "s61"), strict=True):
            rule = WatchRule(reaction)
            bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
            bench.knows(f"{name}@example.com")
            self.delivers(name)
            self.passes(3, 301)
            self.ends()
            self.passes(8, 601)
            bench.knows(f"{name}@example.com")
            self.passes(1, 90_000)
            self.passes(3, 301)
            self.ends()
            self.passes(8, 601)
        # The same person once more, for another request.
        self.delivers("s62", ("email", "s61@example.com"))
        self.passes(3, 301)
        self.ends()
        self.passes(8, 601)
        self.asks("suppression", lambda: suppression.check(bench.site, "main", [first]))
        self.asks("suppression export", lambda: suppression.export(bench.site, "main", bench.clock.now()))
        decision = Decision("operator", "a reason", bench.clock.now())
        self.asks("suppression", lambda: suppression.end(bench.site, "main", [first], ["0" * 32], decision))
        self.asks("suppression", lambda: suppression.end_illegible(bench.site, decision))
        with bench.database.read() as connection:
            self.asks("suppression", lambda: suppressions.listed(connection, "", 10))
            self.asks("suppression list", lambda: watched.count(connection, WatchState.RETURNED))
            self.asks("suppression list", lambda: returns.count(connection))
        bench.site = replace(was, sources={"onetrust": replace(bench.source, watch=None)})
        self.passes(1)

    def is_hashed_anew(self) -> None:
        """The pseudonym key is changed: what came before is known, brought under the new one, and counted."""
        bench, new = self.bench, Secret("n" * 32, "test:new")
        keys = Pseudonymiser(new, [PSEUDONYM_KEY])
        bench.headers = {"x_replay": "r70", "x_replay_for": "60"}
        self.delivers("s70")
        bench.site = replace(bench.site, pseudonymiser=keys, key_uses=KeyUses())
        self.delivers("s70")
        bench.headers = {}
        self.delivers("s70", ("email", "s71@example.com"))
        with pytest.MonkeyPatch.context() as patched:
            # As few as the budgets of the steps: PostgreSQL reads a small table whole for a good part of it.
            patched.setattr(rehash, "_AT_ONCE", 5)
            self.asks("keys", lambda: rehash.rehash_all(bench.database, keys, lambda _done, _total: None))
        ids = [one.id for one in keys.all]
        with bench.database.write() as connection:
            self.asks("keys", lambda: pseudonym_keys.needs(connection, ids))
            with suppress(Misconfigured):
                self.asks("keys", lambda: pseudonym_keys.require(connection, [], needed_by_lists=True))
            self.asks("keys", lambda: pseudonym_keys.forget(connection, ids[-1]))
            self.asks("keys", lambda: distinct.values_of_operation(connection, "0" * 32))

    def is_looked_at(self) -> None:
        now = self.bench.clock.now()
        self.asks("own keys", lambda: note_own_keys(self.bench.site))
        with self.bench.database.read() as connection:
            for name in ("s1", "subtask", "0000abcd", "nobody"):
                self.asks("show", lambda name=name: overview.find(connection, name))
            (row,) = overview.find(connection, "s1")
            self.asks("show", lambda: overview.dossier(connection, row))
            self.asks("status", lambda: overview.overview(connection, now, {"main": timedelta(days=14)}))
            self.asks("status", lambda: guarded.blown(connection))
            week, names = timedelta(days=7), (["main"], ["onetrust"])
            self.asks("metrics", lambda: pulse.take(connection, now, *names, week))
            self.asks("metrics", lambda: upkeep.take(connection, now, ["main"], in_use(self.bench.site)))
            self.asks("preview", lambda: approvals.preview(connection, self.bench.site.accounts["main"], 3))
            self.asks("audit", lambda: audit.latest(connection, 50))
            self.asks("hold", lambda: listing_of_holds.listed(connection, "", 50))
            (done,) = overview.find(connection, "s4")
            self.asks("receipt", lambda: services_receipts.of_attempt(connection, done.id, done.attempt))
            self.asks("receipt", lambda: receipts.of_request(connection, done.id))
            self.asks("doctor", lambda: checkup.deadlines(connection, now))
            self.asks("doctor", lambda: checkup.refused_alike(connection, now))
            self.asks("dashboard", lambda: browse.counts(connection, now, 1000))
            after = Wanted(due_from=now, due_before=now + browse.SOON, after=(now, row.id))
            for wanted in (Wanted(), Wanted(states=(RequestState.HELD,)), after):
                self.asks("dashboard", lambda wanted=wanted: browse.page(connection, wanted, 51))
            self.asks("status --list", lambda: overview.needing_attention(connection, now, 50))
            self.asks("status --list", lambda: overview.with_ended_reports(connection, 50))


def live(bench: Bench, noted: Noted) -> None:
    life = Life(bench, noted)
    listening = StandInChannel(answers=[Temporary(Code.REMOTE_FAULT)])
    bench.site = replace(bench.site, alarms=Alarms(channels=(listening,)))
    life.comes_in()
    life.is_carried_out()
    life.dies_and_goes_on()
    life.is_told_more()
    life.is_listed()
    life.is_guarded()
    life.is_asked_for_access()
    life.is_approved()
    life.is_tangled()
    life.is_watched()
    life.is_hashed_anew()
    life.is_looked_at()


def fill(bench: Bench) -> None:
    """Pile up a long history, and some requests at every place of a life."""
    stages = (
        (backlog.DONE, HISTORY),
        (backlog.RECEIVED, WAITING),
        (backlog.QUEUED, WAITING),
        (backlog.LOOKED_UP, WAITING),
        (backlog.SUBMITTED, WAITING),
        (backlog.CONFIRMING, WAITING),
        (backlog.UNREPORTED, WAITING),
    )
    first = 1
    with bench.database.write() as connection:
        for stage, number in stages:
            backlog.pile_up(
                connection,
                stage,
                number,
                first,
                source="onetrust",
                account="main",
                digest=bench.source.rules.digest,
                batch=5,
                sealed=False,
            )
            first += number
        fill_access(connection)
        connection.execute(g.holds.insert(), [listed(number) for number in range(WAITING)])
        forms = [{"value_hash": f"{number:064x}", "hold_id": f"{number:032x}"} for number in range(WAITING)]
        connection.execute(g.hold_forms.insert(), forms)
        ids = connection.scalars(select(t.requests.c.id).order_by(t.requests.c.id).limit(WAITING))
        passed = [{"request_id": one, "accepted": {"user.email": 3}, "released_at": START} for one in ids]
        connection.execute(tangle_releases.insert(), passed)
        decided = {"at": START, "actor": "o", "action": "hold_added", "subject": "x", "reason": "r"}
        connection.execute(g.audit.insert(), [decided | {"log_index": number} for number in range(WAITING)])
        fill_log(connection)
        fill_list(connection)


def fill_list(connection: Connection) -> None:
    """Let there be many on the suppression list, many watched, and many who came back and were deleted again."""
    ids = [f"{number:032x}" for number in range(HISTORY)]
    owner = {"account": "main", "source": "onetrust"}
    entry = owner | {"lytics_table": "user", "field": "email", "key_check": "c" * 64, "since": START}
    entry |= {"share_hash": "0" * 64, "share_key": "k"}
    entries = [{"id": one, "request_id": one, "value_hash": f"{one:>064}", **entry} for one in ids]
    connection.execute(w.suppressions.insert(), entries)
    times = dict.fromkeys(("began_at", "ends_at", "next_at"), START + timedelta(days=9_000))
    kept = owner | times | {"state": "watching", "kek_id": "k", "wrapped": "", "value": SHREDDED}
    kept |= {"failures": 0, "again": 0}
    connection.execute(w.watched.insert(), [{"id": one, "request_id": one, **kept} for one in ids])
    back = {"state": "deleted", "reason": "", "found_at": START, "look_at": START, "follow_on_id": "0" * 32}
    connection.execute(
        w.returns.insert(), [{"id": one, "suppression_id": one, "request_id": one, **back} for one in ids]
    )
    followed = connection.scalars(select(t.requests.c.id).limit(WAITING)).all()
    leave = insert_or_leave(connection.dialect.name, w.follow_ons, ("request_id",))
    connection.execute(leave, [{"request_id": one, "follows": one} for one in followed])


def fill_log(connection: Connection) -> None:
    """Let the log be long, signed again and again, and let there be many receipts."""
    size = ledger.lock(connection)
    ledger.append(connection, size, [b"%d" % number for number in range(HISTORY)])
    signed = [{"size": size + number, "signed_at": START, "kid": "k", "note": "n"} for number in range(1, HISTORY, 2)]
    connection.execute(p.checkpoints.insert(), signed)
    stamped = [{"size": one["size"], "stamped_at": START, "authority": "a", "token": ""} for one in signed]
    connection.execute(stamp_tables.stamps.insert(), stamped)
    issued = {"attempt": 1, "number": 0, "owed_at": START, "issued_at": START, "log_index": 1}
    connection.execute(p.receipts.insert(), [{"request_id": f"f{number:031x}", **issued} for number in range(HISTORY)])


def fill_access(connection: Connection) -> None:
    """Pile up access requests that were answered long ago, and some that are read or handed over."""
    if not (ids := connection.scalars(select(t.requests.c.id).limit(WAITING)).all()):
        return
    (identity,) = connection.scalars(select(t.identities.c.id).limit(1)).all()
    common = {
        "source": "onetrust",
        "identity_id": identity,
        "account": "main",
        "lytics_table": "user",
        "field": "email",
        "reason": "",
    }
    common |= {"value_hash": "0" * 64, "redacted": False, "tries": 0, "due_at": START, "next_at": START}
    rows = [
        {"id": f"f{place:031x}", "request_id": one, "state": "absent", "profile": None, "value": None, **common}
        for place, one in enumerate(ids)
    ]
    connection.execute(a.access_fetches.insert(), rows)
    told = {
        "source": "onetrust",
        "sha256": "0" * 64,
        "bytes": 1,
        "profiles": 1,
        "redacted": False,
        "made_at": START,
        "keep_until": START,
    }
    results = [{"request_id": one, "attempt": 9, "delivered_how": "attached", **told} for one in ids]
    connection.execute(a.access_results.insert(), results)


def listed(number: int) -> dict[str, Any]:
    """Return a hold, most of which were removed long ago."""
    gone = START if number % 10 else None
    hashes = {"value_hash": f"{number:064x}", "key_check": "c" * 64}
    words = {"reason": "r", "placed_by": "o", "placed_at": START, "removed_at": gone}
    return {"id": f"{number:032x}", **hashes, **words}


@pytest.fixture(scope="module")
def full_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Noted]]:
    yield from full(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}")


@pytest.fixture(scope="module")
def full_postgresql(postgres_server: Server) -> Iterator[tuple[Bench, Noted]]:
    url = postgres_server.create()
    yield from full(url)
    postgres_server.drop(url)


def full(url: str) -> Iterator[tuple[Bench, Noted]]:
    bench = Bench(url, batch_max_values=5)
    with closing(bench.database):
        proofs = Proofs(ORIGIN, KEY, stamping=StandInAuthority.at(bench.clock).stamping())
        bench.site = replace(bench.site, budgets=Budgets(20, 20, 20, 20), proofs=proofs)
        noted = Noted()
        event.listen(bench.database.engine, "before_cursor_execute", noted.note)
        live(bench, noted)
        event.remove(bench.database.engine, "before_cursor_execute", noted.note)
        fill(bench)
        if not bench.database.is_sqlite:
            # PostgreSQL counts its rows by itself, but not at once. SQLite never does here, nor in the product.
            with bench.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        yield bench, noted


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest) -> tuple[Bench, Noted]:
    found: tuple[Bench, Noted] = request.getfixturevalue(f"full_{request.param}")
    return found


def walks(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return the parts of a plan that walk through a whole table. An index of what is asked for is not one."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        lines = [line.detail for line in plan]
        return [one for one in lines if one.startswith("SCAN") and one.split()[1] in NAMES - ALWAYS_SMALL]
    # As on a solid-state disk. At the default, made for turning ones, this short history lets both ways cost the same.
    connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    lines = [line[0].strip() for line in plan]
    return [
        one for one in lines if "Seq Scan on" in one and one.split("Seq Scan on ")[1].split()[0] in NAMES - ALWAYS_SMALL
    ]


# Asked by a person, about everything that there ever was: `connector status` counts, and `connector show` looks, last
# of all, for a number that only the source knows.
def is_about_everything(asking: str, statement: str) -> bool:
    counts = asking == "status" and "count(" in statement.lower()
    # Once an hour while a fuse is blown: how much waits behind it, which may be most of what there is.
    if asking == "submit" and "FILTER (" in statement:
        return True
    # From its end, and no further than was asked for.
    if asking == "audit" and "LIMIT" in statement:
        return True
    # Asked for by hand: everything that is on the list, and everybody who ever came back.
    if asking in {"suppression export", "suppression list"}:
        return True
    return counts or (asking == "show" and "external" in statement.partition("WHERE")[2])


def test_no_recurring_query_walks_through_a_table(filled: tuple[Bench, Noted]) -> None:
    bench, noted = filled
    found = []
    with bench.database.engine.connect() as connection:
        for (asking, statement), parameters in noted.statements.items():
            lines = walks(connection, statement, parameters)
            if lines and not is_about_everything(asking, statement):
                found.append(f"{asking}: {lines}: {statement}")
        connection.rollback()
    assert found == []


def test_every_step_and_every_command_was_noted(filled: tuple[Bench, Noted]) -> None:
    _, noted = filled
    asked = {asking for asking, _ in noted.statements}
    assert asked == {one.name for one in STEPS} | BESIDE
    assert len(noted.statements) > 80
    touched = {name for name in NAMES for _, statement in noted.statements if f"{name}" in statement}
    assert touched >= NAMES - {"key_uses"}


def test_a_walk_through_a_table_would_be_seen(filled: tuple[Bench, Noted]) -> None:
    bench, _ = filled
    with bench.database.engine.connect() as connection:
        assert walks(connection, "SELECT * FROM targets WHERE reason = 'x'", ())
        assert walks(connection, "DELETE FROM requests WHERE country = 'XX'", ())
        connection.rollback()


@pytest.mark.parametrize("looked_up", [False, True])
def test_a_queue_is_read_from_its_beginning_and_not_sorted(
    filled: tuple[Bench, Noted], looked_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, _ = filled
    monkeypatch.setattr(vault, "opened", lambda _connection, rows, *_: rows)
    noted = Noted()
    with bench.database.engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", noted.note)
        targets.to_submit(connection, "main", START, 50, looked_up=looked_up, whole=looked_up)
        targets.to_look_up_before(connection, "main", START, 50)
        targets.to_confirm(connection, "main", START, 50)
        event.remove(connection, "before_cursor_execute", noted.note)
        for (_, statement), parameters in noted.statements.items():
            explain = "EXPLAIN QUERY PLAN" if bench.database.is_sqlite else "EXPLAIN"
            plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
            assert "TEMP B-TREE" not in plan, plan
            assert "Sort" not in plan.replace("Incremental Sort", ""), plan
        connection.rollback()
