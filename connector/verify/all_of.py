"""Every check of a source has to pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.ports import Verifier
from connector.verify.base import MAX_SECRET_ID_CHARS


@dataclass(frozen=True, slots=True)
class AllOf:
    """The checks of one source, in order; the first refusal counts.

    The verdict names all checks and secrets. Its payload is the whole body, unless a check vouches for only a part.

    Raises:
        Misconfigured: there is no check; a source without one would accept anybody.
    """

    checks: tuple[Verifier, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", tuple(self.checks))
        if not self.checks:
            raise Misconfigured(Code.CONFIG_INVALID, "a source needs at least one check")

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:
        verdicts = [check.verify(method, headers, body, now) for check in self.checks]
        parts = {verdict.payload for verdict in verdicts} - {body}
        if len(parts) > 1:
            raise Rejected(Code.CREDENTIAL_WRONG, "the checks vouch for different contents")
        times = [verdict.sender_time for verdict in verdicts if verdict.sender_time is not None]
        return Verified(
            payload=parts.pop() if parts else body,
            principal="+".join(dict.fromkeys(verdict.principal for verdict in verdicts)),
            secret_id=" + ".join(dict.fromkeys(verdict.secret_id for verdict in verdicts))[:MAX_SECRET_ID_CHARS],
            sender_time=times[0] if times else None,
        )
