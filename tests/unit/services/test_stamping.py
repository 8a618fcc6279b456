"""The latest checkpoint is stamped now and then; an authority that fails delays nothing, and is asked again later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import delete, update

from connector.codes import Code
from connector.errors import Misconfigured, RateLimited, Temporary
from connector.proof import stamp as stamps_of
from connector.services.audit_check import Checked, check
from connector.services.ledger import keep_ledger
from connector.services.proofs import Proofs
from connector.services.stamping import stamp
from connector.store import stamps
from connector.store.ledger_tables import checkpoints, ledger
from connector.store.stamp_tables import stamp_turn
from connector.store.stamp_tables import stamps as stamps_table
from tests.support.authorities import StandInAuthority
from tests.support.certificates import authority
from tests.support.proofs import KEY, ORIGIN
from tests.support.site import Bench
from tests.support.stand_ins import Killed


class Stamped(Bench):
    """A site whose checkpoints are stamped."""

    def __init__(self, store_url: str, **settings: Any) -> None:
        super().__init__(store_url)
        self.away = StandInAuthority.at(self.clock)
        self.site = replace(self.site, proofs=Proofs(ORIGIN, KEY, stamping=self.away.stamping(**settings)))

    def entries_of(self) -> list[int]:
        """Return over how many entries the stamps are."""
        return sorted(one.size for one in self.rows(stamps_table))

    def said(self, action: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.log.records if name == action]

    def checked(self) -> Checked:
        with self.database.read() as connection:
            return check(connection, self.site.proofs)


@pytest.fixture
def bench(store_url: str) -> Iterator[Stamped]:
    made = Stamped(store_url)
    yield made
    made.database.close()


def sizes(bench: Bench) -> list[int]:
    return sorted(one.size for one in bench.rows(checkpoints))


def test_the_latest_checkpoint_is_stamped_and_no_earlier_one(bench: Stamped) -> None:
    proofs = bench.site.proofs
    bench.site = replace(bench.site, proofs=replace(proofs, stamping=None))
    bench.deliver("s1")
    bench.run_to_end()
    assert len(sizes(bench)) > 1
    bench.site = replace(bench.site, proofs=proofs)
    bench.pass_time(seconds=1)
    assert bench.entries_of() == sizes(bench)[-1:]
    (row,) = bench.rows(stamps_table)
    with bench.database.read() as connection:
        latest = stamps.latest(connection)
    assert latest is not None
    said = stamps_of.verify(stamps.token_of(row), latest.note.encode(), bench.site.proofs.stamping.trusted)  # type: ignore[union-attr]
    assert (said.at, said.authority) == (row.stamped_at, row.authority)
    assert bench.said("checkpoint_stamped") == [{"count": row.size}]


def test_it_is_asked_no_more_often_than_allowed_and_only_for_what_is_new(bench: Stamped) -> None:
    bench.deliver("s1")
    bench.pass_time(seconds=1)
    assert len(bench.away.asked) == 1
    bench.run_to_end(30, seconds=100)
    # Not yet an hour.
    assert bench.clock.now() - bench.rows(stamps_table)[0].stamped_at < timedelta(hours=1)
    assert len(bench.away.asked) == 1
    bench.run_to_end(6, seconds=300)
    assert bench.entries_of()[1:] == sizes(bench)[-1:]
    bench.run_to_end(3, hours=5)
    # Nothing more was logged.
    assert len(bench.away.asked) == 2


def test_each_question_has_a_nonce_of_its_own(bench: Stamped) -> None:
    bench.away.fake.faults.turn_on("stamp_refused", times=2)
    bench.deliver("s1")
    bench.run_to_end(4, hours=1)
    assert len(bench.away.asked) == len(set(bench.away.asked)) == 3


@pytest.mark.parametrize(
    ("switch", "code", "reason"),
    [
        ("stamp_refused", Code.STAMP_REFUSED, "stamp_refused"),
        ("wrong_imprint", Code.STAMP_WRONG, "stamp_foreign"),
        ("wrong_nonce", Code.STAMP_WRONG, "stamp_foreign"),
        ("wrong_signature", Code.STAMP_WRONG, "signature_wrong"),
        ("changed_stamp", Code.STAMP_WRONG, "signature_wrong"),
        ("expired_certificate", Code.STAMP_WRONG, "stamp_untrusted"),
        ("foreign_root", Code.STAMP_WRONG, "stamp_untrusted"),
        ("wrong_purpose", Code.STAMP_WRONG, "stamp_purpose_wrong"),
        ("clock_off", Code.STAMP_WRONG, "stamp_time_wrong"),
        ("html_page", Code.STAMP_WRONG, "stamp_malformed"),
        ("server_error", Code.REMOTE_FAULT, None),
    ],
)
def test_a_stamp_that_does_not_hold_is_not_kept_and_is_asked_for_again(
    bench: Stamped, switch: str, code: Code, reason: str | None
) -> None:
    bench.away.fake.faults.turn_on(switch)
    bench.knows("s1@example.com")
    bench.deliver("s1")
    bench.run_to_end()
    # What it is all about went on.
    assert bench.state() == "completed"
    assert bench.rows(stamps_table) == []
    first = bench.said("stamp_failed")[0]
    assert (first["code"], first["reason"], first["attempt"]) == (code, reason, 1)
    bench.away.fake.faults.turn_off()
    bench.run_to_end(2, hours=2)
    assert bench.entries_of() == sizes(bench)[-1:]
    (turn,) = bench.rows(stamp_turn)
    assert turn.failures == 0


def test_it_is_asked_again_at_growing_intervals(bench: Stamped) -> None:
    bench.away.fake.faults.turn_on("stamp_refused")
    bench.deliver("s1")
    bench.pass_time(seconds=1)
    for _ in range(400):
        bench.clock.advance(seconds=60)
        assert stamp(bench.site) is False
    waits = [one["next_at"] for one in bench.said("stamp_failed")]
    assert [one["attempt"] for one in bench.said("stamp_failed")] == list(range(1, len(waits) + 1))
    apart = [(b - a).total_seconds() for a, b in pairwise(waits)]
    assert apart[:4] == [120, 240, 480, 960]
    assert apart[-1] == 3600


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=7000), 7060),
        (Misconfigured(Code.CONFIG_INVALID), 900),
    ],
)
def test_how_long_it_is_left_alone_follows_from_what_it_said(bench: Stamped, error: Exception, wait_s: float) -> None:
    bench.away.fails = [error]
    bench.deliver("s1")
    bench.pass_time(seconds=1)
    (said,) = bench.said("stamp_failed")
    assert said["next_at"] == bench.clock.now() + timedelta(seconds=wait_s)


def test_a_worker_that_dies_while_it_asks_has_kept_nothing_and_another_asks_after_a_while(bench: Stamped) -> None:
    bench.deliver("s1")
    bench.pass_time(seconds=1)
    bench.away.fails = [Killed()]
    bench.deliver("s2")
    with pytest.raises(Killed):
        bench.run_to_end(40, seconds=100)
    stamped, asked = bench.entries_of(), len(bench.away.asked)
    bench.starts_again()
    assert stamp(bench.site) is False
    assert len(bench.away.asked) == asked
    bench.run_to_end(2, minutes=5)
    assert len(bench.away.asked) == asked + 1
    assert bench.entries_of() == [*stamped, sizes(bench)[-1]]


def test_two_workers_do_not_ask_at_the_same_time(bench: Stamped) -> None:
    bench.deliver("s1")
    now = bench.clock.now()
    with bench.database.write() as connection:
        assert stamps.take_turn(connection, now, now + timedelta(minutes=5)) == 0
        assert stamps.take_turn(connection, now, now + timedelta(minutes=5)) is None
        assert not stamps.is_due(connection, now + timedelta(minutes=4))
        assert stamps.is_due(connection, now + timedelta(minutes=5))
    bench.pass_time(seconds=1)
    assert sizes(bench)
    assert bench.away.asked == []


def test_a_turn_that_another_worker_took_meanwhile_is_not_ours(bench: Stamped, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deliver("s1")
    now = bench.clock.now()
    with bench.database.write() as connection:
        stamps.take_turn(connection, now, now + timedelta(minutes=5))
    monkeypatch.setattr(stamps, "is_due", lambda *_: True)
    bench.pass_time(seconds=1)
    assert sizes(bench)
    assert bench.away.asked == []


def test_a_worker_that_lost_its_work_asks_nothing(bench: Stamped) -> None:
    def lost() -> None:
        raise Temporary(Code.STORE_UNAVAILABLE)

    bench.deliver("s1")
    keep_ledger(bench.site)
    bench.site.lease.confirm_by(lost)
    assert stamp(bench.site) is False
    assert bench.away.asked == []
    (said,) = bench.said("stamp_failed")
    assert said["code"] is Code.STORE_UNAVAILABLE


def test_nobody_is_asked_where_nothing_is_configured(store_url: str) -> None:
    bench = Bench(store_url)
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    bench.deliver("s1")
    bench.run_to_end()
    assert bench.rows(stamp_turn) == []
    bench.database.close()


@pytest.fixture
def aged(bench: Stamped) -> Stamped:
    """Return a site with several stamps."""
    for name in ("s1", "s2", "s3"):
        bench.deliver(name)
        bench.pass_time(minutes=61)
    assert len(bench.entries_of()) >= 3
    return bench


def test_verify_says_from_when_on_the_log_is_attested(aged: Stamped) -> None:
    rows = aged.rows(stamps_table)
    found = aged.checked()
    assert found.findings == []
    assert found.stamped.count == len(rows)
    assert found.stamped.first is not None
    assert found.stamped.last is not None
    assert (found.stamped.first.size, found.stamped.first.at) == (rows[0].size, rows[0].stamped_at)
    assert (found.stamped.last.size, found.stamped.last.at) == (rows[-1].size, rows[-1].stamped_at)


def test_they_hold_long_after_the_authority_has_ended(aged: Stamped) -> None:
    aged.clock.advance(days=800)
    assert aged.away.fake.signer.certificate.not_valid_after_utc < aged.clock.now()
    assert aged.checked().holds


def change(bench: Stamped, size: int, **values: Any) -> None:
    with bench.database.write() as connection:
        connection.execute(update(stamps_table).where(stamps_table.c.size == size).values(**values))


def test_the_first_stamp_that_is_not_what_it_was_is_named(aged: Stamped) -> None:
    sizes_of = aged.entries_of()
    tokens = {one.size: one.token for one in aged.rows(stamps_table)}
    change(aged, sizes_of[2], token="no base64")
    change(aged, sizes_of[1], token=tokens[sizes_of[0]])
    found = aged.checked()
    assert found.findings == [
        f"stamp over {sizes_of[1]} entries: stamp_foreign: it is of other bytes",
        f"stamp over {sizes_of[2]} entries: stamp_malformed: it is no time-stamp token",
    ]
    assert found.stamped.count == len(sizes_of) - 2


def test_a_time_that_was_changed_beside_its_stamp_is_found(aged: Stamped) -> None:
    size = aged.entries_of()[0]
    change(aged, size, stamped_at=aged.clock.now() - timedelta(days=900))
    assert aged.checked().findings == [f"stamp over {size} entries: changed, the stamp itself says otherwise"]


def test_a_stamp_without_its_checkpoint_is_found(aged: Stamped) -> None:
    size = aged.entries_of()[0]
    with aged.database.write() as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.size == size))
    assert f"stamp over {size} entries: its checkpoint is missing" in aged.checked().findings


def test_stamps_of_an_authority_that_is_not_trusted_any_more_are_named(aged: Stamped) -> None:
    other = aged.away.stamping(authority().certificate)
    aged.site = replace(aged.site, proofs=replace(aged.site.proofs, stamping=other))
    found = aged.checked()
    assert len(found.findings) == len(aged.entries_of())
    assert "stamp_untrusted" in found.findings[0]


def test_without_anybody_trusted_they_are_counted_and_not_checked(aged: Stamped) -> None:
    aged.site = replace(aged.site, proofs=replace(aged.site.proofs, stamping=None))
    found = aged.checked()
    assert found.findings == []
    assert found.stamped.unchecked == len(aged.entries_of())
    assert found.stamped.first is None


def test_what_was_stamped_before_a_bad_entry_stays_attested(aged: Stamped) -> None:
    size = aged.entries_of()[1]
    with aged.database.write() as connection:
        connection.execute(update(ledger).where(ledger.c.place == size).values(entry='{"kind":"other"}'))
    found = aged.checked()
    assert found.findings[0] == f"entry {size}: changed, it does not fit its hashes"
    assert found.stamped.last is not None
    assert found.stamped.last.size == size
