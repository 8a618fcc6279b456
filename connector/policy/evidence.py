"""The evidence of a request as a small table of text: what was asked, when, and what became of it, without the person.

Identities stand there by their keyed digests alone. The same facts always make the same bytes, so that their digest can
be told before anybody has taken the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from connector.policy.outcome import nothing_held

FORMAT: Final = "consent-connector-evidence/v1"
# What comes from elsewhere is reduced to this: a spreadsheet must not take a value for a formula, or break a line.
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._:/ +-]")
_FORMULA: Final = re.compile(r"^[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request that was carried out.

    Attributes:
        ids: the source's ids and ours, by name.
        times: what happened when, by name; None for what is not known.
        counts: the request in numbers.
        fields: for each Lytics field and state how many of its values ended there.
        operations: Lytics' ids of the deletions.
        identities: the keyed digest of each identity, and what became of it in each Lytics field.
        strangers: by field, how many identifiers that the request did not name a look-up showed on a profile before.
    """

    ids: Mapping[str, str]
    times: Mapping[str, datetime | None]
    attempt: int
    counts: Mapping[str, int]
    fields: Mapping[tuple[str, str], int]
    operations: Sequence[str]
    identities: Sequence[tuple[str, str]]
    strangers: Mapping[str, int] = field(default_factory=dict)


def as_csv(facts: Facts) -> bytes:
    """Return the table: what it is about, which one, and the value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("what", "which", "value"))
    writer.writerows((what, _plain(which), _plain(value)) for what, which, value in _rows(facts))
    return text.getvalue().encode()


def outcome(counts: Mapping[str, int]) -> str:
    """Return how a completed request ended, in one word."""
    return "nothing_held" if nothing_held(counts) else "erased"


def _rows(facts: Facts) -> Iterator[tuple[str, str, str]]:
    yield "format", "", FORMAT
    yield from (("id", name, value) for name, value in facts.ids.items() if value)
    yield "outcome", "", outcome(facts.counts)
    yield "attempt", "", str(facts.attempt)
    for name, moment in facts.times.items():
        yield "time", name, f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "unknown"
    yield from (("count", name, str(number)) for name, number in facts.counts.items())
    for (name, state), number in sorted(facts.fields.items()):
        yield "field", f"{name} {state}", str(number)
    yield from (("not named by the request", name, str(number)) for name, number in sorted(facts.strangers.items()))
    yield from (("operation", "lytics", one) for one in sorted(set(facts.operations)))
    yield from (("identity", state, digest) for digest, state in sorted(facts.identities))


def _plain(text: str) -> str:
    return _FORMULA.sub("", _UNFIT.sub("?", text))
