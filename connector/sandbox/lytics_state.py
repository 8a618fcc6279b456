"""What the fake Lytics holds: profiles, deletions under way, and the evidence a test reads afterwards.

Time only moves when someone asks: each call first carries out everything that is due by the fake's clock.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import threading
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

#: table -> field -> is it an identity?
DEFAULT_SCHEMA: Final[dict[str, dict[str, bool]]] = {
    "user": {
        "email": True,
        "email_sha256": True,
        "user_id": True,
        "customer_id": True,
        "loyalty_id": True,
        "member_id": True,
        "external_id": True,
        "phone": True,
        "_uid": True,
        "first_name": False,
        "last_name": False,
        "country": False,
    }
}
EVERY_VALUE: Final = "*"


@dataclass(slots=True)
class Profile:
    """One person in a table; every identity field finds it. `others`: other people's identities that are tied to it."""

    id: str
    table: str
    fields: dict[str, str]
    created_at: float
    others: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def identities(self) -> Iterator[tuple[str, str]]:
        """Give every field with each of its values, those of other people included."""
        yield from self.fields.items()
        yield from ((name, value) for name, values in self.others.items() for value in values)


@dataclass(slots=True)
class Fate:
    """What the switches decided, at submission, about how a deletion will go."""

    failed: bool = False
    stuck: bool = False
    left_over: int = 0
    still_present: str | None = None
    comes_back_after_s: float | None = None
    lookup_lag_s: float = 0.0


@dataclass(slots=True)
class Deletion:
    """One deletion request: a batch (identity-delete) or a single value (all others)."""

    id: str
    api: str
    table: str
    field: str
    values: list[str]
    submitted_at: float
    finishes_at: float
    fate: Fate = dataclasses.field(default_factory=Fate)
    deleted: int = 0
    settled: bool = False

    def progress(self, now: float) -> float:
        """Between 0 and 1; a stuck deletion never gets past its middle."""
        if self.settled:
            return 1.0
        span = self.finishes_at - self.submitted_at
        done = (now - self.submitted_at) / span if span > 0 else 0.5
        return min(done, 0.5 if self.fate.stuck else 0.99)


