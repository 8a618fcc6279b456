"""Every state in the product and every legal move, as one table per machine. Nothing else changes a state.

A request's state follows from its identities' targets; a target is one (account, table, field, value) that Lytics is
asked to delete; a submission is one bulk call; an operation is what Lytics lets us follow afterwards (one per call with
`identity-delete`, one per value with `identity-queue`); a report is one message that we owe the source; a fetch is one
profile that an access request asks for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from connector.errors import IllegalMove


class RequestKind(StrEnum):
    """What a request is carried out as. Decided when it is mapped first, and never changed."""

    ERASURE = "erasure"
    ACCESS = "access"


class RequestState(StrEnum):
    UNCONFIRMED = "unconfirmed"  # stored; the source is asked whether it lists it
    RECEIVED = "received"  # stored, and listed where that is asked for; not yet mapped
    HELD = "held"  # waits for a person, with a reason
    QUEUED = "queued"  # mapped, nothing submitted yet
    WORKING = "working"  # at least one target is with Lytics
    COMPLETED = "completed"  # everything asked for is gone, or was never there
    PARTIAL = "partial"  # some gone, some not
    FAILED = "failed"  # nothing could be deleted
    REJECTED = "rejected"  # refused before anything was deleted
    # Of access requests alone. Nothing that deletes knows these three.
    FETCHING = "fetching"  # mapped; its profiles are read
    DELIVERING = "delivering"  # what was read waits to be handed over
    ANSWERED = "answered"  # handed over and destroyed here, or there was nothing to hand over


class IdentityState(StrEnum):
    RECEIVED = "received"  # not yet mapped
    MAPPED = "mapped"  # one or more targets carry it
    UNMAPPED = "unmapped"  # no rule names its kind
    REJECTED = "rejected"  # its value fails a rule's checks


class TargetState(StrEnum):
    QUEUED = "queued"  # waits for a bulk call
    SUBMITTING = "submitting"  # part of a call whose outcome is not known yet
    SUBMITTED = "submitted"  # accepted by Lytics; followed through its operation
    CONFIRMING = "confirming"  # Lytics says finished; the look-up has to agree
    DELETED = "deleted"
    NOT_FOUND = "not_found"  # Lytics knew nobody by it: fulfilled with zero records
    REFUSED = "refused"  # Lytics did not take it
    FAILED = "failed"


class SubmissionState(StrEnum):
    INTENDED = "intended"  # committed before the call
    UNKNOWN = "unknown"  # the call's outcome was lost; to be reconciled
    ACCEPTED = "accepted"
    REFUSED = "refused"  # the whole call was refused
    ABANDONED = "abandoned"  # shown not to have reached Lytics; its targets were queued again


class OperationState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"  # Lytics no longer knows the id


class FetchState(StrEnum):
    WAITING = "waiting"  # not read yet, or only without its personal fields
    FOUND = "found"
    ABSENT = "absent"  # Lytics knows nobody by it
    FAILED = "failed"  # Lytics gave no usable answer


class ReportState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    SUPERSEDED = "superseded"  # a later report made it pointless
    CONFLICT = "conflict"  # a person decided otherwise at the source; not overwritten
    NOT_WANTED = "not_wanted"  # the source takes no report of this kind; it was told nothing
    DEAD = "dead"  # given up, with a reason
    DROPPED = "dropped"  # an operator decided that it is not sent any more, with a reason


class WatchState(StrEnum):
    WATCHING = "watching"  # not there when it was last looked for
    RETURNED = "returned"  # there again; said, and not deleted
    DELETING = "deleting"  # there again; a request of our own deletes it


class ReturnState(StrEnum):
    """What became of somebody who was found again."""

    PENDING = "pending"  # being deleted again
    DELETED = "deleted"  # deleted again, and confirmed as ever
    NOT_DELETED = "not_deleted"  # only said, or it failed, or was refused: the reason tells


R, T, S, P = RequestState, TargetState, SubmissionState, ReportState

REQUEST_MOVES: Final[dict[RequestState, frozenset[RequestState]]] = {
    # Rejected at once: the source lists it as one that is here under another name.
    R.UNCONFIRMED: frozenset({R.RECEIVED, R.HELD, R.REJECTED}),
    R.RECEIVED: frozenset({R.QUEUED, R.HELD, R.REJECTED, R.FETCHING}),
    # What was held because its source did not list it is received once it does.
    R.HELD: frozenset({R.RECEIVED, R.QUEUED, R.WORKING, R.REJECTED, R.FETCHING}),
    # Rejected even now: whom it names was put on the legal hold list.
    R.QUEUED: frozenset({R.WORKING, R.HELD, R.REJECTED}),
    R.WORKING: frozenset({R.COMPLETED, R.PARTIAL, R.FAILED, R.HELD}),
    # A reprocess by the source after a failure starts a new attempt of the same request.
    R.PARTIAL: frozenset({R.UNCONFIRMED, R.RECEIVED}),
    R.FAILED: frozenset({R.UNCONFIRMED, R.RECEIVED}),
    R.COMPLETED: frozenset(),
    R.REJECTED: frozenset(),
    # No way leads from here to a state whose targets are submitted, but through a person or a new attempt, and both are
    # mapped anew.
    R.FETCHING: frozenset({R.DELIVERING, R.ANSWERED, R.FAILED, R.HELD}),
    R.DELIVERING: frozenset({R.ANSWERED, R.FAILED}),
    R.ANSWERED: frozenset(),
}

IDENTITY_MOVES: Final[dict[IdentityState, frozenset[IdentityState]]] = {
    # A held request is mapped again when the rules changed, so none of these is the end.
    IdentityState.RECEIVED: frozenset({IdentityState.MAPPED, IdentityState.UNMAPPED, IdentityState.REJECTED}),
    IdentityState.UNMAPPED: frozenset({IdentityState.MAPPED, IdentityState.REJECTED}),
    IdentityState.REJECTED: frozenset({IdentityState.MAPPED, IdentityState.UNMAPPED}),
    IdentityState.MAPPED: frozenset({IdentityState.UNMAPPED, IdentityState.REJECTED}),
}

TARGET_MOVES: Final[dict[TargetState, frozenset[TargetState]]] = {
    T.QUEUED: frozenset({T.SUBMITTING}),
    T.SUBMITTING: frozenset({T.SUBMITTED, T.REFUSED, T.QUEUED}),
    T.SUBMITTED: frozenset({T.CONFIRMING, T.DELETED, T.NOT_FOUND, T.FAILED, T.QUEUED}),
    T.CONFIRMING: frozenset({T.DELETED, T.NOT_FOUND, T.FAILED}),
    T.DELETED: frozenset(),
    T.NOT_FOUND: frozenset(),
    # Only a new attempt of the whole request brings these back.
    T.REFUSED: frozenset({T.QUEUED}),
    T.FAILED: frozenset({T.QUEUED}),
}

SUBMISSION_MOVES: Final[dict[SubmissionState, frozenset[SubmissionState]]] = {
    S.INTENDED: frozenset({S.ACCEPTED, S.REFUSED, S.UNKNOWN, S.ABANDONED}),
    # An answer that comes late is still an answer.
    S.UNKNOWN: frozenset({S.ACCEPTED, S.REFUSED, S.ABANDONED}),
    S.ACCEPTED: frozenset(),
    S.REFUSED: frozenset(),
    S.ABANDONED: frozenset(),
}

OPERATION_MOVES: Final[dict[OperationState, frozenset[OperationState]]] = {
    OperationState.RUNNING: frozenset({OperationState.FINISHED, OperationState.FAILED, OperationState.LOST}),
    OperationState.FINISHED: frozenset(),
    OperationState.FAILED: frozenset(),
    # Lytics names the id again, in the answer to a repeat.
    OperationState.LOST: frozenset({OperationState.RUNNING}),
}

FETCH_MOVES: Final[dict[FetchState, frozenset[FetchState]]] = {
    FetchState.WAITING: frozenset({FetchState.FOUND, FetchState.ABSENT, FetchState.FAILED}),
    # A profile that was kept too long before the others were there is destroyed, and read again.
    FetchState.FOUND: frozenset({FetchState.WAITING}),
    FetchState.ABSENT: frozenset(),
    FetchState.FAILED: frozenset(),
}

WATCH_MOVES: Final[dict[WatchState, frozenset[WatchState]]] = {
    WatchState.WATCHING: frozenset({WatchState.RETURNED, WatchState.DELETING}),
    # Gone by itself or by a later request; or deleted after all, because the source says so now.
    WatchState.RETURNED: frozenset({WatchState.WATCHING, WatchState.DELETING}),
    WatchState.DELETING: frozenset({WatchState.WATCHING, WatchState.RETURNED}),
}

RETURN_MOVES: Final[dict[ReturnState, frozenset[ReturnState]]] = {
    ReturnState.PENDING: frozenset({ReturnState.DELETED, ReturnState.NOT_DELETED}),
    ReturnState.DELETED: frozenset(),
    ReturnState.NOT_DELETED: frozenset(),
}

REPORT_MOVES: Final[dict[ReportState, frozenset[ReportState]]] = {
    P.QUEUED: frozenset({P.SENT, P.SUPERSEDED, P.CONFLICT, P.NOT_WANTED, P.DEAD}),
    # The source asks once more for what is over: it is told once more.
    P.SENT: frozenset({P.QUEUED}),
    P.SUPERSEDED: frozenset(),
    P.CONFLICT: frozenset({P.QUEUED}),
    P.NOT_WANTED: frozenset(),
    # The source asks again, or an operator sends it again, once the cause is mended.
    P.DEAD: frozenset({P.QUEUED, P.SUPERSEDED, P.DROPPED}),
    P.DROPPED: frozenset({P.QUEUED}),
}

TERMINAL_TARGETS: Final = frozenset({T.DELETED, T.NOT_FOUND, T.REFUSED, T.FAILED})
FULFILLED_TARGETS: Final = frozenset({T.DELETED, T.NOT_FOUND})
FINISHED_REQUESTS: Final = frozenset({R.COMPLETED, R.PARTIAL, R.FAILED, R.REJECTED, R.ANSWERED})
OPEN_REQUESTS: Final = frozenset(RequestState) - FINISHED_REQUESTS

MOVES: Final[dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]]] = {
    RequestState: dict(REQUEST_MOVES.items()),
    IdentityState: dict(IDENTITY_MOVES.items()),
    TargetState: dict(TARGET_MOVES.items()),
    SubmissionState: dict(SUBMISSION_MOVES.items()),
    OperationState: dict(OPERATION_MOVES.items()),
    ReportState: dict(REPORT_MOVES.items()),
    FetchState: dict(FETCH_MOVES.items()),
    WatchState: dict(WATCH_MOVES.items()),
    ReturnState: dict(RETURN_MOVES.items()),
}


def check_move(old: StrEnum, new: StrEnum) -> None:
    """Raise `IllegalMove` unless the table allows `old` → `new`."""
    if type(old) is not type(new) or new not in MOVES[type(old)][old]:
        raise IllegalMove(type(old).__name__, old, new)
