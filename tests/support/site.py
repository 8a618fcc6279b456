"""A site for step tests: a real store, a clock that is moved by hand, and stand-ins for all that is remote."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from connector.clock import FixedClock
from connector.crypto.pseudonym import Pseudonymiser
from connector.inbound import Inbound
from connector.mapping.rules import Rule, RuleSet, TargetRule, compile_rules
from connector.model import Call, Identity, Verified
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy
from connector.private import Private, Secret
from connector.services import intake
from connector.services.extras import Extras
from connector.services.intake import Accepted
from connector.services.remote import Breakers, Pauses
from connector.services.rules import BackstopRules, ListingRules, LookUp, Scope
from connector.services.site import AccountWork, Site, SourceWork
from connector.store.database import Database
from tests.support.sealing import KEYRING, opened_rows
from tests.support.stand_ins import StandInLytics, StandInReporter
from tests.support.stores import bring_up_to_date

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
# The rehearsal's own, so that its commands recognise whom a test has stored.
_FILE = Path(__file__).parents[2] / "config/sandbox/pseudonym.secret"
KEY = Secret(_FILE.read_text().strip(), "file:sandbox/pseudonym.secret")


class StandInVerifier:
    """Believes everything; `x-replay` and `x-replay-for` say what it makes of a delivery."""

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        said = dict(inbound.headers)
        lasts = said.get("x-replay-for")
        return Verified(
            inbound.body,
            "stand-in",
            ("test:secret",),
            replay_key=said.get("x-replay", ""),
            replay_until=now + timedelta(seconds=float(lasts)) if lasts else None,
        )


class StandInDialect:
    """Reads what `delivery` writes."""

    def parse(self, payload: bytes, inbound: Inbound) -> Call:
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


def inbound(body: bytes, **headers: str) -> Inbound:
    """Return a delivery; headers are given as `x_replay="…"`."""
    return Inbound("POST", "", tuple((name.replace("_", "-"), value) for name, value in headers.items()), body)


class Bench:
    """A site and its stand-ins."""

    def __init__(self, store_url: str, *, per_value: bool = False, rules: RuleSet = RULES, **account: Any) -> None:
        self.clock = FixedClock(START)
        self.lytics = StandInLytics(self.clock, per_value=per_value)
        self.reporter = StandInReporter()
        self.log = RecordingLog()
        self.headers: dict[str, str] = {}
        self.store_url = store_url
        self.database = Database(store_url, pool_size=4, keyring=KEYRING)
        bring_up_to_date(self.database)
        settings: dict[str, Any] = {
            "look_up": LookUp.BEFORE_AND_AFTER,
            "concurrency": 1,
            "batch_max_values": 100,
            "batch_max_bytes": 100_000,
            "batch_wait_s": 0.0,
            "confirm_for_s": 3600.0,
            "warn_after": timedelta(days=14),
            "alarm_after": timedelta(days=30),
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
            url="",
            media_types=frozenset({"application/json"}),
            dialect=StandInDialect(),
            reporter=self.reporter,
            rules=rules,
            scope=Scope(frozenset({"data deletion"})),
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

    def starts_again(self) -> None:
        """The process died; another one takes over the same store, with nothing left in memory."""
        self.database.close()
        self.database = Database(self.store_url, pool_size=4, keyring=KEYRING)
        self.site = replace(
            self.site, database=self.database, stop=threading.Event(), pauses=Pauses(), breakers=Breakers()
        )

    @property
    def source(self) -> SourceWork:
        return self.site.sources["onetrust"]

    def with_rules(self, rules: RuleSet) -> None:
        """Start again under other rules, as after a restart."""
        self.site = replace(self.site, sources={"onetrust": replace(self.source, rules=rules)})

    def list_by(self, rules: ListingRules | None) -> None:
        """Start again with a source that is asked what it lists, or with one that is not."""
        self.site = replace(self.site, sources={"onetrust": replace(self.source, read_back=rules)})

    def look_through(self, rules: BackstopRules | None) -> None:
        """Start again with a source whose open tasks are looked through, or with one whose are not."""
        self.site = replace(self.site, sources={"onetrust": replace(self.source, backstop=rules)})

    def beside(self, **extras: Any) -> None:
        """Start again with a source that is told more than its reports."""
        self.site = replace(self.site, sources={"onetrust": replace(self.source, extras=Extras(**extras))})

    def with_account(self, **changes: Any) -> None:
        self.site = replace(self.site, accounts={"main": replace(self.site.accounts["main"], **changes)})

    def deliver(self, subtask: str = "s1", *identities: tuple[str, str], **said: Any) -> Accepted:
        pairs = list(identities) or [("email", f"{subtask}@example.com")]
        body = json.dumps({"subtask": subtask, "identities": pairs, **said}).encode()
        return intake.receive(self.site, self.source, inbound(body, **self.headers))

    def knows(self, *values: str, field: str = "email") -> None:
        self.lytics.people |= {("user", field, value) for value in values}

    def pass_time(self, **delta: float) -> None:
        """Let time pass, then run every step once."""
        from connector.engine.schedule import run_parts, run_pass

        self.clock.advance(**delta)
        # As the engine of this store divides them.
        (run_pass if self.database.is_sqlite else run_parts)(self.site)

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

    def target(self, name: str = "s1") -> Any:
        (row,) = self.dossier(name).targets
        return row

    def rows(self, table: Table) -> list[Any]:
        """Every row of a table, by id, with its personal values opened."""
        with self.database.read() as connection:
            return opened_rows(connection, table)
