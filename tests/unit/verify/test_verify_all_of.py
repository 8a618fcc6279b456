from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.private import Secret
from connector.verify import AllOf, Bearer, StaticHeader

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
BODY = b'{"eventId": "1"}'
FIRST = Secret("correct-horse-battery-staple", "env:FIRST")
SECOND = Secret("tr0ub4dor-and-three-more-words", "env:SECOND")
CHECKS = (StaticHeader("X-OneTrust-Secret", (FIRST,)), Bearer((SECOND,)))
GOOD = {"x-onetrust-secret": FIRST.reveal(), "authorization": f"Bearer {SECOND.reveal()}"}


@dataclass(frozen=True)
class Saying:
    """A check that vouches for a part of the body only, as a signed token in the body would."""

    payload: bytes
    sent_at: datetime | None = None

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:
        return Verified(self.payload, "token", "jwks:1", self.sent_at)


def test_accepts_only_what_every_check_accepts() -> None:
    assert AllOf(CHECKS).verify("POST", GOOD, BODY, NOW) == Verified(BODY, "header+bearer", "env:FIRST + env:SECOND")


@pytest.mark.parametrize("header", sorted(GOOD))
@pytest.mark.parametrize("order", list(permutations(CHECKS)), ids=["in_order", "reversed"])
def test_one_refusal_is_enough_in_any_order(header: str, order: tuple[StaticHeader | Bearer, ...]) -> None:
    headers = {name: value for name, value in GOOD.items() if name != header}
    with pytest.raises(Rejected) as caught:
        AllOf(order).verify("POST", headers, BODY, NOW)
    assert caught.value.code is Code.CREDENTIAL_MISSING


def test_refuses_an_empty_list() -> None:
    with pytest.raises(Misconfigured, match="at least one check") as caught:
        AllOf(())
    assert caught.value.code is Code.CONFIG_INVALID


def test_a_check_that_vouches_for_a_part_narrows_what_is_parsed() -> None:
    verdict = AllOf((CHECKS[1], Saying(b"{}", NOW))).verify("POST", GOOD, BODY, NOW)
    assert verdict == Verified(b"{}", "bearer+token", "env:SECOND + jwks:1", NOW)


def test_refuses_checks_that_vouch_for_different_parts() -> None:
    with pytest.raises(Rejected) as caught:
        AllOf((Saying(b"{}"), Saying(b"[]"))).verify("POST", GOOD, BODY, NOW)
    assert caught.value.code is Code.CREDENTIAL_WRONG


def test_cuts_the_ids_of_the_secrets_to_what_the_record_holds() -> None:
    long = tuple(Bearer((Secret(SECOND.reveal(), f"file:/{letter * 150}"),)) for letter in "ab")
    assert len(AllOf(long).verify("POST", GOOD, BODY, NOW).secret_id) == 200
