"""A step costs the same whether a hundred or ten thousand wait: rows that it fetches, and rows that the store walks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, event, select, update

from bench import backlog
from connector.engine.schedule import STEPS
from connector.model import Presence, RemoteState, RemoteStatus
from connector.policy.approval import Approval, ApprovalMode
from connector.policy.fuse import FuseLimit, FusePolicy, FuseRule
from connector.policy.tangle import TangleRule
from connector.policy.watching import Reaction, WatchRule
from connector.private import Private
from connector.services import holds
from connector.services.alarms import Alarms
from connector.services.alerts import alert
from connector.services.proofs import Proofs
from connector.services.site import Budgets
from connector.services.submit import submit
from connector.services.watch_rules import Suppression
from connector.store import browse, checkup, fuses, ledger, overview, pulse, upkeep, vault, watched
from connector.store.access_tables import access_fetches
from connector.store.audit import Decision
from connector.store.browse import Wanted
from connector.store.database import Database
from connector.store.ledger_tables import checkpoints
from connector.store.own_keys import Purpose
from connector.store.stamp_tables import stamps
from connector.store.tables import targets
from connector.store.watch_tables import suppressions
from connector.store.watch_tables import watched as watches_table
from tests.support.authorities import StandInAuthority
from tests.support.listings import Lister, Roll, asking, listing, looking
from tests.support.proofs import KEY, ORIGIN
from tests.support.site import START, Bench
from tests.support.stand_ins import StandInChannel, StandInCommenter, StandInReader

FEW, MANY = 100, 10_000
BUDGET = 20
FINISHED = RemoteStatus(RemoteState.FINISHED, "completed", 5, 5)
# SQLite's own instructions between two looks at its counter.
GRAIN = 50


@dataclass
class Cost:
    rows: int = 0
    work: int = 0


class Counting:
    """A cursor of the driver that counts the rows which come out of it."""

    def __init__(self, cursor: Any, cost: Cost) -> None:
        self._cursor = cursor
        self._cost = cost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def fetchall(self) -> list[Any]:
        return self._counted(self._cursor.fetchall())

    def fetchmany(self, *size: int) -> list[Any]:
        return self._counted(self._cursor.fetchmany(*size))

    def fetchone(self) -> Any:
        row = self._cursor.fetchone()
        self._cost.rows += row is not None
        return row

    def _counted(self, rows: list[Any]) -> list[Any]:
        self._cost.rows += len(rows)
        return rows


@contextmanager
def costing(database: Database) -> Iterator[Cost]:
    """Count what a SQLite store does while the context lasts."""
    cost = Cost()

    def tick() -> int:
        cost.work += GRAIN
        return 0

    def checkout(connection: Any, record: Any, proxy: Any) -> None:
        connection.set_progress_handler(tick, GRAIN)

    def count(_c: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.cursor = Counting(context.cursor, cost)

    event.listen(database.engine, "checkout", checkout)
    event.listen(database.engine, "after_cursor_execute", count)
    try:
        yield cost
    finally:
        event.remove(database.engine, "checkout", checkout)
        event.remove(database.engine, "after_cursor_execute", count)


def piled(url: str, stage: backlog.Stage, number: int) -> Bench:
    bench = Bench(url, batch_max_values=5)
    bench.site = replace(bench.site, budgets=Budgets(BUDGET, BUDGET, BUDGET, BUDGET, BUDGET, BUDGET))
    bench.lytics.status = lambda _: FINISHED  # type: ignore[method-assign]
    bench.lytics.look_up = lambda *_: Presence.ABSENT  # type: ignore[method-assign]
    with bench.database.write() as connection:
        backlog.pile_up(
            connection,
            stage,
            number,
            1,
            source="onetrust",
            account="main",
            digest=bench.source.rules.digest,
            batch=5,
        )
    return bench


def late(bench: Bench) -> None:
    """Give every request one more identity, as a later delivery does."""
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET mapping_digest = ''")
        connection.exec_driver_sql("UPDATE identities SET state = 'received'")


def listed_open(bench: Bench) -> None:
    """Let the source list some tasks as open, half of them known."""
    bench.look_through(
        looking(Roll([f"s{place}" for place in range(1, BUDGET)], [f"new{place}" for place in range(BUDGET)]))
    )


def unlisted(bench: Bench) -> None:
    """Let every request wait for its source to list it."""
    bench.list_by(asking(Lister(listing(email="person@example.com"))))
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE requests SET state = 'unconfirmed', confirm_at = received_at, mapping_digest = ''"
        )
        connection.exec_driver_sql("DELETE FROM identities")


def doubted(bench: Bench) -> None:
    """Let every request be held because its source does not list it."""
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE requests SET state = 'held', confirm_at = '2030-01-01 00:00:00.000000', mapping_digest = ''"
        )


def held(bench: Bench) -> None:
    """Let every request be held under the present rules."""
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET state = 'held', reason = 'unmapped_identities'")


def remembered(bench: Bench) -> None:
    """Let every progress report be due to be told again."""
    bench.beside(commenter=StandInCommenter())
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE reports SET remind_at = '2020-01-01 00:00:00.000000'")


def guarded(bench: Bench) -> None:
    """Let there be fuses with room, and somebody on the legal hold list whom nobody names."""
    room = FusePolicy(timedelta(days=1), 1_000_000, 10, 1_000_000)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, fuse=room)})
    bench.with_account(fuse=room)
    holds.add(bench.site, [Private("nobody@example.com")], Decision("operator", "a reason", bench.clock.now()))


def stopped(bench: Bench) -> None:
    """Let a fuse be blown, of which was said what waits behind it."""
    guarded(bench)
    with bench.database.write() as connection:
        policy = bench.site.accounts["main"].fuse
        assert policy is not None
        now = bench.clock.now()
        fuses.lock(connection, fuses.Scope.ACCOUNT, "main", policy, now)
        limit = FuseLimit(1, FuseRule.ABSOLUTE, None)
        fuses.blow(connection, fuses.Scope.ACCOUNT, "main", limit=limit, window=policy.window, counted=1, now=now)
    submit(bench.site)


def unapproved(bench: Bench) -> None:
    """Let everything wait for somebody's word, of which was said that it waits."""
    bench.with_account(approval=Approval(ApprovalMode.ALWAYS))
    submit(bench.site)


