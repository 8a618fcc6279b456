"""Hold the audit log against itself, its signed checkpoints, and the rows that it is about.

Everything is read once, in the order of the log, in one snapshot. What was changed is named by its place: the first
entry that is not what it was, and every checkpoint, move, decision and receipt that contradicts the log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.proof import canonical, entries, jws, note, receipt, tree
from connector.proof.note import Checkpoint
from connector.proof.verdict import Refuted
from connector.services.proofs import Proofs
from connector.services.stamp_check import Stamped, check_stamps
from connector.store import ledger, receipts
from connector.store.columns import AnyRow, Connection
from connector.store.guard_tables import audit
from connector.store.tables import history

_PART: Final = 500
#: More of the same kind help nobody.
MOST_FINDINGS: Final = 100

_LONGEST: Final = 2**31 - 1

Read = Callable[[int, int], None]
# By kind: which members have to be texts, and which numbers.
_SHAPES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "move": (("request",), ("row",)),
    "decision": ((), ("row",)),
    "receipt": (("request",), ("attempt", "number")),
}
# Its place, its bytes and what they say.
Entry = tuple[int, bytes, dict[str, Any]]


def _tell_nobody(_done: int, _of: int) -> None:
    """Go on."""


@dataclass(slots=True)
class Checked:
    """What came out.

    Attributes:
        size: how many entries were read and are what they were.
        root: of the tree over these.
        signed: the size of the longest log that a checkpoint with a known key vouches for.
        gone: entries about requests that are no longer in the store; nothing to compare them with.
        waiting: moves and decisions that are not in the log yet.
        stamped: what a time-stamping authority attests.
        findings: what contradicts what, the first bad entry of the log first.
    """

    size: int = 0
    root: bytes = tree.EMPTY_ROOT
    signed: int = 0
    checkpoints: int = 0
    gone: int = 0
    waiting: int = 0
    stamped: Stamped = field(default_factory=Stamped)
    findings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.findings


def check(
    connection: Connection, proofs: Proofs, kept: Sequence[Checkpoint] = (), notice: Read = _tell_nobody
) -> Checked:
    """Check the whole log.

    Args:
        kept: checkpoints that were kept elsewhere; the log has to begin as they say.
        notice: told how many entries were read, and of how many.
    """
    return _Check(connection, proofs, kept).run(notice)


class _Check:
    def __init__(self, connection: Connection, proofs: Proofs, kept: Sequence[Checkpoint]) -> None:
        self.connection = connection
        self.proofs = proofs
        self.kept = {one.size: one for one in kept}
        self.frontier = tree.Frontier()
        self.checked = Checked()
        # The size up to which a checkpoint agrees.
        self.agreed = 0
        # How many rows of these tables the log names that are there.
        self.named = Counter[str]()

    def run(self, notice: Read) -> Checked:
        size = ledger.size_of(self.connection)
        bad = ""
        for rows in ledger.entries(self.connection, _PART):
            good, bad = self._part(rows)
            self._rows(good)
            self.checked.size += len(good)
            if bad:
                break
            notice(self.frontier.size, size)
        # Of a log that is bad further on, too: what an authority has seen before that stays attested.
        self._stamps()
        if bad:
            # The first bad entry is the most pressing, and behind it nothing can be told apart.
            self.checked.findings.insert(0, bad)
            return self.checked
        self.checked.root = self.frontier.root()
        if self.frontier.size != size:
            self._found(f"entry {self.frontier.size}: the log ends before it, and its head says that it has {size}")
        for one in ledger.checkpoints_within(self.connection, self.frontier.size, _LONGEST):
            self._found(f"entry {self.frontier.size}: missing, a checkpoint was signed over {one.size} entries")
        for longer in sorted(one for one in self.kept if one > self.frontier.size):
            self._found(f"entry {self.frontier.size}: missing, a kept checkpoint is over {longer} entries")
        self._whole_tables()
        return self.checked

    def _stamps(self) -> None:
        stamping = self.proofs.stamping
        trusted = stamping.trusted if stamping is not None else None
        self.checked.stamped = check_stamps(self.connection, trusted, self.checked.size, MOST_FINDINGS)
        for one in self.checked.stamped.findings:
            self._found(one)

    def _found(self, what: str) -> None:
        if len(self.checked.findings) < MOST_FINDINGS:
            self.checked.findings.append(what)

    def _part(self, rows: Sequence[AnyRow]) -> tuple[list[Entry], str]:
        """Append some entries to the tree; return those that are what they were, and what is wrong with the next."""
        signed = {one.size: one for one in self._signed(self.frontier.size, self.frontier.size + len(rows))}
        good: list[Entry] = []
        for row in rows:
            place = self.frontier.size
            if row.place != place:
                return good, f"entry {place}: missing"
            entry = _read(row.entry)
            if entry is None:
                return good, f"entry {place}: changed, it is no entry of such a log"
            if row.hashes != b"".join(self.frontier.append(tree.leaf_hash(row.entry.encode()))).hex():
                return good, f"entry {place}: changed, it does not fit its hashes"
            if fault := self._against(self.kept.get(place + 1), "a kept checkpoint"):
                return good, fault
            if fault := self._against(signed.get(place + 1), "the checkpoint"):
                return good, fault
            good.append((place, row.entry.encode(), entry))
        return good, ""

    def _against(self, signed: Checkpoint | None, what: str) -> str:
        """Compare the tree with a checkpoint of its size; return what is wrong."""
        if signed is None:
            return ""
        size = self.frontier.size
        if signed.root != self.frontier.root():
            return f"entry {self.agreed} or one up to {size - 1}: changed, {what} over {size} entries has another root"
        self.agreed = size
        return ""

    def _signed(self, above: int, size: int) -> Iterator[Checkpoint]:
        """Give the checkpoints of logs that are longer than `above`, and not longer than `size`."""
        for row in ledger.checkpoints_within(self.connection, above, size):
            try:
                found = note.read_checkpoint(row.note, self.proofs.origin, self.proofs.keys, alone=True)
            except Refuted as refuted:
                self._found(f"checkpoint {row.size}: {refuted}")
                continue
            if found.size != row.size:
                self._found(f"checkpoint {row.size}: changed, it is of another size")
                continue
            self.checked.checkpoints += 1
            self.checked.signed = row.size
            yield found

    def _rows(self, good: Sequence[Entry]) -> None:
        """Compare entries with the rows that they are about."""
        by_kind: dict[str, list[Entry]] = defaultdict(list)
        for one in good:
            by_kind[str(one[2].get("kind"))].append(one)
        moves, decisions = by_kind["move"], by_kind["decision"]
        known = ledger.known_requests(
            self.connection, {str(said["request"]) for _, _, said in (*moves, *by_kind["receipt"])}
        )
        self._moves(moves, known)
        self._decisions(decisions)
        self._receipts(by_kind["receipt"], known)

    def _moves(self, moves: Sequence[Entry], known: set[str]) -> None:
        rows = ledger.rows_named(self.connection, history, [said["row"] for _, _, said in moves])
        for place, entry, said in moves:
            row = rows.get(said["row"])
            if row is None and said["request"] not in known:
                self.checked.gone += 1
            elif row is None:
                self._found(f"move {said['row']} of request {said['request']}: missing, entry {place} holds it")
            else:
                self.named["history"] += 1
                now = entries.move(row.id, row.request_id, row.at, row.state, row.reason, row.attempt)
                if now != entry or row.log_index != place:
                    self._found(f"move {row.id} of request {said['request']}: changed, entry {place} says otherwise")

    def _decisions(self, decisions: Sequence[Entry]) -> None:
        rows = ledger.rows_named(self.connection, audit, [said["row"] for _, _, said in decisions])
        for place, entry, said in decisions:
            row = rows.get(said["row"])
            if row is None:
                self._found(f"decision {said['row']}: missing, entry {place} holds it")
                continue
            self.named["audit"] += 1
            now = entries.decision(row.id, row.at, row.actor, row.action, row.subject, row.reason)
            if now != entry or row.log_index != place:
                self._found(f"decision {row.id}: changed, entry {place} says otherwise")

    def _receipts(self, issued: Sequence[Entry], known: set[str]) -> None:
        keys = [(said["request"], said["attempt"], said["number"]) for _, _, said in issued]
        rows = {(one.request_id, one.attempt, one.number): one for one in receipts.by_key(self.connection, keys)}
        for (place, entry, said), key in zip(issued, keys, strict=True):
            name, row = f"receipt of attempt {said['attempt']} of request {said['request']}", rows.get(key)
            if row is None and said["request"] not in known:
                self.checked.gone += 1
            elif row is None:
                self._found(f"{name}: missing, entry {place} holds it")
            elif fault := self._fault_in(row, place, entry):
                self._found(f"{name}: {fault}")

    def _fault_in(self, row: AnyRow, place: int, entry: bytes) -> str:
        """Say what is wrong with a receipt that is kept."""
        try:
            payload, _ = jws.open_signed(row.jws, receipt.TYPE, self.proofs.keys)
            stated = receipt.read_statement(payload)
        except Refuted as refuted:
            return str(refuted)
        as_logged = receipt.entry_of(stated) == entry and row.log_index == place
        return "" if as_logged else f"changed, entry {place} says otherwise"

    def _whole_tables(self) -> None:
        """Look for rows that claim a place in the log and have none."""
        for table in (history, audit):
            claiming, waiting = ledger.count_logged(self.connection, table)
            self.checked.waiting += waiting
            if claiming != self.named[table.name] and self.checked.holds:
                self._found(
                    f"table {table.name}: {claiming} rows claim a place in the log, {self.named[table.name]} have one"
                )


def _read(entry: object) -> dict[str, Any] | None:
    """Read an entry; None if it is none. Kinds that are not known here say what they like."""
    try:
        said = canonical.read_object(entry.encode(errors="replace")) if isinstance(entry, str) else {}
    except Refuted:
        return None
    kind = said.get("kind")
    texts, numbers = _SHAPES.get(kind, ((), ())) if isinstance(kind, str) else (("kind",), ())
    fits = all(isinstance(said.get(one), str) for one in texts)
    return said if fits and all(_is_number(said.get(one)) for one in numbers) else None


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LONGEST
