from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.combine import AllOf, AnyOf
from connector.verify.shared import Bearer, StaticHeader

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
    replay_key: str = ""
    until: datetime | None = None

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        return Verified(self.payload, "token", ("jwks:1",), self.sent_at, self.replay_key, self.until)


def call(headers: dict[str, str]) -> Inbound:
    return Inbound("POST", "", tuple(headers.items()), BODY, "192.0.2.10")


@dataclass(frozen=True)
class Failing:
    """A check that cannot be made, or refuses."""

    error: ConnectorError

    def verify(self, inbound: Inbound, now: datetime) -> Verified:
        raise self.error


def test_accepts_only_what_every_check_accepts() -> None:
    assert AllOf(CHECKS).verify(call(GOOD), NOW) == Verified(BODY, "header+bearer", ("env:FIRST", "env:SECOND"))


@pytest.mark.parametrize("header", sorted(GOOD))
@pytest.mark.parametrize("order", list(permutations(CHECKS)), ids=["in_order", "reversed"])
def test_one_refusal_is_enough_in_any_order(header: str, order: tuple[StaticHeader | Bearer, ...]) -> None:
    headers = {name: value for name, value in GOOD.items() if name != header}
    with pytest.raises(Rejected) as caught:
        AllOf(order).verify(call(headers), NOW)
    assert caught.value.code is Code.CREDENTIAL_MISSING


def test_refuses_an_empty_list() -> None:
    with pytest.raises(Misconfigured, match="at least one check") as caught:
        AllOf(())
    assert caught.value.code is Code.CONFIG_INVALID


def test_a_check_that_vouches_for_a_part_narrows_what_is_parsed() -> None:
    verdict = AllOf((CHECKS[1], Saying(b"{}", NOW))).verify(call(GOOD), NOW)
    assert verdict == Verified(b"{}", "bearer+token", ("env:SECOND", "jwks:1"), NOW)


def test_refuses_checks_that_vouch_for_different_parts() -> None:
    with pytest.raises(Rejected) as caught:
        AllOf((Saying(b"{}"), Saying(b"[]"))).verify(call(GOOD), NOW)
    assert caught.value.code is Code.CREDENTIAL_WRONG


def test_cuts_the_ids_of_the_secrets_to_what_the_record_holds() -> None:
    long = tuple(Bearer((Secret(SECOND.reveal(), f"file:/{letter * 150}"),)) for letter in "ab")
    assert len(AllOf(long).verify(call(GOOD), NOW).secret_id) == 200


def test_takes_the_replay_keys_of_all_and_the_earliest_end() -> None:
    later, sooner = NOW + timedelta(seconds=9), NOW + timedelta(seconds=5)
    checks = (Saying(BODY, NOW, "id:1", later), CHECKS[1], Saying(BODY, NOW, "jti:2", sooner))
    verdict = AllOf(checks).verify(call(GOOD), NOW)
    assert (verdict.replay_key, verdict.replay_until) == ("id:1+jti:2", sooner)


def test_cuts_the_names_of_many_checks_to_what_the_record_holds() -> None:
    many = tuple(StaticHeader("X-OneTrust-Secret", (FIRST,)) if n % 2 else CHECKS[1] for n in range(20))
    assert len(AllOf(many).verify(call(GOOD), NOW).principal) <= 40


WRONG = Failing(Rejected(Code.CREDENTIAL_WRONG))
MISSING = Failing(Rejected(Code.CREDENTIAL_MISSING))
ENDED = Failing(Rejected(Code.CREDENTIAL_EXPIRED, secret_id="env:OLD"))
UNAVAILABLE = Failing(Temporary(Code.KEYS_UNAVAILABLE))


@pytest.mark.parametrize("order", list(permutations((WRONG, MISSING, UNAVAILABLE, Saying(b"{}")))))
def test_one_of_any_is_enough_wherever_it_stands(order: tuple[Failing | Saying, ...]) -> None:
    assert AnyOf(order).verify(call({}), NOW).payload == b"{}"


@pytest.mark.parametrize("order", list(permutations((WRONG, MISSING, UNAVAILABLE))))
def test_a_check_that_could_not_be_made_lets_the_sender_repeat(order: tuple[Failing, ...]) -> None:
    with pytest.raises(Temporary):
        AnyOf(order).verify(call({}), NOW)


@pytest.mark.parametrize("order", list(permutations((WRONG, MISSING))))
def test_of_several_refusals_the_one_that_says_most_counts(order: tuple[Failing, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        AnyOf(order).verify(call({}), NOW)
    assert caught.value.code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("order", list(permutations((WRONG, MISSING, ENDED))))
def test_a_secret_whose_time_is_over_is_told_although_another_check_did_not_match(order: tuple[Failing, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        AnyOf(order).verify(call({}), NOW)
    assert (caught.value.code, caught.value.secret_id) == (Code.CREDENTIAL_EXPIRED, "env:OLD")


def test_any_of_tries_every_check_also_after_one_has_passed() -> None:
    tried: list[str] = []

    @dataclass(frozen=True)
    class Noting:
        name: str

        def verify(self, inbound: Inbound, now: datetime) -> Verified:
            tried.append(self.name)
            return Verified(inbound.body, self.name, ())

    assert AnyOf((Noting("a"), Noting("b"))).verify(call({}), NOW).principal == "a"
    assert tried == ["a", "b"]