def approved(bench: Bench) -> None:
    """Let the least urgent of all have that word."""
    unapproved(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE targets SET approved_at = '2020-01-01 00:00:00.000000' WHERE id = (SELECT max(id) FROM targets)"
        )


def crowded(bench: Bench) -> None:
    """Let more wait than may go by themselves."""
    bench.with_account(approval=Approval(ApprovalMode.ABOVE, 5))
    submit(bench.site)


def listening(bench: Bench) -> None:
    """Let operators be told, who were told already what there is to tell."""
    bench.site = replace(bench.site, alarms=Alarms(channels=(StandInChannel(),)))
    alert(bench.site)


def logged(bench: Bench) -> None:
    """Let the log hold everything but the latest, and let there be a receipt of every request, some of them owed."""
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    with bench.database.write() as connection:
        number = connection.exec_driver_sql("SELECT count(*) FROM history").scalar_one()
        ledger.append(connection, ledger.lock(connection), [b"%d" % one for one in range(number)])
        connection.exec_driver_sql(
            "INSERT INTO receipts SELECT id, 1, 0, received_at, received_at, 'k', 'j', 0 FROM requests"
        )
        for latest, change in (("history", "log_index = NULL"), ("receipts", "issued_at = NULL, log_index = NULL")):
            connection.exec_driver_sql(
                f"UPDATE {latest} SET {change} WHERE rowid > (SELECT max(rowid) - {BUDGET} FROM {latest})"
            )


def counting(bench: Bench) -> None:
    """Let nothing of a request go before all of it was looked up, and let some be held for what was found."""
    bench.with_account(tangle=TangleRule(2))
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE targets SET strangers = 0 WHERE known_before IS NOT NULL")
        first = "id = (SELECT min(id) FROM targets)"
        found = """strangers = 3, strangers_in = '{"email": 3}'"""
        connection.exec_driver_sql(f"UPDATE targets SET {found} WHERE {first}")


def near(bench: Bench) -> None:
    """Let every request be late."""
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET due_at = received_at")


