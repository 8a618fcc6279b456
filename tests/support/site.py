"""A site for step tests: a real store, a clock that is moved by hand, and stand-ins for the two remote systems."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.clock import FixedClock
from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.errors import ConnectorError, NotFound
from connector.mapping.rules import Rule, RuleSet, TargetRule, compile_rules
from connector.model import (
    Call,
    Delivered,
    Identity,
    Presence,
    RemoteOperation,
    RemoteState,
    RemoteStatus,
    Report,
    SubmitAnswer,
    Verified,
)
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy
from connector.private import Private, Secret
from connector.services import intake
from connector.services.intake import Accepted
from connector.services.site import AccountWork, LookUp, Site, SourceWork
from connector.store import schema
from connector.store.database import Database

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KEY = Secret("k" * 32, "test:pseudonym")


class StandInLytics:
    """Lytics in a few lines: it knows people by (table, field, value), deletes them when told to finish, and can be
    told to fail. `per_value` gives each value an operation of its own, as identity-queue does."""

    def __init__(self, clock: FixedClock, *, per_value: bool = False) -> None:
        self.clock = clock
        self.per_value = per_value
        self.repeat_is_safe = per_value
        self.people: set[tuple[str, str, str]] = set()
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.operations: dict[str, list[tuple[str, str, str]]] = {}
        self.statuses: dict[str, RemoteStatus] = {}
        self.times: dict[str, datetime] = {}
        self.errors: list[ConnectorError | None] = []
        self.answer: Callable[[Sequence[Private]], SubmitAnswer] | None = None
        self.after: ConnectorError | None = None
        self.look_up_errors: list[ConnectorError] = []
        self.status_errors: list[ConnectorError] = []
        self.list_error: ConnectorError | None = None
        self.stays: set[str] = set()
        self.finish_at_once = True
        self.ids_by_value: dict[str, str] = {}

    def submit(self, table: str, field: str, values: Sequence[Private]) -> SubmitAnswer:
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        shown = [one.reveal() for one in values]
        self.calls.append((table, field, tuple(shown)))
        if self.answer is not None:
            return self.answer(values)
        ids = {}
        for group in [[one] for one in shown] if self.per_value else [shown]:
            known = self.ids_by_value.get(group[0]) if self.per_value else None
            remote_id = known or f"op-{len(self.operations) + 1}"
            self.ids_by_value[group[0]] = remote_id
            if known is None:
                self.operations[remote_id] = [(table, field, one) for one in group]
                self.times[remote_id] = self.clock.now()
                self.statuses[remote_id] = RemoteStatus(RemoteState.RUNNING, "pending", len(group), None)
            ids |= dict.fromkeys(group, remote_id)
        if self.finish_at_once:
            for remote_id in set(ids.values()):
                self.finish(remote_id)
        if self.after is not None:
            error, self.after = self.after, None
            raise error
        return SubmitAnswer(accepted={one: ids[one.reveal()] for one in values}, correlation_id="corr-1")

    def finish(self, remote_id: str) -> None:
        people = self.operations[remote_id]
        there = [one for one in people if one in self.people]
        self.people -= {one for one in there if one[2] not in self.stays}
        self.statuses[remote_id] = RemoteStatus(RemoteState.FINISHED, "completed", len(people), len(there))

    def status(self, remote_id: str) -> RemoteStatus:
        if self.status_errors:
            raise self.status_errors.pop(0)
        if remote_id not in self.statuses:
            raise NotFound(Code.REMOTE_NOT_FOUND)
        return self.statuses[remote_id]

    def recent(self) -> Sequence[RemoteOperation]:
        if self.list_error is not None:
            raise self.list_error
        return [RemoteOperation(one, self.statuses[one], self.times[one]) for one in self.operations]

    def encoded_bytes(self, table: str, field: str, value: Private) -> int:
        return len(value.reveal()) + 4

    def look_up(self, table: str, field: str, value: Private) -> Presence:
        if self.look_up_errors:
            raise self.look_up_errors.pop(0)
        return Presence.PRESENT if (table, field, value.reveal()) in self.people else Presence.ABSENT

    def submitted(self) -> Counter[str]:
        """How often each value was part of a call."""
        return Counter(value for _, _, values in self.calls for value in values)


@dataclass
class StandInReporter:
    """Takes reports; may be told to answer otherwise first."""

    sent: list[Report] = field(default_factory=list)
    answers: list[Delivered | ConnectorError] = field(default_factory=list)

    def deliver(self, report: Report) -> Delivered:
        answer = self.answers.pop(0) if self.answers else Delivered.SENT
        if isinstance(answer, ConnectorError):
            raise answer
        if answer is Delivered.SENT:
            self.sent.append(report)
        return answer

    @property
    def statuses(self) -> list[str]:
        return [one.status.value for one in self.sent]


class StandInVerifier:
    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:
        return Verified(body, "stand-in", "test:secret")


class StandInDialect:
    """Reads what `delivery` writes."""

    def parse(self, payload: bytes) -> Call:
        said = json.loads(payload)
        return Call(
            request_key=f"subtask:{said['subtask']}",
            event_id=said.get("event"),
            external={"subtask_id": said["subtask"]},
            request_types=tuple(said.get("types", ("Data Deletion",))),
            identities=tuple(Identity(kind, Private(value)) for kind, value in said["identities"]),
            country="DE",
            is_test=said.get("test", False),
        )


@dataclass
class RecordingLog:
    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, action: str, **fields: object) -> None:
        self.records.append((action, fields))

    warning = error = info

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.records]


RULES = compile_rules(
    [
        Rule(("email",), (TargetRule("user", "email", ("trim", "lower")),)),
        Rule(("loyalty id",), (TargetRule("user", "loyalty_id", ("trim",)),)),
    ],
    ignore_kinds=("first name",),
)


class Bench:
    """A site and its stand-ins."""

    def __init__(self, store_url: str, *, per_value: bool = False, rules: RuleSet = RULES, **account: Any) -> None:
        self.clock = FixedClock(START)
        self.lytics = StandInLytics(self.clock, per_value=per_value)
        self.reporter = StandInReporter()
        self.log = RecordingLog()
        self.database = Database(store_url, pool_size=4)
        schema.upgrade(self.database)
        settings: dict[str, Any] = {
            "look_up": LookUp.BEFORE_AND_AFTER,
            "concurrency": 1,
            "batch_max_values": 100,
            "batch_max_bytes": 100_000,
            "batch_wait_s": 0.0,
            "confirm_for_s": 3600.0,
            "warn_after": timedelta(days=14),
        }
        work = AccountWork(
            name="main",
            api_name="identity-queue" if per_value else "identity-delete",
            api=self.lytics,
            profiles=self.lytics,
            polling=PollPolicy(60, 2.0, 3600),
            confirming=PollPolicy(30, 2.0, 600),
            stale_intent_s=120.0,
            unknown_wait_s=900.0,
            retry=RetryPolicy(10, 600, misconfigured_s=300),
            **(settings | account),
        )
        source = SourceWork(
            name="onetrust",
            account="main",
            enabled=True,
            verifier=StandInVerifier(),
            dialect=StandInDialect(),
            reporter=self.reporter,
            rules=rules,
            deletion_types=frozenset({"data deletion"}),
            allow_test_requests=False,
            regulation=None,
        )
        self.site = Site(
            database=self.database,
            clock=self.clock,
            pseudonymiser=Pseudonymiser(KEY),
            sources={"onetrust": source},
            accounts={"main": work},
            log=self.log,
            rng=lambda: 1.0,
            report_retry=RetryPolicy(5, 3600, give_up_after=5, misconfigured_s=300),
        )

    @property
    def source(self) -> SourceWork:
        return self.site.sources["onetrust"]

    def with_rules(self, rules: RuleSet) -> None:
        """Start again under other rules, as after a restart."""
        self.site = replace(self.site, sources={"onetrust": replace(self.source, rules=rules)})

    def with_account(self, **changes: Any) -> None:
        self.site = replace(self.site, accounts={"main": replace(self.site.accounts["main"], **changes)})

    def deliver(self, subtask: str = "s1", *identities: tuple[str, str], **said: Any) -> Accepted:
        pairs = list(identities) or [("email", f"{subtask}@example.com")]
        body = json.dumps({"subtask": subtask, "identities": pairs, **said}).encode()
        return intake.receive(self.site, self.source, "POST", {}, body)

    def knows(self, *values: str, field: str = "email") -> None:
        self.lytics.people |= {("user", field, value) for value in values}

    def pass_time(self, **delta: float) -> None:
        """Let time pass, then run every step once."""
        from connector.engine.schedule import run_pass

        self.clock.advance(**delta)
        run_pass(self.site)

    def run_to_end(self, passes: int = 6, **delta: float) -> None:
        for _ in range(passes):
            self.pass_time(**(delta or {"seconds": 61}))

    def dossier(self, name: str = "s1") -> Any:
        from connector.store import overview

        with self.database.read() as connection:
            (row,) = overview.find(connection, name)
            return overview.dossier(connection, row)

    def state(self, name: str = "s1") -> str:
        return str(self.dossier(name).request.state)

    def target_states(self, name: str = "s1") -> list[str]:
        return sorted(str(one.state) for one in self.dossier(name).targets)
