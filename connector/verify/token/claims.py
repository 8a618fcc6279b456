"""What a token has to say: from whom, for whom, when, and what else the settings demand (RFC 7519 section 4.1).

Judged only once the signature is known to be good, against the time that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from connector.clock import require_aware
from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.verify.stamp import MAX_TOLERANCE_S
from connector.verify.strict_json import is_same

MAX_LEEWAY_S: Final = 600

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The year 9998: a leeway can still be added.
_MAX_DATE: Final = 253_370_764_799


@dataclass(frozen=True, slots=True)
class Times:
    """When a token was issued, and the last moment at which this check accepts it; None where it does not say."""

    issued_at: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What is demanded of the claims.

    Attributes:
        issuers: who may have issued it; empty for anybody who has the key.
        audiences: our own names, of which the token has to hold one. Empty refuses every token that names an audience,
            since it is meant for somebody else (RFC 7519 section 4.1.3).
        exact: claims with the only value accepted; compared as JSON values.
        required: claims that have to be there.
        expires: whether `exp` has to be there; it counts in any case.
        max_age_s: how old `iat` may be, which then has to be there; None to leave its age alone. Inclusive.
        future_s: how far `iat` may lie in the future, if its age is limited. Inclusive.
        leeway_s: by how much the clocks may differ, for `exp` and `nbf`.

    Raises:
        Misconfigured: a time out of its bounds, or a rule that says nothing.
    """

    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    exact: Mapping[str, object] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    expires: bool = True
    max_age_s: float | None = None
    future_s: float = 300
    leeway_s: float = 60

    def __post_init__(self) -> None:
        for name in ("issuers", "audiences", "required"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if not all(getattr(self, name)):
                raise _wrong(f"an empty text among {name} says nothing")
        sides = (1 if self.max_age_s is None else self.max_age_s, self.future_s)
        if not all(1 <= side <= MAX_TOLERANCE_S for side in sides):
            raise _wrong(f"the age of a token is limited by 1 to {MAX_TOLERANCE_S} seconds, in past and future")
        if not 0 <= self.leeway_s <= MAX_LEEWAY_S:
            raise _wrong(f"the clocks may differ by 0 to {MAX_LEEWAY_S} seconds")
        if taken := self.exact.keys() & {"iss", "aud", "exp", "nbf", "iat"}:
            raise _wrong(f"claim {min(taken)} has a setting of its own")

    @property
    def demand_claims(self) -> bool:
        """Whether a payload without any claim would be refused."""
        return bool(self.issuers or self.audiences or self.exact or self.required or self.expires) or self.is_timed

    @property
    def is_timed(self) -> bool:
        """Whether the age of a token is limited."""
        return self.max_age_s is not None

    def of_an_older_token(self) -> Self:
        """Return the rules for a token inside of a token: it may be older, and what it has to hold is not the same."""
        return replace(self, required=(), expires=False, max_age_s=None)

    def judge(self, claims: Mapping[str, object], now: datetime) -> Times:
        """Return the token's times.

        Raises:
            Rejected: `claim_wrong`, or one of the codes of timestamps.
        """
        if self.issuers and claims.get("iss") not in self.issuers:
            raise _claim("iss is none of the issuers that are allowed")
        self._judge_audience(claims)
        for name in self.required:
            if name not in claims:
                raise _claim(f"{name} is missing")
        for name, value in self.exact.items():
            if name not in claims or not is_same(claims[name], value):
                raise _claim(f"{name} does not have the value demanded")
        return self._judge_times(claims, require_aware(now))

    def _judge_audience(self, claims: Mapping[str, object]) -> None:
        told = claims.get("aud")
        audiences = told if isinstance(told, list) else [told]
        if "aud" in claims and not self.audiences:
            raise _claim("aud names a receiver; say in the settings which names are yours")
        if self.audiences and not any(one in self.audiences for one in audiences):
            raise _claim("aud names none of the audiences that are yours")

    def _judge_times(self, claims: Mapping[str, object], now: datetime) -> Times:
        leeway = timedelta(seconds=self.leeway_s)
        expiry = _date(claims, "exp", needed=self.expires)
        begin = _date(claims, "nbf")
        issued = _date(claims, "iat", needed=self.is_timed)
        if expiry is not None and now >= expiry + leeway:
            raise Rejected(Code.TIMESTAMP_TOO_OLD, "claim exp has passed")
        if begin is not None and now < begin - leeway:
            raise Rejected(Code.TIMESTAMP_IN_FUTURE, "claim nbf has not come")
        # The time of expiry itself is too late (RFC 7519 section 4.1.4).
        ends = [expiry + leeway - timedelta.resolution] if expiry is not None else []
        if issued is not None and self.max_age_s is not None:
            if now - issued > timedelta(seconds=self.max_age_s):
                raise Rejected(Code.TIMESTAMP_TOO_OLD, f"claim iat is more than {self.max_age_s:g} s ago")
            if issued - now > timedelta(seconds=self.future_s):
                raise Rejected(Code.TIMESTAMP_IN_FUTURE, f"claim iat is more than {self.future_s:g} s ahead")
            ends.append(issued + timedelta(seconds=self.max_age_s))
        return Times(issued, min(ends) if ends else None)


def _date(claims: Mapping[str, object], name: str, *, needed: bool = False) -> datetime | None:
    """Return a NumericDate (RFC 7519 section 2): seconds since 1970, with a fraction or without."""
    value = claims.get(name)
    if name not in claims:
        if needed:
            raise Rejected(Code.TIMESTAMP_MISSING, f"claim {name}")
        return None
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= _MAX_DATE:
        raise Rejected(Code.TIMESTAMP_MALFORMED, f"claim {name} is not a number of seconds")
    return _EPOCH + timedelta(seconds=number)


def _claim(why: str) -> Rejected:
    return Rejected(Code.CLAIM_WRONG, f"claim {why}")


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, f"jws: {why}")
