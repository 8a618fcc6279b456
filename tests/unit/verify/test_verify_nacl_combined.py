"""The Data Rights Protocol's signed message: its vectors, the order of its checks, its time."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from nacl.encoding import HexEncoder
from nacl.signing import SigningKey

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.nacl_combined import Agent, NaclCombined
from tests.contract.subjects.nacl_combined import (
    AGENT,
    CONTENT,
    CURRENT,
    MESSAGE,
    NOW,
    OTHER,
    US,
    Sent,
    of,
    send,
    sent,
    signing_key,
    token,
    tokens,
    verify_key,
)

VECTORS: Final = json.loads((Path(__file__).parents[2] / "vectors" / "nacl-combined.json").read_text())
CHECK: Final = of(CURRENT)
ISSUED: Final = datetime(2026, 11, 2, 9, 14, tzinfo=UTC)
EXPIRES: Final = datetime(2026, 11, 2, 9, 24, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=[one["name"] for one in VECTORS[kind]])


def with_key(text: str, **more: Any) -> NaclCombined:
    return NaclCombined((Agent(AGENT, tokens("shared"), (Secret(text, "vector"),)),), frozenset({US}), **more)


def code(check: NaclCombined, message: Sent | Inbound, now: datetime = NOW) -> Code:
    with pytest.raises(Rejected) as caught:
        check.verify(message.inbound() if isinstance(message, Sent) else message, now)
    return caught.value.code


def saying(**changes: Any) -> Sent:
    claims = {**MESSAGE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return send(CURRENT, json.dumps(claims).encode(), NOW)


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@named("combined")
def test_opens_what_libsodium_signs_and_only_then_looks_at_the_message(vector: dict[str, str]) -> None:
    check, signed = with_key(vector["verify_key"]), bytes.fromhex(vector["signed"])
    # The messages of RFC 8032 are no JSON: that this is what is wrong shows that the signature was found good.
    with pytest.raises(Rejected) as caught:
        check.verify(sent(signed).inbound(), NOW)
    assert (caught.value.code, "JSON" in caught.value.detail) == (Code.CREDENTIAL_MALFORMED, True)
    for place in range(len(signed)):
        altered = bytearray(signed)
        altered[place] ^= 1 << place % 8
        assert code(check, sent(bytes(altered))) is Code.CREDENTIAL_WRONG


@named("messages")
def test_accepts_a_whole_message_made_by_another_program(vector: dict[str, str]) -> None:
    message = Sent({"Authorization": f"Bearer {token('shared')}"}, vector["body"].encode())
    said = with_key(vector["verify_key"]).verify(message.inbound(), NOW)
    assert said.payload == vector["message"].encode()
    assert said.secret_ids == ("token:shared", "vector")
    assert said.principal == "nacl-combined"


def test_every_vector_says_where_it_comes_from() -> None:
    assert all(one["origin"] for kind in VECTORS.values() for one in kind)


def test_a_key_may_be_written_in_hexadecimal_as_before_version_0_9_1() -> None:
    for spell in (str.lower, str.upper):
        text = spell(signing_key(CURRENT).verify_key.encode(HexEncoder).decode())
        assert with_key(text).verify(send(CURRENT, CONTENT, NOW).inbound(), NOW).secret_ids[1] == "vector"


@pytest.mark.parametrize("wrap", [60, 64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_base64_may_be_broken_into_lines(wrap: int, end: str) -> None:
    good = send(CURRENT, CONTENT, NOW)
    text = good.body.decode()
    lines = end.join([text[start : start + wrap] for start in range(0, len(text), wrap)]) + end
    assert CHECK.verify(replace(good, body=lines.encode()).inbound(), NOW).payload == CONTENT


def test_the_checks_follow_in_the_order_of_section_3_07() -> None:
    # Everything is wrong; mended one by one, from the first check to the last.
    wrong = {"agent_id": "X", "business_id": "X", "issued_at": at(NOW + timedelta(hours=1)), "expires_at": at(ISSUED)}
    message = json.dumps({**MESSAGE, **{name.replace("_", "-"): value for name, value in wrong.items()}}).encode()
    forged = sent(bytes(SigningKey.generate().sign(message)))
    assert code(CHECK, replace(forged, headers={})) is Code.CREDENTIAL_MISSING
    assert code(CHECK, replace(forged, body=b"%")) is Code.CREDENTIAL_MALFORMED
    assert code(CHECK, forged) is Code.CREDENTIAL_WRONG
    seen = [code(CHECK, saying(**wrong))]
    details = []
    for name in list(wrong)[:3]:
        del wrong[name]
        with pytest.raises(Rejected) as caught:
            CHECK.verify(saying(**wrong).inbound(), NOW)
        seen.append(caught.value.code)
        details.append(caught.value.detail)
    assert seen == [Code.CLAIM_WRONG, Code.CLAIM_WRONG, Code.TIMESTAMP_IN_FUTURE, Code.TIMESTAMP_TOO_OLD]
    assert "business-id" in details[0]


def test_a_message_counts_from_issued_at_until_expires_at_both_included() -> None:
    exact = of(CURRENT)
    exact = NaclCombined(exact.agents, exact.business_ids, tolerance_s=0)
    message = send(CURRENT, CONTENT, NOW)
    for moment in (ISSUED, EXPIRES):
        assert exact.verify(message.inbound(), moment).replay_until == EXPIRES
    assert code(exact, message, ISSUED - TICK) is Code.TIMESTAMP_IN_FUTURE
    assert code(exact, message, EXPIRES + TICK) is Code.TIMESTAMP_TOO_OLD


def test_the_tolerance_is_for_an_agent_whose_clock_is_ahead_and_for_nothing_else() -> None:
    message = send(CURRENT, CONTENT, NOW)
    early = ISSUED - timedelta(seconds=30)
    assert CHECK.verify(message.inbound(), early).sender_time == ISSUED
    assert code(CHECK, message, early - TICK) is Code.TIMESTAMP_IN_FUTURE
    assert code(CHECK, message, EXPIRES + TICK) is Code.TIMESTAMP_TOO_OLD


def test_a_message_may_not_be_valid_for_longer_than_the_settings_say() -> None:
    longest = timedelta(seconds=630)
    assert CHECK.verify(saying(expires_at=at(ISSUED + longest)).inbound(), NOW).payload
    assert code(CHECK, saying(expires_at=at(ISSUED + longest + TICK))) is Code.CLAIM_WRONG
    patient = NaclCombined(CHECK.agents, CHECK.business_ids, max_lifetime_s=900)
    assert patient.verify(saying(expires_at=at(ISSUED + timedelta(seconds=930))).inbound(), NOW).payload


@pytest.mark.parametrize(
    "text", ["2026-11-02T10:14:00+01:00", "2026-11-02T09:14:00.000001Z", "2026-11-02T03:44:00-05:30"]
)
def test_times_may_have_any_offset(text: str) -> None:
    said = CHECK.verify(saying(issued_at=text).inbound(), NOW)
    assert said.sender_time is not None
    assert said.sender_time - ISSUED in (timedelta(0), TICK)


def test_the_same_request_in_a_message_of_a_later_date_is_another_delivery() -> None:
    first, again = (CHECK.verify(send(CURRENT, CONTENT, NOW).inbound(), NOW).replay_key for _ in range(2))
    later = CHECK.verify(saying(issued_at=at(ISSUED + TICK)).inbound(), NOW).replay_key
    assert first == again != later


def test_two_agents_each_with_a_token_and_a_key_of_their_own() -> None:
    theirs = json.dumps({**MESSAGE, "agent-id": OTHER.id}).encode()
    said = CHECK.verify(sent(bytes(signing_key("other").sign(theirs)), "other").inbound(), NOW)
    assert said.secret_ids == ("token:other", "test:other")
    assert code(CHECK, sent(bytes(signing_key("other").sign(theirs)))) is Code.CREDENTIAL_WRONG


def test_a_business_with_several_ids_is_known_by_each() -> None:
    both = NaclCombined(CHECK.agents, frozenset({US, "EXAMPLE_BRAND"}))
    for one in (US, "EXAMPLE_BRAND"):
        assert both.verify(saying(business_id=one).inbound(), NOW).payload


def test_tokens_and_keys_have_times_of_their_own() -> None:
    key = verify_key(CURRENT).reveal()

    def check(token_ends: datetime, key_ends: datetime) -> NaclCombined:
        given = Secret(token("shared"), "token", not_after=token_ends)
        return NaclCombined((Agent(AGENT, (given,), (Secret(key, "key", not_after=key_ends),)),), frozenset({US}))

    message = send(CURRENT, CONTENT, NOW)
    assert check(NOW, NOW).verify(message.inbound(), NOW).secret_ids == ("token", "key")
    for ended in (check(NOW - TICK, NOW), check(NOW, NOW - TICK)):
        assert code(ended, message) is Code.CREDENTIAL_EXPIRED


def test_agrees_with_libsodium_on_altered_messages() -> None:
    good = base64.b64decode(send(CURRENT, CONTENT, NOW).body)
    for place in range(0, len(good), 7):
        altered = bytearray(good)
        altered[place] ^= 0x40
        assert code(CHECK, sent(bytes(altered))) is Code.CREDENTIAL_WRONG
