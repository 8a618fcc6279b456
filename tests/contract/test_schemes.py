"""What is particular to presets: reason codes, timestamps, lists of signatures, keys. Every check shares the rest."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.private import Secret
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.signed import Signed
from tests.contract.subjects.schemes import (
    CASES,
    ID,
    NEXT,
    NOW,
    RETIRED,
    SECRET,
    SUBJECTS,
    URL,
    Case,
    refusal,
    subject_by_its_row,
)

NOT_ACCEPTED = {
    Code.CREDENTIAL_MISSING,
    Code.CREDENTIAL_MALFORMED,
    Code.CREDENTIAL_WRONG,
    Code.TIMESTAMP_MISSING,
    Code.TIMESTAMP_MALFORMED,
}
PLAIN_HEX = {"segment", "ketch", "webflow", "consentforge", "cookiewise", "hubspot-v1", "hubspot-v2", "onetrust-hmac"}
every = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
timed = pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.past_s], ids=[name for name, case in CASES.items() if case.past_s]
)
with_stamp = pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.stamp], ids=[name for name, case in CASES.items() if case.stamp]
)


def verdict(case: Case, headers: dict[str, str], now: datetime = NOW) -> Verified:
    return case.check().verify(case.inbound(headers), now)


def altered(case: Case, name: str, value: str) -> Inbound:
    return case.inbound(case.headers() | {name: value})


def test_the_contract_runs_over_every_preset() -> None:
    assert set(PRESETS) <= {one.name for one in SUBJECTS}


@pytest.mark.parametrize("name", ["github", "stripe", "slack", "standard-webhooks", "hubspot-v2", "webflow"])
def test_a_new_preset_needs_no_sender_here_to_be_run_through_the_contract(name: str) -> None:
    subject = subject_by_its_row(replace(PRESETS[name], name="new"))
    sent = subject.send("current", subject.content, NOW)
    assert subject.verifier("current", "next").verify(sent.inbound(), NOW).payload == subject.content
    for header in subject.credentials:
        altered = Inbound("POST", URL, tuple((sent.headers | {header: "x"}).items()), sent.body)
        with pytest.raises(Rejected):
            subject.verifier("current").verify(altered, NOW)


@every
def test_accepts_a_good_delivery_and_says_what_it_verified(case: Case) -> None:
    said = verdict(case, case.headers())
    assert (said.payload, said.principal, said.secret_id) == (case.body, case.name, SECRET.id)
    assert said.sender_time == (NOW if case.past_s else None)


@every
def test_refuses_each_header_missing_or_empty(case: Case) -> None:
    good = case.headers()
    for name in good:
        wanted = Code.TIMESTAMP_MISSING if name == case.stamp else Code.CREDENTIAL_MISSING
        rest = {other: value for other, value in good.items() if other != name}
        assert refusal(case.check(), case.inbound(rest)) is wanted
        for nothing in ("", " ", "\t"):
            assert refusal(case.check(), altered(case, name, nothing)) is wanted


@every
def test_refuses_each_header_that_came_twice_even_if_both_are_good(case: Case) -> None:
    good = tuple(case.headers().items())
    for name, value in good:
        wanted = {case.stamp: Code.TIMESTAMP_MALFORMED, "content-type": Code.CREDENTIAL_MISSING}
        for second in (value, "other"):
            for doubled in ((*good, (name.upper(), second)), ((name.upper(), second), *good)):
                inbound = Inbound("POST", URL, doubled, case.body)
                assert refusal(case.check(), inbound) is wanted.get(name, Code.CREDENTIAL_MALFORMED)


@pytest.mark.parametrize("name", ["hubspot-v2", "hubspot-v3", "twilio"])
def test_refuses_another_url_where_the_url_is_signed(name: str) -> None:
    case = CASES[name]
    for url in (
        URL + "1",
        URL.replace("/privacy", "/other"),
        URL.replace("https", "http"),
        URL.partition("?")[0],
        "",
        "x",
    ):
        inbound = Inbound("POST", url, tuple(case.headers().items()), case.body)
        assert refusal(case.check(), inbound) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("name", ["hubspot-v2", "hubspot-v3"])
def test_refuses_another_method_where_the_method_is_signed(name: str) -> None:
    case = CASES[name]
    for method in ("PUT", "post", "", "\udc80"):
        inbound = Inbound(method, URL, tuple(case.headers().items()), case.body)
        assert refusal(case.check(), inbound) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if PRESETS[case.name].algorithm.hash_name], ids=lambda case: case.name
)
def test_compares_every_secret_even_after_a_match(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    genuine = hmac.compare_digest

    def count(left: bytes, right: bytes) -> bool:
        nonlocal compared
        compared += 1
        return bool(genuine(left, right))

    check, inbound = case.check(SECRET, NEXT, RETIRED), case.inbound(case.headers())
    monkeypatch.setattr("hmac.compare_digest", count)
    check.verify(inbound, NOW)
    assert compared == 3 * len(PRESETS[case.name].urls(inbound))


@every
def test_shows_no_secret_in_its_repr_and_no_content_of_a_delivery(case: Case) -> None:
    inbound = case.inbound(case.headers())
    shown = repr(case.check()) + repr(inbound)
    for hidden in (case.configured(SECRET), case.headers()[case.header], "7f3a", "tenant=7"):
        assert hidden not in shown


@every
def test_the_replay_key_stays_the_same_for_the_same_delivery_and_holds_no_secret(case: Case) -> None:
    first, again = verdict(case, case.headers()), case.check(NEXT, SECRET).verify(case.inbound(case.headers()), NOW)
    assert first.replay_key == again.replay_key
    by_id = case.name in {"standard-webhooks", "standard-webhooks-v1a", "svix"}
    assert (first.replay_key == f"id:{ID}") == by_id
    # Nothing tells a delivery without time and id from the same one sent again on purpose.
    assert bool(first.replay_key) == bool(case.past_s)
    # Nobody without the key can choose it: it never equals the signature, which an attacker sees.
    assert case.headers()[case.header] not in first.replay_key


@with_stamp
def test_refuses_a_fresh_timestamp_beside_an_old_signature(case: Case) -> None:
    headers = case.headers(at=NOW - timedelta(days=9)) | {case.stamp: case.headers()[case.stamp]}
    assert refusal(case.check(), case.inbound(headers)) is Code.CREDENTIAL_WRONG


@with_stamp
@pytest.mark.parametrize(
    "text",
    [
        *("{0},{0}", " {0}", "{0}\n", "+{0}", "-{0}", "{0}.0", "{0}e0", "0x5F", "1_7", "2026-11-02T09:14:33Z", "NaN"),
        pytest.param("9" * 15, id="15_digits"),
        pytest.param("9" * 10_000, id="10000_digits"),
    ],
)
def test_refuses_a_timestamp_that_is_not_plain_digits_of_sane_length(case: Case, text: str) -> None:
    stamp = text.format(case.headers()[case.stamp])
    assert refusal(case.check(), altered(case, case.stamp, stamp)) is Code.TIMESTAMP_MALFORMED


@pytest.mark.parametrize(("name", "item"), [("stripe", "t"), ("paddle", "ts")])
def test_refuses_a_timestamp_item_that_is_missing_doubled_or_no_number(name: str, item: str) -> None:
    case = CASES[name]
    joint = PRESETS[name].grammar.separator  # type: ignore[union-attr]
    stamp, signature = case.headers()[case.header].split(joint)
    for text, code in (
        (signature, Code.TIMESTAMP_MISSING),
        (joint.join((f"{item}=", signature)), Code.TIMESTAMP_MISSING),
        (joint.join((stamp, stamp, signature)), Code.TIMESTAMP_MALFORMED),
        (joint.join((f"{item}=soon", signature)), Code.TIMESTAMP_MALFORMED),
        (joint.join((stamp.upper(), signature)), Code.TIMESTAMP_MISSING),
        (stamp, Code.CREDENTIAL_MALFORMED),
    ):
        assert refusal(case.check(), altered(case, case.header, text)) is code


@pytest.mark.parametrize("name", ["standard-webhooks", "standard-webhooks-v1a", "svix", "stripe", "paddle"])
def test_one_good_signature_among_others_suffices_wherever_it_stands(name: str) -> None:
    case = CASES[name]
    old, new = case.headers(RETIRED)[case.header], case.headers()[case.header]
    if name in {"stripe", "paddle"}:
        joint = PRESETS[name].grammar.separator  # type: ignore[union-attr]
        old = old.partition(joint)[2]
        orders = [new + joint + old, new + joint + "v0=abc", new.replace(joint, joint + old + joint, 1)]
    else:
        orders = [f"{old} {new}", f"{new} {old}", f"v9,x {new}", f"{new} junk"]
    for text in orders:
        assert case.check().verify(altered(case, case.header, text), NOW).secret_id == SECRET.id


@every
def test_refuses_keys_that_are_missing_empty_or_weak_and_names_them_by_their_id(case: Case) -> None:
    good = Secret(case.configured(SECRET), "env:GOOD")
    with pytest.raises(Misconfigured, match="no secret"):
        Signed(PRESETS[case.name], ())
    for weak in ("", "   ", "fifteen-chars-x", "AAAAAAAAAAA=", "\udc80" * 40, "whsec_", "whpk_"):
        with pytest.raises(Misconfigured, match="env:WEAK") as caught:
            Signed(PRESETS[case.name], (good, Secret(weak, "env:WEAK")))
        assert caught.value.code is Code.CONFIG_INVALID
        assert len(weak) < 10 or weak not in str(caught.value)


@every
def test_an_hmac_made_with_a_public_key_is_never_accepted(case: Case) -> None:
    """The classical confusion: a public key is known to everybody, so it must never become a shared secret."""
    if PRESETS[case.name].algorithm.hash_name:
        pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END-----"
        for public in (pem, SECRET.whpk()):
            with pytest.raises(Misconfigured, match="env:PUBLIC"):
                Signed(PRESETS[case.name], (Secret(public, "env:PUBLIC"),))
        return
    for text in (case.configured(SECRET), case.configured(SECRET).removeprefix("whpk_")):
        hashed = hmac.digest(text.encode(), case.body, "sha256").hex()
        for claim in (hashed, f"v1,{hashed}", f"v1a,{hashed}"):
            assert refusal(case.check(), altered(case, case.header, claim)) in NOT_ACCEPTED


@pytest.mark.parametrize("name", ["standard-webhooks-v1a", "sendgrid"])
def test_a_private_key_in_the_place_of_a_public_one_is_refused_at_the_start(name: str) -> None:
    for text in ("whsk_" + "A" * 86, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(Misconfigured, match="private key"):
            Signed(PRESETS[name], (Secret(text, "env:KEY"),))


def test_the_header_does_not_choose_the_algorithm() -> None:
    symmetric, asymmetric = CASES["standard-webhooks"], CASES["standard-webhooks-v1a"]
    for case, other in ((symmetric, asymmetric), (asymmetric, symmetric)):
        headers = case.headers() | {case.header: other.headers()[other.header]}
        assert refusal(case.check(), case.inbound(headers)) is Code.CREDENTIAL_MALFORMED


def test_sha1_and_digests_are_used_by_the_rows_that_name_them_only() -> None:
    weak = {name for name, row in PRESETS.items() if row.algorithm in {Algorithm.HMAC_SHA1, Algorithm.DIGEST_SHA256}}
    assert weak == {"segment", "twilio", "hubspot-v1", "hubspot-v2"}
    for name in PRESETS.keys() - weak:
        with pytest.raises(Misconfigured, match="SHA-1"):
            replace(PRESETS[name], algorithm=Algorithm.HMAC_SHA1)
