"""What a time-stamping authority says: it is asked for one stamp, over a text of ours, which is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.codes import Code
from connector.config import Config
from connector.doctor.findings import Finding, told
from connector.errors import ConnectorError
from connector.proof.stamp import Question
from connector.services.stamping import ask
from connector.wiring.stamps import stamping_of

_TEXT: Final = b"connector doctor\n"
_WORDS: Final = {Code.STAMP_REFUSED: "stamps_refused", Code.STAMP_WRONG: "stamps_wrong"}


def authority(config: Config, clock: Clock) -> Iterator[Finding]:
    """Look at the authority, if one is configured."""
    settings = config.proof.stamps
    if settings is None:
        return
    host = urlsplit(settings.url).hostname or ""
    stamping = stamping_of(settings, clock)
    try:
        ask(stamping, Question(_TEXT, stamping.hash, stamping.nonce(), stamping.policy), clock)
    except ConnectorError as error:
        yield Finding(_WORDS.get(error.code, "stamps_unreachable"), host, told(error))
        return
    yield Finding("stamps_fine", host)
