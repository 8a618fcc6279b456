"""Every preset against one contract. A new preset is one row in `scheme_contract`."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.inbound import Inbound
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.signed import Signed, VerifiedOnce
from tests.contract.scheme_contract import CASES, ID, NEXT, NOW, RETIRED, SECRET, URL, Case, refusal

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


def verdict(case: Case, headers: dict[str, str], now: datetime = NOW) -> VerifiedOnce:
    return case.check().verify(case.inbound(headers), now)


def altered(case: Case, name: str, value: str) -> Inbound:
    return case.inbound(case.headers() | {name: value})


def test_the_contract_knows_every_preset() -> None:
    assert list(CASES) == list(PRESETS)


@every
def test_accepts_a_good_delivery_and_says_what_it_verified(case: Case) -> None:
    said = verdict(case, case.headers())
    assert (said.payload, said.principal, said.secret_id) == (case.body, case.name, SECRET.id)
    assert said.sender_time == (NOW if case.past_s else None)


@every
def test_takes_header_names_in_any_case(case: Case) -> None:
    for spell in (str.upper, str.title):
        said = verdict(case, {spell(name): value for name, value in case.headers().items()})
        assert said.payload == case.body


@every
def test_refuses_a_delivery_without_headers(case: Case) -> None:
    assert refusal(case.check(), case.inbound({})) is Code.CREDENTIAL_MISSING


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


@every
def test_refuses_a_signature_altered_or_cut_at_any_place(case: Case) -> None:
    value = case.headers()[case.header]
    for place in range(len(value)):
        other = "z" if value[place] != "z" else "y"
        cuts = (value[:place], value[place:]) if place else ()
        for text in (value[:place] + other + value[place + 1 :], *cuts):
            assert refusal(case.check(), altered(case, case.header, text)) in NOT_ACCEPTED


@every
@pytest.mark.parametrize("more", ["x", "=", "\x00", "\n", "\t", "v9=", "/"])
def test_refuses_anything_around_the_signature(case: Case, more: str) -> None:
    value = case.headers()[case.header]
    for text in (more + value, value + more):
        assert refusal(case.check(), altered(case, case.header, text)) in NOT_ACCEPTED


@every
@pytest.mark.parametrize("value", ["Ünicode", "\udcff\udc80 lone surrogates", "皇帝", "\xff" * 40, "٣" * 64])
def test_refuses_characters_beyond_ascii_in_every_header_that_it_reads(case: Case, value: str) -> None:
    for name in case.headers():
        wanted = {case.stamp: Code.TIMESTAMP_MALFORMED, "content-type": Code.CREDENTIAL_MISSING}
        assert refusal(case.check(), altered(case, name, value)) is wanted.get(name, Code.CREDENTIAL_MALFORMED)


@every
def test_tells_the_case_of_base64_and_of_item_names_and_not_that_of_hexadecimal(case: Case) -> None:
    headers = case.headers()
    value = headers[case.header]
    swapped = value.swapcase()
    if case.name in PLAIN_HEX:
        assert verdict(case, headers | {case.header: swapped}).payload == case.body
    else:
        assert refusal(case.check(), altered(case, case.header, swapped)) in NOT_ACCEPTED


@every
def test_refuses_a_very_long_signature(case: Case) -> None:
    value = case.headers()[case.header]
    for text in (value * 5_000, (value + " ") * 500, (value + ",") * 500, (value + ";") * 500):
        assert refusal(case.check(), altered(case, case.header, text)) in NOT_ACCEPTED


@every
def test_refuses_a_body_with_any_bit_flipped(case: Case) -> None:
    check, headers = case.check(), case.headers()
    for place in range(len(case.body)):
        other = bytearray(case.body)
        other[place] ^= 1 << (place % 8)
        assert refusal(check, case.inbound(headers, bytes(other))) in NOT_ACCEPTED


@every
@pytest.mark.parametrize("change", [lambda body: b"", lambda body: body + b"\n", lambda body: body[:-1]])
def test_refuses_a_body_that_grew_or_shrank(case: Case, change: object) -> None:
    assert callable(change)
    assert refusal(case.check(), case.inbound(case.headers(), change(case.body))) is Code.CREDENTIAL_WRONG


# Not Twilio: what it signs of a body are the form's pairs, so other bytes are another kind of body there.
@pytest.mark.parametrize("case", [case for case in CASES.values() if case.name != "twilio"], ids=lambda case: case.name)
@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe not text", b"x" * 300_000], ids=["empty", "binary", "large"])
def test_accepts_any_bytes_as_a_body(case: Case, body: bytes) -> None:
    said = case.check().verify(case.inbound(case.headers(body=body), body), NOW)
    assert said.payload == body


@pytest.mark.parametrize("name", ["hubspot-v2", "hubspot-v3", "twilio"])
def test_refuses_another_url_where_the_url_is_signed(name: str) -> None:
    case = CASES[name]
    for url in (URL + "1", URL.replace("/a", "/b"), URL.replace("https", "http"), URL.partition("?")[0], "", "x"):
        inbound = Inbound("POST", url, tuple(case.headers().items()), case.body)
        assert refusal(case.check(), inbound) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("name", ["hubspot-v2", "hubspot-v3"])
def test_refuses_another_method_where_the_method_is_signed(name: str) -> None:
    case = CASES[name]
    for method in ("PUT", "post", "", "\udc80"):
        inbound = Inbound(method, URL, tuple(case.headers().items()), case.body)
        assert refusal(case.check(), inbound) is Code.CREDENTIAL_WRONG


@every
def test_accepts_both_secrets_during_a_rotation_and_names_the_one_used(case: Case) -> None:
    for order in ((SECRET, NEXT), (NEXT, SECRET)):
        for key in (SECRET, NEXT):
            assert case.check(*order).verify(case.inbound(case.headers(key)), NOW).secret_id == key.id


@every
def test_refuses_a_retired_secret(case: Case) -> None:
    assert refusal(case.check(SECRET, NEXT), case.inbound(case.headers(RETIRED))) is Code.CREDENTIAL_WRONG


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
    # Nobody without the key can choose it: it never equals the signature, which an attacker sees.
    assert case.headers()[case.header] not in first.replay_key


@timed
def test_accepts_a_timestamp_exactly_on_either_edge(case: Case) -> None:
    for away_s in (-case.past_s, 300):
        sent = NOW + timedelta(seconds=away_s)
        assert verdict(case, case.headers(at=sent)).sender_time == sent


@timed
def test_refuses_a_timestamp_just_beyond_either_edge(case: Case) -> None:
    old = case.inbound(case.headers(at=NOW - timedelta(seconds=case.past_s)))
    early = case.inbound(case.headers(at=NOW + timedelta(seconds=300)))
    assert refusal(case.check(), old, NOW + timedelta(microseconds=1)) is Code.TIMESTAMP_TOO_OLD
    assert refusal(case.check(), early, NOW - timedelta(microseconds=1)) is Code.TIMESTAMP_IN_FUTURE


@timed
def test_does_not_judge_the_time_of_a_sender_it_does_not_know(case: Case) -> None:
    headers = case.headers(RETIRED, at=NOW - timedelta(days=9))
    assert refusal(case.check(), case.inbound(headers)) is Code.CREDENTIAL_WRONG


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
