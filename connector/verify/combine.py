"""Checks joined: all of them have to pass, or any one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.ports import Condition, Verifier
from connector.private import Private

#: Room for the names of the checks in the record of a delivery.
MAX_PRINCIPAL_CHARS: Final = 40
# What is right in itself, only not now: whoever rotates a secret has to see that it is still used.
_OUT_OF_TIME: Final = frozenset({Code.CREDENTIAL_EXPIRED, Code.TIMESTAMP_TOO_OLD, Code.TIMESTAMP_IN_FUTURE})


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition has to hold and every check to pass, in order; the first refusal counts.

    The verdict names all checks and secrets. Its payload is the whole body, unless a check vouches for only a part.

    Raises:
        Misconfigured: there is no check. Conditions alone, such as an address, would accept whoever stands there.
    """

    checks: tuple[Verifier, ...]
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", tuple(self.checks))
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if not self.checks:
            raise Misconfigured(
                Code.CONFIG_INVALID, "at least one check of a credential is needed; a condition never suffices alone"
            )

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        for condition in self.conditions:
            condition.require(inbound)
        verdicts = [check.verify(inbound, now) for check in self.checks]
        if len(verdicts) == 1:
            return verdicts[0]
        parts = {verdict.payload for verdict in verdicts} - {inbound.body}
        if len(parts) > 1:
            raise Rejected(Code.CREDENTIAL_WRONG, "the checks vouch for different contents")
        times = [verdict.sender_time for verdict in verdicts if verdict.sender_time is not None]
        telling = [verdict for verdict in verdicts if verdict.replay_key]
        ends = [verdict.replay_until for verdict in verdicts if verdict.replay_until is not None]
        return Verified(
            payload=parts.pop() if parts else inbound.body,
            principal="+".join(dict.fromkeys(verdict.principal for verdict in verdicts))[:MAX_PRINCIPAL_CHARS],
            secret_ids=tuple(dict.fromkeys(one for verdict in verdicts for one in verdict.secret_ids)),
            sender_time=times[0] if times else None,
            replay_key="+".join(verdict.replay_key for verdict in telling),
            # The first check to refuse the same delivery refuses it for all.
            replay_until=min(ends) if ends else None,
            confirm_url=_first([verdict.confirm_url for verdict in verdicts]),
        )


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One check has to pass; the first that does gives the verdict. All are tried, so that time does not tell which.

    Raises:
        Misconfigured: there is no check.
    """

    checks: tuple[Verifier, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "checks", tuple(self.checks))
        if not self.checks:
            raise Misconfigured(Code.CONFIG_INVALID, "any_of needs at least one check")

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        verdicts: list[Verified] = []
        refusals: list[ConnectorError] = []
        for check in self.checks:
            try:
                verdicts.append(check.verify(inbound, now))
            except (Rejected, Temporary) as error:
                refusals.append(error)
        if verdicts:
            return verdicts[0]
        # A check that could not be made may have passed: let the sender repeat. Else the one that came furthest.
        raise min(refusals, key=_order) from None


def _order(error: ConnectorError) -> int:
    if isinstance(error, Temporary):
        return 0
    if error.code in _OUT_OF_TIME:
        return 1
    return 3 if error.code in {Code.CREDENTIAL_MISSING, Code.TIMESTAMP_MISSING} else 2


def _first(found: list[Private | None]) -> Private | None:
    return next((one for one in found if one is not None), None)