def warned(bench: Bench) -> None:
    """Let every request be late, and have been warned of."""
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET warned_at = received_at, due_at = received_at")


def asked_for_access(bench: Bench, *, result: bool = False) -> None:
    """Let every request be one for access, with everything still to be read, or with data that nobody took."""
    bench.with_account(reader=StandInReader())
    with bench.database.write() as connection:
        known = vault.opened(connection, connection.execute(select(targets)).all(), targets.c.value)
        keys = vault.keys_of(connection, {row.request_id for row in known})
        connection.exec_driver_sql(
            "INSERT INTO access_fetches (id, request_id, identity_id, source, account, lytics_table, field, value, "
            "value_hash, state, reason, redacted, tries, due_at, next_at) SELECT id, request_id, identity_id, "
            "'onetrust', account, lytics_table, field, sealed_value, value_hash, 'waiting', '', 0, 0, due_at, next_at "
            "FROM targets"
        )
        # A sealed value is bound to its place.
        sealed = [
            (vault.seal(keys[one.request_id], one.value, access_fetches.c.value, one.id), one.id) for one in known
        ]
        resealed = update(access_fetches).where(access_fetches.c.id == bindparam("at")).values(value=bindparam("to"))
        connection.execute(resealed, [{"at": id_, "to": value} for value, id_ in sealed])
        connection.exec_driver_sql("DELETE FROM targets")
        connection.exec_driver_sql("UPDATE requests SET state = 'fetching', kind = 'access'")
        if result:
            connection.exec_driver_sql("UPDATE requests SET state = 'delivering'")
            connection.exec_driver_sql("UPDATE access_fetches SET state = 'absent'")
            connection.exec_driver_sql(
                "INSERT INTO access_results (request_id, attempt, source, document, sha256, bytes, profiles, redacted, "
                "made_at, keep_until, delivered_how) "
                "SELECT id, 1, source, 'x', '', 1, 1, 0, received_at, received_at, '' FROM requests"
            )


def kept_too_long(bench: Bench) -> None:
    asked_for_access(bench, result=True)


def read_too_early(bench: Bench) -> None:
    """Let every profile be read long ago, and never the last of its request."""
    asked_for_access(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE access_fetches SET state = 'found', profile = '{}', keep_until = '2020-01-01 00:00:00.000000'"
        )


def handed_over(bench: Bench) -> None:
    """Let there be nothing but a long history of access requests."""
    asked_for_access(bench, result=True)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE requests SET state = 'answered', finished_at = received_at")
        connection.exec_driver_sql("UPDATE access_results SET document = NULL, shredded_at = made_at")
        connection.exec_driver_sql("UPDATE access_fetches SET value = NULL")


def told(bench: Bench) -> None:
    """Let every source know how it ended."""
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE reports SET state = 'sent'")


def watched_over(bench: Bench, *, due: bool = True, back: bool = False) -> None:
    """Let everybody who was deleted be on the list and be watched, and be due for a look or not."""
    rule = WatchRule(Reaction.DELETE)
    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, watch=rule)})
    if back:
        bench.lytics.look_up = lambda *_: Presence.PRESENT  # type: ignore[method-assign]
    with bench.database.write() as connection:
        rows = connection.execute(select(targets.c.id, targets.c.request_id, targets.c.value_hash)).all()
        now = bench.clock.now()
        look_at = now if due else now + timedelta(days=1)
        entries, watches = [], []
        for one in rows:
            about = {"id": one.id, "account": "main", "source": "onetrust", "request_id": one.request_id}
            hashes = {"value_hash": one.value_hash, "key_check": bench.site.pseudonymiser.check}
            place = {"lytics_table": "user", "field": "email", "share_hash": "", "share_key": "", "since": now}
            entries.append(about | hashes | place)
            times = {"began_at": now, "ends_at": now + timedelta(days=90), "next_at": look_at}
            sealed = watched.seal(connection, one.id, Private(f"{one.id}@example.com"))
            watches.append(about | times | sealed | {"state": "watching", "failures": 0, "again": 0})
        connection.execute(suppressions.insert(), entries)
        connection.execute(watches_table.insert(), watches)


