"""What an operator does with a dead letter: send it on its way again, or let it rest. Both are written down.

Each is one commit, guarded by the state that the worker may be changing at the same moment, and says why if it was not
done. Nothing is done twice: the second time there is no dead letter any more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connector.services import hand_over
from connector.states import ReportState, RequestState
from connector.store import dead_letters, follow_ons, reports, requests
from connector.store.columns import AnyRow, Connection
from connector.store.database import Database
from connector.store.dead_letters import DROPPED_REQUEST, UNFULFILLED, Letter

#: The history has room for so much beside the word for what was done.
MAX_REASON_CHARS: Final = 45

# Two tables: the states of two machines that bear one word are equal as keys.
_NO_DEAD_REPORT: Final = {
    ReportState.QUEUED: "it is queued already",
    ReportState.SENT: "the source took it already",
    ReportState.SUPERSEDED: "a later report has taken its place",
    ReportState.CONFLICT: "a person decided otherwise at the source",
    ReportState.NOT_WANTED: "the source takes no report of this kind",
}
_NO_FAILED_REQUEST: Final = {
    RequestState.UNCONFIRMED: "a new attempt has begun already",
    RequestState.RECEIVED: "a new attempt has begun already",
    RequestState.QUEUED: "a new attempt has begun already",
    RequestState.WORKING: "it is being carried out",
    RequestState.HELD: "it is held: `connector show` says why; once that is mended, or it is released, it goes on",
    RequestState.COMPLETED: "everything asked for was deleted already",
    RequestState.FETCHING: "its profiles are being read",
    RequestState.DELIVERING: "its data waits to be handed over: see `connector access list`",
    RequestState.ANSWERED: "its data was handed over already",
    RequestState.REJECTED: "it was refused before anything was deleted; only a new call of the source asks again",
}
_MOVED: Final = "it has moved on in the meantime"
_DROPPED: Final = "it was dropped before"
_SHREDDED: Final = "nothing personal of it is left: only a new request of the source asks again"
_OVERTAKEN: Final = "a later report or attempt of its request has taken its place"


@dataclass(frozen=True, slots=True)
class Known:
    """What the configuration names: only what belongs to it is worked on.

    Attributes:
        sources: the account of each source, by name.
        asked: the sources that are asked what they list before anything is deleted.
    """

    sources: Mapping[str, str]
    accounts: Collection[str]
    asked: Collection[str] = ()

    def lacks(self, source: str) -> str:
        """Say what is missing for a source's work to go on; empty if nothing is."""
        if source not in self.sources:
            return f"its source {source} is not in the configuration"
        if self.sources[source] not in self.accounts:
            return f"the account of its source {source} is not in the configuration"
        return ""


def fault_in(reason: str) -> str:
    """Say what is wrong with an operator's reason; empty if it can be recorded."""
    if not reason:
        return "a reason is needed"
    if len(reason) > MAX_REASON_CHARS:
        return f"at most {MAX_REASON_CHARS} characters, not {len(reason)}"
    if any(unicodedata.category(one)[0] == "C" or unicodedata.category(one) in {"Zl", "Zp"} for one in reason):
        return "no line breaks, control characters or other invisible ones"
    if "@" in reason:
        return "no address: the record is kept, and names nobody"
    return ""


def why_not(connection: Connection, letter: Letter, known: Known) -> str:
    """Say why a dead letter cannot be sent on its way again; empty if it can."""
    return _why_not(connection, *dead_letters.rows_of(connection, letter, lock=False), known)


def replay(database: Database, letter: Letter, reason: str, now: datetime, known: Known) -> str:
    """Send a dead letter on its way again; return why not, or an empty text.

    A report is queued as if it had never been tried. A request gets a new attempt of what failed of it, and of nothing
    that was deleted; its unsent reports are overtaken by that.
    """
    _require(reason)
    with database.write() as connection:
        request, report = dead_letters.rows_of(connection, letter, lock=True)
        if why := _why_not(connection, request, report, known):
            return why
        if report is None:
            reports.supersede(connection, [request.id], now)
            # No source lists what it never asked for.
            asked = request.source in known.asked and not follow_ons.among(connection, [request.id])
            began = requests.start_again(connection, request, now, f"replayed: {reason}", asked=asked)
            return "" if began else _MOVED
        if reports.queue_again(connection, [report.id], report.state, now) != 1:
            return _MOVED
        _note(connection, request, report, now, f"report_replayed: {reason}")
        return ""


def drop(database: Database, letter: Letter, reason: str, now: datetime) -> str:
    """Let a dead letter rest, with an operator's reason; return why not, or an empty text.

    It stays where it is and is listed as dropped. A request keeps its state: it did not become fulfilled by this. Only
    one that waits to hand over data which is gone has failed with its last report.
    """
    _require(reason)
    with database.write() as connection:
        request, report = dead_letters.rows_of(connection, letter, lock=True)
        if why := _why_not_drop(request, report):
            return why
        if report is None:
            said = f"{DROPPED_REQUEST}{reason}"
            done = dead_letters.let_rest(connection, request, said)
        else:
            said = f"report_dropped: {reason}"
            done = reports.drop(connection, report.id, now, reason)
            hand_over.end_if_gone(connection, request.id, now)
        if done:
            _note(connection, request, report, now, said)
        return "" if done else _MOVED


def _note(connection: Connection, request: AnyRow, report: AnyRow | None, now: datetime, said: str) -> None:
    """Write what was done into the history, and why a report had been given up: its row does not tell that any more."""
    if report is not None and report.state is ReportState.DEAD:
        dead_letters.note(connection, request, now, f"report_dead: {report.reason}")
    dead_letters.note(connection, request, now, said)


def _why_not(connection: Connection, request: AnyRow, report: AnyRow | None, known: Known) -> str:
    if request.shredded_at is not None and (report is not None or request.state in UNFULFILLED):
        return _SHREDDED
    if report is None:
        return _NO_FAILED_REQUEST[request.state] if request.state not in UNFULFILLED else known.lacks(request.source)
    if report.state not in {ReportState.DEAD, ReportState.DROPPED}:
        return _NO_DEAD_REPORT[report.state]
    if dead_letters.is_overtaken(connection, report, request):
        return _OVERTAKEN
    return known.lacks(report.source)


def _why_not_drop(request: AnyRow, report: AnyRow | None) -> str:
    if report is None:
        if request.state not in UNFULFILLED:
            return _NO_FAILED_REQUEST[request.state]
        return _DROPPED if request.reason.startswith(DROPPED_REQUEST) else ""
    if report.state is ReportState.DROPPED:
        return _DROPPED
    return "" if report.state is ReportState.DEAD else _NO_DEAD_REPORT[report.state]


def _require(reason: str) -> None:
    if fault := fault_in(reason):
        raise ValueError(fault)
