"""Reports to a described platform: one call per status that it takes, to its own address or to the request's.

A described platform has no state that could be read first. What it answers decides: a success, a `final` answer that
says that it has been decided there, or a refusal. No error holds the address, a header or the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from connector.clock import Clock
from connector.codes import Code
from connector.dialect.text import Body, Text, Values
from connector.errors import ConnectorError, Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Answer, Client, path_of
from connector.private import Secret


class CallbackClient(Protocol):
    """Calls an address that a sender chose, or refuses to."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, json: object = None
    ) -> Answer: ...


class Addressee(Protocol):
    """Where a report goes."""

    @property
    def is_ours(self) -> bool:
        """Whether the operator chose the address, and so can mend what is wrong with it."""
        ...

    def send(self, method: str, report: Report, headers: Mapping[str, str], values: Values, body: object) -> Answer: ...


@dataclass(frozen=True, slots=True)
class ToConfigured:
    """The platform's own address, with ids in its path.

    Attributes:
        path: the segments below the client's base URL; an empty one at the end for a slash there.
    """

    http: Client
    path: tuple[Text, ...]
    is_ours: bool = True

    def send(
        self,
        method: str,
        report: Report,  # noqa: ARG002 - the protocol's shape
        headers: Mapping[str, str],
        values: Values,
        body: object,
    ) -> Answer:
        lacking = next((name for name in (segment.lacks(values) for segment in self.path) if name), "")
        if lacking:
            raise Refused(Code.REMOTE_REFUSED, f"the request has no {lacking}, which the path names; nothing was sent")
        *segments, last = [segment.fill(values) for segment in self.path]
        path = path_of(*segments, last) if last else f"{path_of(*segments) if segments else ''}/"
        return self.http.request(method, path, headers=headers, json=body)


@dataclass(frozen=True, slots=True)
class ToCallback:
    """The address that the request brought along.

    Attributes:
        slot: entered around each call; paces and bounds them.
    """

    http: CallbackClient
    slot: Callable[[], AbstractContextManager[object]] = nullcontext
    is_ours: bool = False

    def send(
        self,
        method: str,
        report: Report,
        headers: Mapping[str, str],
        values: Values,  # noqa: ARG002 - the protocol's shape
        body: object,
    ) -> Answer:
        if not report.callback_url:
            raise Refused(Code.REMOTE_REFUSED, "the request brought no address to report to; nothing was sent")
        with self.slot():
            try:
                return self.http.request(method, report.callback_url.reveal(), headers=headers, json=body)
            except RateLimited as error:
                # The one address that a request brought along must not keep the reports of the others waiting.
                raise Temporary(error.code, retry_after_s=error.retry_after_s) from None


@dataclass(frozen=True, slots=True)
class Header:
    """A header of every report: fixed text, or a secret behind a prefix."""

    name: str
    value: Secret = field(repr=False)
    prefix: str = ""

    @property
    def is_secret(self) -> bool:
        return self.value.id.startswith(("env:", "file:"))


@dataclass(frozen=True, slots=True)
class GenericReporter:
    """Fulfils `ports.Reporter`.

    Attributes:
        statuses: what the platform calls each status; one that is missing is not reported.
        final: HTTP statuses by which it says that the request has been decided there.
    """

    reads_first = False

    to: Addressee
    method: str
    headers: tuple[Header, ...]
    body: Body
    statuses: Mapping[SourceStatus, str]
    final: frozenset[int]
    clock: Clock

    def deliver(self, report: Report) -> Delivered:
        """Send one report.

        Raises:
            Refused: the platform refuses it, it lacks an address, or that may not be called.
            NotFound: the platform does not know the request.
            Misconfigured: a credential of ours is refused.
            Temporary: worth another try; the platform may have taken the report nevertheless.
        """
        word = self.statuses.get(report.status)
        if word is None:
            return Delivered.NOT_WANTED
        values: Values = {
            **report.external,
            "job_id": report.job_id,
            "status": word,
            "comment": report.comment,
            "time": f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ}",
        }
        headers = {one.name: one.prefix + one.value.reveal() for one in self.headers}
        answer = self.to.send(self.method, report, headers, values, self.body.fill(values))
        if answer.status in self.final:
            return Delivered.CONFLICT
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the successes
            raise self._error(answer.status)
        return Delivered.SENT

    def _error(self, status: int) -> ConnectorError:
        told = f"status {status}"
        # At an address that a request brought along, only a credential of ours is ours to mend: everything else is said
        # of that one request, and must not keep the others waiting.
        ours = self.to.is_ours or any(one.is_secret for one in self.headers)
        if status == HTTPStatus.UNAUTHORIZED and ours:
            return Misconfigured(Code.TOKEN_REFUSED, told)
        if status == HTTPStatus.FORBIDDEN and ours:
            return Misconfigured(Code.PERMISSION_MISSING, told)
        if status == HTTPStatus.NOT_FOUND:
            return NotFound(Code.REMOTE_NOT_FOUND, told)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return Temporary(Code.REMOTE_FAULT, told)
        return Refused(Code.REMOTE_REFUSED, told)


class NoReporter:
    """For a platform that is told nothing beyond the answer to its delivery."""

    reads_first = True

    def deliver(self, report: Report) -> Delivered:  # noqa: ARG002 - the protocol's shape
        """Tell nobody, and say so."""
        return Delivered.NOT_WANTED