class World:
    """Profiles and deletions under one lock."""

    def __init__(
        self, now: Callable[[], float], finish_after_s: float, schema: Mapping[str, Mapping[str, bool]]
    ) -> None:
        self.now = now
        self.finish_after_s = finish_after_s
        self.schema = {table: dict(fields) for table, fields in schema.items()}
        self.lock = threading.RLock()
        self.profiles: dict[str, Profile] = {}
        self.deletions: dict[str, Deletion] = {}
        self.submissions: list[dict[str, Any]] = []
        self.times_submitted: Counter[tuple[str, str, str]] = Counter()
        self._index: dict[tuple[str, str, str], str] = {}
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()

    def seed(self, table: str, name: str, value: str, more: Mapping[str, str]) -> Profile:
        """Create the profile, or add fields to the one that this identity finds."""
        fields = {name: value, **more}
        known = self.schema.get(table)
        if known is None:
            raise ValueError(f"no table {table!r} in the schema; there are: {sorted(self.schema)}")
        if unknown := set(fields) - set(known):
            raise ValueError(f"no field {sorted(unknown)} in table {table!r}; there are: {sorted(known)}")
        if not all(isinstance(text, str) and text for text in fields.values()):
            raise ValueError("field values must be text and not empty")
        with self.lock:
            self.settle()
            profile = self.find(table, name, value)
            if profile is None:
                profile = Profile(uuid.uuid4().hex, table, {}, self.now())
            profile.fields.update(fields)
            self._store(profile)
            return profile

    def tangle(self, profile: Profile, others: Mapping[str, Collection[str]]) -> None:
        """Tie other people's identities to a profile, as a shared device does; their own profiles end in it."""
        known = self.schema[profile.table]
        if unknown := {name for name in others if not known.get(name)}:
            raise ValueError(f"no identity {sorted(unknown)} in table {profile.table!r}; there are: {sorted(known)}")
        with self.lock:
            self.settle()
            for name, values in others.items():
                for value in values:
                    other = self.find(profile.table, name, value)
                    if other is profile:
                        continue
                    if other is not None:
                        self._remove(other)
                    ties = other.identities() if other is not None else [(name, value)]
                    for tied, text in ties:
                        if known[tied]:
                            profile.others.setdefault(tied, []).append(text)
            self._store(profile)

    def find(self, table: str, name: str, value: str) -> Profile | None:
        """Return the profile that this identity finds now."""
        with self.lock:
            self.settle()
            return self.profiles.get(self._index.get((table, name, value), ""))

    def is_identity(self, table: str, name: str) -> bool:
        return self.schema.get(table, {}).get(name, False)

    def submit(self, api: str, table: str, name: str, values: Iterable[str], fate: Fate) -> Deletion:
        """Commit a deletion; it is carried out when its time has come."""
        with self.lock:
            self.settle()
            now = self.now()
            deletion_id = f"{uuid.uuid4().hex[:20]}-{int(now // 86400) * 86400}"
            deletion = Deletion(deletion_id, api, table, name, list(values), now, now + self.finish_after_s, fate)
            self.deletions[deletion_id] = deletion
            if not fate.stuck:
                self._at(deletion.finishes_at, lambda at: self._carry_out(deletion, at))
            return deletion

    def record(self, api: str, table: str, name: str, ids: Mapping[str, str]) -> None:
        """Keep evidence of one accepted deletion call: every value with the id it was given."""
        with self.lock:
            self.submissions.append(
                {"at": self.now(), "api": api, "table": table, "field": name, "values": list(ids), "ids": dict(ids)}
            )
            self.times_submitted.update((table, name, value) for value in ids)

    def release_stuck(self) -> int:
        """Let stuck deletions run on; returns how many there were."""
        with self.lock:
            stuck = [d for d in self.deletions.values() if d.fate.stuck and not d.settled]
            for deletion in stuck:
                deletion.fate.stuck = False
                due = max(self.now(), deletion.finishes_at)
                self._at(due, lambda at, deletion=deletion: self._carry_out(deletion, at))  # type: ignore[misc]
            return len(stuck)

    def settle(self) -> None:
        """Carry out everything that is due."""
        with self.lock:
            now = self.now()
            while self._due and self._due[0][0] <= now:
                at, _, action = heapq.heappop(self._due)
                action(at)

    def snapshot(self) -> dict[str, Any]:
        with self.lock:
            self.settle()
            return {
                "profiles": [asdict(profile) for profile in self.profiles.values()],
                "deletions": [asdict(deletion) for deletion in self.deletions.values()],
                "submissions": [dict(entry) for entry in self.submissions],
                "times_submitted": [
                    {"table": table, "field": name, "value": value, "times": times}
                    for (table, name, value), times in self.times_submitted.items()
                ],
            }

    def summary(self) -> dict[str, Any]:
        """How many profiles and submissions there are, and how many identities were submitted how often."""
        with self.lock:
            self.settle()
            return {
                "profiles": len(self.profiles),
                "submissions": len(self.submissions),
                "times_submitted": dict(Counter(self.times_submitted.values())),
            }

    def _at(self, due: float, action: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (due, next(self._order), action))

    def _store(self, profile: Profile) -> None:
        self.profiles[profile.id] = profile
        for name, value in profile.identities():
            if self.is_identity(profile.table, name):
                self._index[(profile.table, name, value)] = profile.id

    def _remove(self, profile: Profile) -> None:
        self.profiles.pop(profile.id, None)
        for name, value in profile.identities():
            if self._index.get((profile.table, name, value)) == profile.id:
                del self._index[(profile.table, name, value)]

    def _carry_out(self, deletion: Deletion, at: float) -> None:
        deletion.settled = True
        fate = deletion.fate
        if fate.failed:
            return
        left_over = fate.left_over
        for value in deletion.values:
            profile = self.profiles.get(self._index.get((deletion.table, deletion.field, value), ""))
            if profile is None:
                continue
            if left_over > 0:
                left_over -= 1
                continue
            deletion.deleted += 1
            if fate.still_present not in {EVERY_VALUE, value}:
                self._take_away(profile, fate, at)

    def _take_away(self, profile: Profile, fate: Fate, at: float) -> None:
        gone_at = at + fate.lookup_lag_s
        if fate.lookup_lag_s > 0:
            self._at(gone_at, lambda _at: self._remove(profile))
        else:
            self._remove(profile)
        if fate.comes_back_after_s is not None:
            self._at(gone_at + fate.comes_back_after_s, lambda back: self._return(profile, back))

    def _return(self, profile: Profile, at: float) -> None:
        self._store(Profile(uuid.uuid4().hex, profile.table, dict(profile.fields), at, dict(profile.others)))


def timestamp(seconds: float) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
