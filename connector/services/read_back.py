"""Ask the source whether it lists a request, before anything is deleted for it.

A delivery is a word from whoever holds a secret. What counts is what the source itself shows to our own credential: the
ids that belong together, the types, the stage, the identifiers. What a delivery alone said is compared, and dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from connector.errors import ConnectorError
from connector.model import Listing
from connector.policy.polling import next_look
from connector.services.listed import Say, take
from connector.services.remote import HALTING, call_each
from connector.services.rules import ListingRules
from connector.services.site import Site, SourceWork
from connector.services.together import together
from connector.store import confirmations, twins
from connector.store.columns import AnyRow, Connection

Answered: TypeAlias = tuple[AnyRow, Listing | ConnectorError]

# Questions to one source at the same time: OneTrust asks for at most five calls per second.
_CONCURRENCY: Final = 4
# Answers that are written down together: a crash before that costs one more reading of each.
_TOGETHER: Final = 25
# What waits since before the questions were switched off is looked for so often.
_LET_PASS_EVERY: Final = timedelta(minutes=1)


def read_back(site: Site) -> bool:
    """Ask about the requests that wait for it, for each source; say whether there may be more."""
    more = [_ask_source(site, source) for source in site.sources.values()]
    return any(more)


def _ask_source(site: Site, source: SourceWork) -> bool:
    limit = site.budgets.read_back
    rules = source.read_back
    if rules is None:
        return _let_pass(site, source)
    if not site.may_report(source):
        return False
    now = site.clock.now()
    with site.database.read() as connection:
        rows = confirmations.to_ask_about(connection, source.name, now, limit)
        room = limit - len(rows)
        stale = confirmations.answered_before(connection, source.name, now - rules.every, room) if room else ()
    if stale:
        # They are among those that are asked about next, after what nobody has answered yet.
        with site.database.write() as connection:
            confirmations.ask_anew(connection, stale, now)

    def ask(row: AnyRow) -> Listing:
        listing = rules.reader.read(row.external)
        site.reached("listed")
        return listing

    answers = call_each(rows, ask, _CONCURRENCY, site.stop, site.reports_to(source))
    for _, answer in answers:
        if isinstance(answer, HALTING):
            site.pause_reports(source, answer)

    def work(connection: Connection, some: Sequence[Answered]) -> list[Say | None]:
        # All that is touched, in one order: two workers that meet here do not wait for each other in a circle.
        twins.lock_known(connection, {(source.name, key) for row, answer in some for key in _keys(row, answer)})
        return [take(site, connection, source, rules, row, answer) for row, answer in some]

    for start in range(0, len(answers), _TOGETHER):
        part = answers[start : start + _TOGETHER]
        done = together(site, "read_back", part, lambda one: str(one[0].id), work)
        for _, say in done:
            if say is not None:
                say()
        if len(done) < len(part):
            gone_well = {row.id for (row, _), _ in done}
            _put_off(site, rules, [row for row, _ in part if row.id not in gone_well])
    return bool(stale or len(rows) == limit) and site.may_report(source)


def _put_off(site: Site, rules: ListingRules, rows: Sequence[AnyRow]) -> None:
    """Ask later about requests whose answer met a defect, so that they do not stand before all others."""
    with site.database.write() as connection:
        for row in sorted(rows, key=lambda one: str(one.id)):
            if (locked := confirmations.lock_asked(connection, row)) is not None:
                confirmations.ask_again(connection, locked, next_look(row.confirm_tries, site.clock.now(), rules.again))


def _keys(row: AnyRow, answer: Listing | ConnectorError) -> tuple[str, ...]:
    return (row.request_key, *(answer.request_keys if isinstance(answer, Listing) else ()))


def _let_pass(site: Site, source: SourceWork) -> bool:
    """Let go on what waited for a listing when that was switched off; what a doubt holds stays held."""
    limit, now, turn = site.budgets.read_back, site.clock.now(), f"let_pass:{source.name}"
    if site.pauses.hold(turn, now):
        return False
    with site.database.read() as connection:
        rows = confirmations.never_doubted(connection, source.name, limit)
    if len(rows) < limit:
        # It reads what is held as well, however much that is: not at every tick.
        site.pauses.set(turn, now + _LET_PASS_EVERY)
    if rows:
        with site.database.write() as connection:
            confirmations.let_pass(connection, rows, now)
    return len(rows) == limit
