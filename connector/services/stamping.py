"""Have the latest checkpoint of the audit log stamped by a time-stamping authority, now and then.

Whoever asks takes the turn first, in a transaction of its own; then the authority is called; then its stamp is kept, if
it holds. Killed in between, the next turn asks again. An authority that fails delays nothing but its own stamps.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connector.clock import Clock
from connector.codes import Code
from connector.errors import ConnectorError, Temporary
from connector.policy.retry import next_try
from connector.proof.stamp import Question, Stamp, accept
from connector.proof.verdict import Flaw, Refuted
from connector.services.proofs import Stamping
from connector.services.site import Site
from connector.store import stamps

# Longer than any call may take.
_TURN: Final = timedelta(minutes=5)


def stamp(site: Site) -> bool:
    """Ask for a stamp if the latest checkpoint has none and it is time; there is never more to do at once."""
    stamping = site.proofs.stamping
    if stamping is None:
        return False
    now = site.clock.now()
    with site.database.read() as connection:
        # Mostly there is nothing to be done, and then nobody else has to wait.
        wanted = stamps.unstamped(connection) if stamps.is_due(connection, now) else None
    if wanted is None:
        return False
    with site.database.write() as connection:
        failures = stamps.take_turn(connection, now, now + _TURN)
    if failures is None:
        return False
    question = Question(wanted.note.encode(), stamping.hash, stamping.nonce(), stamping.policy)
    try:
        # Whoever lost the work meanwhile asks nothing: another worker's turn may have come.
        site.lease.require()
        given = ask(stamping, question, site.clock)
    except ConnectorError as error:
        _put_off(site, stamping, error, failures)
        return False
    with site.database.write() as connection:
        stamps.keep(connection, wanted.size, given.said.at, given.said.authority, given.token)
        stamps.give_turn(connection, now + timedelta(seconds=stamping.every_s), 0)
    site.log.info("checkpoint_stamped", count=wanted.size)
    return False


def ask(stamping: Stamping, question: Question, clock: Clock) -> Stamp:
    """Ask the authority, and return its stamp if it holds.

    Raises:
        ConnectorError: `stamp_refused`: it gives none. `stamp_wrong`: what it gives does not hold. Or what keeps it
            from answering.
    """
    answer = stamping.authority.ask(question.encoded())
    try:
        return accept(answer, question, stamping.trusted, clock.now(), stamping.tolerance_s)
    except Refuted as refuted:
        code = Code.STAMP_REFUSED if refuted.flaw is Flaw.STAMP_REFUSED else Code.STAMP_WRONG
        raise Temporary(code, str(refuted)) from refuted


def _put_off(site: Site, stamping: Stamping, error: ConnectorError, failures: int) -> None:
    now, policy = site.clock.now(), stamping.retry
    # A final no is asked again as well: the next checkpoint is another question.
    next_at = next_try(failures, error, now, site.rng, policy) or now + timedelta(seconds=policy.max_s)
    with site.database.write() as connection:
        stamps.give_turn(connection, next_at, failures + 1)
    reason = error.__cause__.flaw if isinstance(error.__cause__, Refuted) else None
    site.log.error("stamp_failed", code=error.code, reason=reason, attempt=failures + 1, next_at=next_at)
