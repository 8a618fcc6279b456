"""The points at which a death of the process leaves something particular behind, each with a name.

Crash tests end real processes there: `CONNECTOR_STOP_AT=claimed`, or `claimed:17` for the seventeenth time. Nothing
else sets that variable, and without it a point costs one call of an empty function.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Mapping
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured

VARIABLE: Final = "CONNECTOR_STOP_AT"

#: Point → what is on disk at that moment, and what is not.
STOPS: Final[Mapping[str, str]] = {
    "verified": "nothing: a delivery was verified and parsed",
    "claimed": "nothing yet: deliveries are written, in the middle of a shared commit",
    "committed": "the deliveries; no sender has its answer",
    "listed": "the request as unconfirmed; its source has said what it lists",
    "mapped": "the request as it was mapped",
    "fetched": "an access request as it was mapped; Lytics has answered its look-ups",
    "counted": "nothing yet: a submission's intent, and what the fuses count, are written, before their commit",
    "intended": "a submission's intent; Lytics was not called",
    "called": "the intent; Lytics has answered",
    "answered": "Lytics' answer",
    "sequenced": "nothing yet: places in the audit log were given, before their commit",
    "logged": "what happened, in the audit log; a receipt may be owed",
    "issued": "a receipt and its entry; no checkpoint covers it",
    "exported": "the data of an access request, in a file of the operator's and still in the store",
    "reporting": "a report in the outbox; the source was not called",
    "uploaded": "a report in the outbox without its file; the source has taken that",
    "filed": "a report in the outbox with the id of its file; the source was told nothing",
    "reported": "the report still in the outbox; the source has taken it",
    "followed": "the report still in the outbox; what follows it at the source is done",
    "told": "the report as sent",
    "seen": "nothing of it: Lytics has said whether somebody came back",
    "watched": "what was seen, and the request that deletes them again if there is to be one",
}


def never(_point: str) -> None:
    """Go on."""


def stopper(environ: Mapping[str, str], end: Callable[[], None] | None = None) -> Callable[[str], None]:
    """Return what is called at every point: it ends the process at the one that the environment names.

    Args:
        end: what to do there; by default the process is killed, so that nothing of it can run any more.
    """
    given = environ.get(VARIABLE, "")
    if not given:
        return never
    name, _, times = given.partition(":")
    if name not in STOPS or not (times or "1").isdigit():
        raise Misconfigured(
            Code.CONFIG_INVALID, f"{VARIABLE}: expected one of {', '.join(STOPS)}, and a number after `:`"
        )
    count, last = itertools.count(1), int(times or "1")

    def reached(point: str) -> None:
        if point == name and next(count) == last:
            (end or _kill)()

    return reached


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
