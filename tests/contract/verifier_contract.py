"""What every check has to do, written once. A kind of check joins in by one subclass in `test_verifiers.py`.

The senders of these tests are written against the RFCs with the standard library and share no code with the checks.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.model import Verified
from connector.ports import Verifier
from connector.private import Secret

NOW = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
BODY = b'{"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"}'
SECRET = Secret("correct-horse-battery-staple", "env:CURRENT")
NEXT = Secret("tr0ub4dor-and-three-more-words", "env:NEXT")
RETIRED = Secret("an-old-secret-that-was-retired", "env:RETIRED")

Headers = dict[str, str]


@dataclass(frozen=True)
class Kind:
    """One kind of check under test.

    Attributes:
        make: builds the check from live secrets; `spell` is applied to the header names in its settings.
        send: what a sender with this secret puts into the headers, in lower case as they reach a check.
        header: the one that carries the credential.
        principal: how the verdict calls the check.
    """

    make: Callable[[tuple[Secret, ...], Callable[[str], str]], Verifier]
    send: Callable[[Secret, bytes, datetime], Headers]
    header: str
    principal: str

    def check(self, *secrets: Secret, spell: Callable[[str], str] = str) -> Verifier:
        return self.make(secrets or (SECRET,), spell)

    def headers(self, secret: Secret = SECRET, body: bytes = BODY, at: datetime = NOW) -> Headers:
        return self.send(secret, body, at)


def refusal(check: Verifier, headers: Headers, body: bytes = BODY, now: datetime = NOW) -> Code:
    """Return the code of the refusal, after looking at what each refusal owes us."""
    with pytest.raises(Rejected) as caught:
        check.verify("POST", headers, body, now)
    assert caught.value.entry.status == 401
    for value in headers.values():
        # Shorter ones are pieces of words that a message may hold by chance.
        assert len(value) < 12 or value not in str(caught.value)
    return caught.value.code


class VerifierContract:
    """For every kind."""

    kind: Kind

    def test_accepts_a_good_delivery_and_says_what_it_verified(self) -> None:
        verdict = self.kind.check().verify("POST", self.kind.headers(), BODY, NOW)
        assert (verdict.payload, verdict.principal, verdict.secret_id) == (BODY, self.kind.principal, "env:CURRENT")

    @pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe not text", b"x" * 300_000], ids=["empty", "binary", "large"])
    def test_accepts_any_bytes_as_a_body(self, body: bytes) -> None:
        verdict = self.kind.check().verify("POST", self.kind.headers(body=body), body, NOW)
        assert verdict.payload == body

    def test_accepts_its_header_however_the_settings_spell_the_name(self) -> None:
        for spell in (str.upper, str.lower, str.title):
            verdict = self.kind.check(spell=spell).verify("POST", self.kind.headers(), BODY, NOW)
            assert isinstance(verdict, Verified)

    def test_refuses_a_delivery_without_headers(self) -> None:
        assert refusal(self.kind.check(), {}) is Code.CREDENTIAL_MISSING

    def test_refuses_a_missing_credential(self) -> None:
        headers = self.kind.headers()
        del headers[self.kind.header]
        assert refusal(self.kind.check(), headers) is Code.CREDENTIAL_MISSING

    @pytest.mark.parametrize("nothing", ["", " ", "\t", "\xa0"], ids=["empty", "blank", "tab", "no_break_space"])
    def test_refuses_an_empty_credential(self, nothing: str) -> None:
        headers = self.kind.headers() | {self.kind.header: nothing}
        assert refusal(self.kind.check(), headers) is Code.CREDENTIAL_MISSING

    def test_refuses_a_credential_altered_at_any_place(self) -> None:
        good = self.kind.headers()
        value = good[self.kind.header]
        for place, character in enumerate(value):
            other = "z" if character != "z" else "y"
            altered = value[:place] + other + value[place + 1 :]
            code = refusal(self.kind.check(), good | {self.kind.header: altered})
            assert code in (Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED)

    def test_refuses_a_credential_cut_at_any_place(self) -> None:
        good = self.kind.headers()
        value = good[self.kind.header]
        for length in range(1, len(value)):
            for part in (value[:length], value[length:]):
                code = refusal(self.kind.check(), good | {self.kind.header: part})
                assert code in (Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED)

    @pytest.mark.parametrize("more", ["x", "=", ",", " ", "\x00", "\n", "\udc80"])
    def test_refuses_anything_around_the_credential(self, more: str) -> None:
        good = self.kind.headers()
        value = good[self.kind.header]
        for altered in (more + value, value + more):
            code = refusal(self.kind.check(), good | {self.kind.header: altered})
            assert code in (Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED)

    @pytest.mark.parametrize("joint", [",", ", "])
    def test_refuses_a_header_sent_twice_even_if_both_are_good(self, joint: str) -> None:
        good = self.kind.headers()
        value = good[self.kind.header]
        for doubled in (value + joint + value, value + joint + "other", "other" + joint + value):
            code = refusal(self.kind.check(), good | {self.kind.header: doubled})
            assert code in (Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED)

    @pytest.mark.parametrize(
        "value", ["Ünicode-is-not-in-headers", "\udcff\udc80 lone surrogates", "皇帝", "\xff" * 40]
    )
    def test_refuses_a_credential_beyond_ascii(self, value: str) -> None:
        headers = self.kind.headers() | {self.kind.header: value}
        assert refusal(self.kind.check(), headers) is Code.CREDENTIAL_MALFORMED

    def test_refuses_a_very_long_credential(self) -> None:
        headers = self.kind.headers()
        headers[self.kind.header] += headers[self.kind.header] * 5_000
        assert refusal(self.kind.check(), headers) in (Code.CREDENTIAL_WRONG, Code.CREDENTIAL_MALFORMED)

    def test_accepts_both_secrets_during_a_rotation_and_names_the_one_used(self) -> None:
        for order in ((SECRET, NEXT), (NEXT, SECRET)):
            check = self.kind.check(*order)
            for secret in (SECRET, NEXT):
                assert check.verify("POST", self.kind.headers(secret), BODY, NOW).secret_id == secret.id

    def test_refuses_a_retired_secret(self) -> None:
        assert refusal(self.kind.check(SECRET, NEXT), self.kind.headers(RETIRED)) is Code.CREDENTIAL_WRONG

    def test_compares_every_secret_even_after_a_match(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compared = 0
        genuine = hmac.compare_digest

        def count(left: bytes, right: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bool(genuine(left, right))

        monkeypatch.setattr("hmac.compare_digest", count)
        self.kind.check(SECRET, NEXT, RETIRED).verify("POST", self.kind.headers(), BODY, NOW)
        assert compared == 3

    def test_refuses_to_be_built_without_a_secret(self) -> None:
        with pytest.raises(Misconfigured) as caught:
            self.kind.make((), str)
        assert caught.value.code is Code.CONFIG_INVALID

    @pytest.mark.parametrize("value", ["", "fifteen-chars-x", " " * 3], ids=["empty", "short", "blank"])
    def test_refuses_to_be_built_with_a_weak_secret_and_names_it_by_its_id(self, value: str) -> None:
        with pytest.raises(Misconfigured, match="env:WEAK") as caught:
            self.kind.make((SECRET, Secret(value, "env:WEAK")), str)
        assert caught.value.code is Code.CONFIG_INVALID
        assert not value.strip() or value not in str(caught.value)

    def test_refuses_to_be_built_with_a_secret_that_is_not_utf8(self) -> None:
        with pytest.raises(Misconfigured, match="env:BROKEN"):
            self.kind.make((Secret("a-secret-with-\udc80-inside", "env:BROKEN"),), str)

    def test_shows_no_secret_in_its_repr(self) -> None:
        assert SECRET.reveal() not in repr(self.kind.check())


class SharedValueContract(VerifierContract):
    """For checks that vouch for the caller only.

    Nothing of the signed contract applies: no part of the body and no time is covered, as this shows.
    """

    def test_says_nothing_about_the_body_or_the_time(self) -> None:
        check, headers = self.kind.check(), self.kind.headers()
        verdict = check.verify("POST", headers, b"another body", NOW + timedelta(days=1))
        assert (verdict.payload, verdict.sender_time) == (b"another body", None)


class SignedContract(VerifierContract):
    """For checks that cover the body."""

    def test_refuses_a_body_with_any_bit_flipped(self) -> None:
        check, headers = self.kind.check(), self.kind.headers()
        for place in range(len(BODY)):
            altered = bytearray(BODY)
            altered[place] ^= 1 << (place % 8)
            assert refusal(check, headers, bytes(altered)) is Code.CREDENTIAL_WRONG

    @pytest.mark.parametrize("body", [b"", BODY + b" ", BODY + b"\n", BODY[:-1], b"\xef\xbb\xbf" + BODY])
    def test_refuses_a_body_that_grew_or_shrank(self, body: bytes) -> None:
        assert refusal(self.kind.check(), self.kind.headers(), body) is Code.CREDENTIAL_WRONG


class TimedContract(SignedContract):
    """For checks that cover a timestamp. The tolerance under test is 300 s."""

    stamp = "x-onetrust-timestamp"
    unit = "seconds"

    def test_tells_the_senders_time(self) -> None:
        sent = NOW - timedelta(seconds=12)
        verdict = self.kind.check().verify("POST", self.kind.headers(at=sent), BODY, NOW)
        assert verdict.sender_time == sent

    @pytest.mark.parametrize("away_s", [-300, 300], ids=["oldest", "most_future"])
    def test_accepts_a_timestamp_exactly_on_either_edge(self, away_s: int) -> None:
        headers = self.kind.headers(at=NOW + timedelta(seconds=away_s))
        assert isinstance(self.kind.check().verify("POST", headers, BODY, NOW), Verified)

    def test_refuses_a_timestamp_just_beyond_the_past_edge(self) -> None:
        headers = self.kind.headers(at=NOW - timedelta(seconds=300))
        late = NOW + timedelta(microseconds=1)
        assert refusal(self.kind.check(), headers, now=late) is Code.TIMESTAMP_TOO_OLD

    def test_refuses_a_timestamp_just_beyond_the_future_edge(self) -> None:
        headers = self.kind.headers(at=NOW + timedelta(seconds=300))
        early = NOW - timedelta(microseconds=1)
        assert refusal(self.kind.check(), headers, now=early) is Code.TIMESTAMP_IN_FUTURE

    def test_refuses_a_replay_of_yesterday_and_a_stamp_of_tomorrow(self) -> None:
        day = timedelta(days=1)
        assert refusal(self.kind.check(), self.kind.headers(at=NOW - day)) is Code.TIMESTAMP_TOO_OLD
        assert refusal(self.kind.check(), self.kind.headers(at=NOW + day)) is Code.TIMESTAMP_IN_FUTURE

    def test_refuses_a_fresh_timestamp_beside_an_old_signature(self) -> None:
        fresh = self.kind.headers(at=NOW)[self.stamp]
        headers = self.kind.headers(at=NOW - timedelta(days=1)) | {self.stamp: fresh}
        assert refusal(self.kind.check(), headers) is Code.CREDENTIAL_WRONG

    def test_does_not_judge_the_time_of_a_sender_it_does_not_know(self) -> None:
        headers = self.kind.headers(RETIRED, at=NOW - timedelta(days=1))
        assert refusal(self.kind.check(), headers) is Code.CREDENTIAL_WRONG

    def test_refuses_a_missing_timestamp(self) -> None:
        headers = self.kind.headers()
        del headers[self.stamp]
        assert refusal(self.kind.check(), headers) is Code.TIMESTAMP_MISSING

    @pytest.mark.parametrize("text", ["", "  "])
    def test_refuses_an_empty_timestamp(self, text: str) -> None:
        assert refusal(self.kind.check(), self.kind.headers() | {self.stamp: text}) is Code.TIMESTAMP_MISSING

    @pytest.mark.parametrize(
        "text",
        [
            "{0},{0}",
            "{0}, {0}",
            " {0}",
            "{0}\n",
            "+{0}",
            "-{0}",
            "{0}.0",
            "{0}e0",
            "0x5F",
            "1_767_258_000",
            "2026-11-02T09:14:33Z",
            "٣٤٥٦٧٨٩٠",
            "²³",
            "NaN",
            "\udc80",
            pytest.param("9" * 15, id="15_digits"),
            pytest.param("9" * 10_000, id="10000_digits"),
        ],
    )
    def test_refuses_a_timestamp_that_is_not_plain_digits_of_sane_length(self, text: str) -> None:
        good = self.kind.headers()
        headers = good | {self.stamp: text.format(good[self.stamp])}
        assert refusal(self.kind.check(), headers) is Code.TIMESTAMP_MALFORMED