def all_there_again(bench: Bench) -> None:
    watched_over(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE watched SET state = 'returned'")


def nothing_logged(bench: Bench) -> None:
    """Let every move be missing in the log, and every receipt be owed."""
    logged(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE history SET log_index = NULL")
        connection.exec_driver_sql("UPDATE receipts SET issued_at = NULL, log_index = NULL")


def not_due(bench: Bench) -> None:
    watched_over(bench, due=False)


def came_back(bench: Bench) -> None:
    watched_over(bench, back=True)


def not_watched_any_more(bench: Bench) -> None:
    """Let every watch be over, and every entry of the list."""
    watched_over(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE watched SET ends_at = '2020-01-01 00:00:00.000000'")


def entries_over(bench: Bench) -> None:
    not_watched_any_more(bench)
    bench.site = replace(bench.site, suppression=Suppression(keep=timedelta(days=1)))
    with bench.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM watched")
        connection.exec_driver_sql("UPDATE suppressions SET since = '2020-01-01 00:00:00.000000'")


def deleted_again(bench: Bench, *, over: bool = True) -> None:
    """Let most of those who came back have been deleted again long ago, and some deletions be just over."""
    watched_over(bench)
    with bench.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO returns (id, suppression_id, request_id, state, reason, found_at, follow_on_id, look_at) "
            "SELECT id, id, request_id, 'deleted', '', since, request_id, since FROM suppressions"
        )
        some = f"(SELECT id FROM returns ORDER BY id LIMIT {BUDGET})" if over else "(SELECT id FROM returns)"
        connection.exec_driver_sql(f"UPDATE returns SET state = 'pending' WHERE id IN {some}")
        connection.exec_driver_sql(f"UPDATE watched SET state = 'deleting' WHERE id IN {some}")
        if not over:
            connection.exec_driver_sql("UPDATE requests SET finished_at = NULL, state = 'queued'")


def not_yet_deleted_again(bench: Bench) -> None:
    deleted_again(bench, over=False)


def stamped_often(bench: Bench) -> None:
    """Let there be a stamp on every checkpoint but the latest, whose turn it is."""
    away = StandInAuthority.at(bench.clock)
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY, stamping=away.stamping()))
    with bench.database.write() as connection:
        number = connection.exec_driver_sql("SELECT count(*) FROM history").scalar_one()
        signed = [{"size": one, "signed_at": START, "kid": "k", "note": "n"} for one in range(1, number + 1)]
        connection.execute(checkpoints.insert(), signed)
        kept = [{"size": one, "stamped_at": START, "authority": "a", "token": ""} for one in range(1, number)]
        connection.execute(stamps.insert(), kept)


