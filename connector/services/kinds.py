"""What a request asks for, by the types that its source gives it: an erasure, an access, or neither for certain.

A request is carried out as one kind for good. Whatever names both, or another one later, is never guessed at: an
erasure cannot be taken back, and data that was erased cannot be handed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from connector.services.rules import Scope
from connector.states import RequestKind, RequestState
from connector.store import identities
from connector.store.columns import AnyRow, Connection


class Asked(StrEnum):
    """What a request asks for."""

    ERASURE = "erasure"
    ACCESS = "access"
    BOTH = "both"
    NEITHER = "neither"


_KIND = {Asked.ERASURE: RequestKind.ERASURE, Asked.ACCESS: RequestKind.ACCESS}
_NEW = frozenset({RequestState.UNCONFIRMED, RequestState.RECEIVED})
_BEGUN_AS_ERASURE = frozenset({RequestState.QUEUED, RequestState.WORKING})


def plain(request_type: str) -> str:
    """Return a request type as it is compared: without case and spacing."""
    return " ".join(request_type.casefold().split())


def asked_for(scope: Scope, request_types: Iterable[str]) -> Asked:
    """Return what request types ask for. Without any it is an erasure: then the source sends nothing else."""
    said = {plain(one) for one in request_types}
    erasure, access = bool(said & scope.deletion_types) or not said, bool(said & scope.access_types)
    if erasure and access:
        return Asked.BOTH
    if access:
        return Asked.ACCESS
    return Asked.ERASURE if erasure else Asked.NEITHER


def kind_of(asked: Asked) -> RequestKind | None:
    """Return the kind that something is carried out as; None if it is not."""
    return _KIND.get(asked)


def decided(connection: Connection, row: AnyRow) -> RequestKind | None:
    """Return the kind of a locked request since it was mapped first; None before.

    One that was mapped by a version that knew erasures alone may have no kind: then it is an erasure.
    """
    if row.kind is not None:
        kind: RequestKind = row.kind
        return kind
    if row.state in _BEGUN_AS_ERASURE:
        return RequestKind.ERASURE
    # Most are new, and nothing of them needs to be asked for.
    is_new = row.attempt == 1 and row.state in _NEW
    return RequestKind.ERASURE if not is_new and identities.was_begun(connection, row.id) else None


def refusal_of(scope: Scope, *, is_test: bool, request_types: Iterable[str]) -> str:
    """Return why nothing may be deleted for a request, as a key of `comments.REFUSALS`; empty if it may."""
    if is_test and not scope.allow_test_requests:
        return "test_request"
    return {Asked.ERASURE: "", Asked.BOTH: "access_and_erasure"}.get(asked_for(scope, request_types), "not_an_erasure")


def refusal_to_begin(scope: Scope, *, is_test: bool, request_types: Iterable[str]) -> str:
    """Return why a request is carried out as nothing at all, like `refusal_of`."""
    types = tuple(request_types)
    refusal = refusal_of(scope, is_test=is_test, request_types=types)
    return "" if refusal == "not_an_erasure" and asked_for(scope, types) is Asked.ACCESS else refusal
