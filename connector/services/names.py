"""What a delivery goes by under every pseudonym key, so that one that comes again is known under a former key too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.store import recognising
from connector.store.columns import Connection
from connector.store.recognising import Known


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a delivery that are hashes, or hold one, under one key.

    Attributes:
        replay_hash: empty if nothing tells it from every other.
    """

    request_key: str
    claim_key: str
    body_digest: str
    replay_hash: str = ""


def find(connection: Connection, named: Sequence[tuple[str, Sequence[Names]]]) -> Known:
    """Return under which names of former keys deliveries are there, each given by its source and its names.

    Called first in the transaction that stores them: of two processes that do not take the same key for the present
    one, only one stores the same delivery at a time.
    """
    several = [(source, names) for source, names in named if len(names) > 1]
    recognising.one_at_a_time(connection, {text for _, names in several for text in _alike(names)})
    former = [(source, one) for source, (_, *others) in several for one in others]
    return Known(
        requests=recognising.requests_among(connection, {(source, one.request_key) for source, one in former}),
        claims=recognising.claims_among(connection, {(source, one.claim_key) for source, one in former}),
        replays=recognising.replays_among(
            connection, {(source, one.replay_hash) for source, one in former if one.replay_hash}
        ),
    )


def _alike(names: Sequence[Names]) -> set[str]:
    """Return what is the same of the same delivery, whichever of the keys is taken for the present one."""
    digests, replays = {one.body_digest for one in names}, {one.replay_hash for one in names}
    return {min(those) for those in (digests, replays) if "" not in those}