Change = Callable[[Bench], None]
CASES: dict[str, tuple[backlog.Stage, str, Change | None]] = {
    "backstop": (backlog.DONE, "backstop", listed_open),
    "read_back": (backlog.RECEIVED, "read_back", unlisted),
    "read_back while others are held": (backlog.RECEIVED, "read_back", doubted),
    "map": (backlog.RECEIVED, "map", None),
    "map while others are not listed": (backlog.RECEIVED, "map", doubted),
    "map what came later": (backlog.QUEUED, "map", late),
    "map while others are held": (backlog.QUEUED, "map", held),
    "look_up": (backlog.QUEUED, "look_up", None),
    "look_up when all were looked up": (backlog.LOOKED_UP, "look_up", None),
    "submit": (backlog.LOOKED_UP, "submit", None),
    "look_up that counts": (backlog.QUEUED, "look_up", counting),
    "submit whole requests": (backlog.LOOKED_UP, "submit", counting),
    "submit whole requests when none was looked up": (backlog.QUEUED, "submit", counting),
    "submit under guard": (backlog.LOOKED_UP, "submit", guarded),
    "submit behind a blown fuse": (backlog.LOOKED_UP, "submit", stopped),
    "submit when nobody approved": (backlog.LOOKED_UP, "submit", unapproved),
    "submit what was approved": (backlog.LOOKED_UP, "submit", approved),
    "submit when a crowd waits": (backlog.LOOKED_UP, "submit", crowded),
    "submit when none was looked up": (backlog.QUEUED, "submit", None),
    "reconcile": (backlog.SUBMITTED, "reconcile", None),
    "poll": (backlog.SUBMITTED, "poll", None),
    "confirm": (backlog.CONFIRMING, "confirm", None),
    "ledger": (backlog.DONE, "ledger", logged),
    "fetch": (backlog.QUEUED, "fetch", asked_for_access),
    "fetch when all was read": (backlog.QUEUED, "fetch", handed_over),
    "expire": (backlog.QUEUED, "expire", kept_too_long),
    "expire what waits for others": (backlog.QUEUED, "expire", read_too_early),
    "expire when all is destroyed": (backlog.QUEUED, "expire", handed_over),
    "report": (backlog.UNREPORTED, "report", None),
    "progress": (backlog.QUEUED, "progress", remembered),
    "progress when all is over": (backlog.DONE, "progress", remembered),
    "warn": (backlog.QUEUED, "warn", near),
    "warn when all were warned of": (backlog.QUEUED, "warn", warned),
    "warn when all is over": (backlog.DONE, "warn", None),
    "prune": (backlog.DONE, "prune", None),
    "shred": (backlog.UNREPORTED, "shred", told),
    "shred what was shredded long ago": (backlog.DONE, "shred", None),
    "watch": (backlog.DONE, "watch", watched_over),
    "watch when nobody is due": (backlog.DONE, "watch", not_due),
    "watch when all are there again": (backlog.DONE, "watch", came_back),
    "stamp": (backlog.DONE, "stamp", stamped_often),
    "forget": (backlog.DONE, "forget", not_watched_any_more),
    "forget when nothing is over": (backlog.DONE, "forget", not_due),
    "forget entries": (backlog.DONE, "forget", entries_over),
    "forget what was deleted again": (backlog.DONE, "forget", deleted_again),
    "forget what is being deleted again": (backlog.DONE, "forget", not_yet_deleted_again),
    "alert": (backlog.DONE, "alert", listening),
}


def cost_of(url: str, case: str, number: int) -> Cost:
    stage, name, change = CASES[case]
    bench = piled(url, stage, number)
    with closing(bench.database):
        if change is not None:
            change(bench)
        if name == "prune":
            with bench.database.write() as connection:
                connection.exec_driver_sql("UPDATE replays SET expires_at = '2020-01-01 00:00:00.000000'")
        (step,) = [one for one in STEPS if one.name == name]
        with costing(bench.database) as cost:
            step.run(bench.site)
    return cost


def test_every_step_has_its_case() -> None:
    assert {name for _, name, _ in CASES.values()} == {one.name for one in STEPS}


@pytest.mark.parametrize("case", CASES)
def test_a_step_costs_the_same_with_a_hundred_times_as_many_waiting(tmp_path: Path, case: str) -> None:
    few = cost_of(f"sqlite:///{tmp_path / 'few.db'}", case, FEW)
    many = cost_of(f"sqlite:///{tmp_path / 'many.db'}", case, MANY)
    # A batch of 500 old replay keys is forgotten at once.
    most = 500 if case == "prune" else 0
    # A proof has a step more for each doubling of the log.
    most += 16 if case == "ledger" else 0
    assert many.rows <= few.rows + most
    # The trees are a level or two deeper.
    assert many.work <= 1.6 * few.work + 5_000 + 80 * most


def test_an_accepted_delivery_costs_the_same_with_a_long_history(tmp_path: Path) -> None:
    costs = []
    for number in (FEW, MANY):
        bench = piled(f"sqlite:///{tmp_path / str(number)}.db", backlog.DONE, number)
        with closing(bench.database), costing(bench.database) as cost:
            bench.deliver("new", event="e")
        costs.append(cost)
    few, many = costs
    assert many.rows == few.rows
    assert many.work <= 1.3 * few.work + 500


def test_an_operator_s_lists_are_as_long_as_was_asked_for(tmp_path: Path) -> None:
    for stage, ask in (
        (backlog.QUEUED, lambda c, bench: overview.needing_attention(c, bench.clock.now(), 10)),
        (backlog.UNREPORTED, lambda c, _: overview.with_ended_reports(c, 10)),
        (backlog.DONE, lambda c, _: overview.find(c, "0000")),
        (backlog.QUEUED, lambda c, _: overview.left_out(c, ["another"], ["another"])),
    ):
        bench = piled(f"sqlite:///{tmp_path / stage.request}-{stage.report}.db", stage, FEW * 10)
        with closing(bench.database), costing(bench.database) as cost, bench.database.read() as connection:
            ask(connection, bench)
        assert cost.rows <= 12
        bench.database.file.unlink()  # type: ignore[union-attr]


@pytest.mark.parametrize("stage", [backlog.QUEUED, backlog.DONE], ids=["open", "finished"])
def test_the_dashboard_s_pages_cost_the_same_over_any_history(tmp_path: Path, stage: Any) -> None:
    costs = []
    for number in (FEW, MANY):
        bench = piled(f"sqlite:///{tmp_path / str(number)}.db", stage, number)
        now = bench.clock.now()
        with closing(bench.database), bench.database.read() as connection:
            (middle,) = browse.page(connection, Wanted(), FEW // 2)[-1:]
        late = Wanted(due_before=now + timedelta(days=365))
        following = Wanted(after=(middle.due_at, middle.id))
        with closing(bench.database), costing(bench.database) as cost, bench.database.read() as connection:
            browse.counts(connection, now, BUDGET)
            for wanted in (Wanted(), late, following):
                browse.page(connection, wanted, BUDGET)
            overview.find_by_key(connection, "nobody")
            overview.dossier(connection, overview.find_by_key(connection, middle.id)[0])
        costs.append(cost)
    few, many = costs
    assert many.rows <= few.rows + BUDGET
    assert many.work <= few.work * 1.5 + GRAIN


def test_a_look_at_deadlines_walks_over_nothing_that_is_finished(tmp_path: Path) -> None:
    bench = piled(f"sqlite:///{tmp_path / 'store.db'}", backlog.DONE, MANY)
    with closing(bench.database), costing(bench.database) as cost, bench.database.read() as connection:
        checkup.deadlines(connection, bench.clock.now())
        checkup.refused_alike(connection, bench.clock.now())
    # The latest bulk calls alone are read.
    assert cost.work < MANY
    assert cost.rows < 100


@pytest.mark.parametrize("stage", [backlog.RECEIVED, backlog.QUEUED, backlog.SUBMITTED, backlog.UNREPORTED])
def test_a_look_at_everything_reads_so_many_rows_and_no_more(
    tmp_path: Path, stage: backlog.Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "MOST", 50)
    costs = []
    for number in (FEW, MANY):
        bench = piled(f"sqlite:///{tmp_path / str(number)}.db", stage, number)
        with closing(bench.database), costing(bench.database) as cost, bench.database.read() as connection:
            pulse.take(connection, bench.clock.now(), ["main"], ["onetrust"], timedelta(days=7))
        costs.append(cost)
    few, many = costs
    assert many.rows == few.rows
    assert many.work <= 1.6 * few.work + 5_000


@pytest.mark.parametrize("change", [watched_over, all_there_again, logged, nothing_logged, asked_for_access])
def test_a_look_at_what_goes_on_beside_reads_so_many_rows_and_no_more(
    tmp_path: Path, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "MOST", 50)
    stage = backlog.QUEUED if change is asked_for_access else backlog.DONE
    costs = []
    for number in (FEW, MANY):
        bench = piled(f"sqlite:///{tmp_path / str(number)}.db", stage, number)
        with closing(bench.database):
            change(bench)
            with costing(bench.database) as cost, bench.database.read() as connection:
                now = bench.clock.now()
                upkeep.take(connection, now, ["main"], {Purpose.SEALING: "f" * 16, Purpose.SIGNING: "k"})
        costs.append(cost)
    few, many = costs
    assert many.rows == few.rows
    assert many.work <= 1.6 * few.work + 1_000


def test_the_measure_sees_a_walk(tmp_path: Path) -> None:
    bench = piled(f"sqlite:///{tmp_path / 'store.db'}", backlog.DONE, MANY)
    with closing(bench.database), costing(bench.database) as cost, bench.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM targets WHERE reason = 'x'").all()
    assert cost.work > MANY
    assert cost.rows == 1
