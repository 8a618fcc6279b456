"""Which signature of a message counts, what it has to cover, and until when."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from http_message_signatures import HTTPMessageVerifier

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.message.key import SenderKey
from connector.verify.message.signature import MessageSignature
from tests.contract.subjects.message_sender import (
    ATTACKER,
    DEFAULT,
    ED25519,
    HMAC,
    P256,
    P384,
    Draft,
    both,
    by,
    changed,
    digest_of,
    good,
)
from tests.contract.subjects.message_signature import of_ids
from tests.contract.subjects.subject import CONTENT, CURRENT, NEXT, NOW, URL, Sent

CHECK = of_ids(ED25519)(CURRENT)


def code(check: MessageSignature, sent: Sent | Inbound, now: datetime = NOW) -> Code:
    with pytest.raises(Rejected) as caught:
        check.verify(sent.inbound() if isinstance(sent, Sent) else sent, now)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.code


def passes(check: MessageSignature, sent: Sent | Inbound) -> bool:
    message = sent.inbound() if isinstance(sent, Sent) else sent
    return check.verify(message, NOW).payload == message.body


def test_one_good_signature_among_those_of_others_suffices_wherever_it_stands() -> None:
    mine, foreign = good(Draft(label="a")), good(Draft(label="b"), name=ATTACKER)
    assert passes(CHECK, both(mine, foreign))
    assert passes(CHECK, both(foreign, mine))
    for small in (good(Draft(('"@method"',), label="c")), good(Draft(parameters={"expires": "1"}, label="d"))):
        assert passes(CHECK, both(small, mine))
        assert passes(CHECK, both(mine, small))


def test_the_labels_of_signatures_do_not_matter() -> None:
    for label in ("sig1", "*", "a-very.long_label*1"):
        assert passes(CHECK, good(Draft(label=label)))


def test_of_two_keys_known_the_good_signature_is_named() -> None:
    check = MessageSignature((ED25519.key("key-current", CURRENT), P256.key("other", "second")))
    wrong = Draft(label="b").sent(by(P256, ATTACKER), "other")
    assert check.verify(both(wrong, good()).inbound(), NOW).secret_ids == ("test:current",)
    right = Draft(label="b").sent(by(P256, "second"), "other")
    assert check.verify(right.inbound(), NOW).secret_ids == ("test:second",)


def test_what_the_sender_can_mend_is_said_rather_than_what_others_did() -> None:
    late = good(Draft(label="b"), at=NOW - timedelta(hours=1))
    assert code(CHECK, both(good(Draft(('"@method"',))), late)) is Code.TIMESTAMP_TOO_OLD


def test_signatures_may_come_on_lines_of_their_own() -> None:
    mine, foreign = good(Draft(label="a")), good(Draft(label="b"), name=ATTACKER)
    more = tuple((name, foreign.headers[name]) for name in ("Signature-Input", "Signature"))
    message = mine.inbound()
    assert passes(CHECK, replace(message, headers=(*message.headers, *more)))
    assert passes(CHECK, replace(message, headers=(*more, *message.headers)))


def test_the_tag_chooses_among_signatures_of_the_same_key() -> None:
    check = of_ids(ED25519, tag="erasures")(CURRENT)
    tagged = good(Draft(parameters={"tag": '"erasures"'}, label="a"))
    other = good(Draft(parameters={"tag": '"something-else"'}, label="b"))
    assert passes(check, both(other, tagged))
    assert code(check, other) is Code.CLAIM_WRONG
    assert passes(CHECK, other)


@pytest.mark.parametrize(
    "target",
    [
        ('"@target-uri"',),
        ('"@authority"', '"@path"', '"@query"'),
        ('"@query"', '"@authority"', '"@path"'),
        ('"@authority"', '"@request-target"'),
        ('"@target-uri"', '"@scheme"', '"@path"'),
    ],
)
def test_the_target_may_be_covered_as_a_whole_or_in_parts(target: tuple[str, ...]) -> None:
    assert passes(CHECK, good(Draft(('"@method"', *target, '"content-digest"'))))


@pytest.mark.parametrize(
    ("component", "line"),
    [
        ('"content-digest"', digest_of(CONTENT)),
        ('"content-digest";sf', digest_of(CONTENT)),
        ('"content-digest";bs', f":{base64.b64encode(digest_of(CONTENT).encode()).decode()}:"),
        ('"content-digest";key="sha-256"', digest_of(CONTENT).partition("=")[2]),
        ('"content-digest";key="sha-256";sf', digest_of(CONTENT).partition("=")[2]),
    ],
)
def test_the_digest_may_be_covered_in_any_notation(component: str, line: str) -> None:
    assert passes(CHECK, good(Draft((*DEFAULT[:2], component), lines={component: line})))


def test_a_covered_member_of_the_digest_does_not_let_another_one_be_added() -> None:
    component = '"content-digest";key="sha-256"'
    sent = good(Draft((*DEFAULT[:2], component), lines={component: digest_of(CONTENT).partition("=")[2]}))
    agreeing = f"{digest_of(CONTENT)}, {digest_of(CONTENT, 'sha-512')}"
    assert passes(CHECK, changed(sent, Content_Digest=agreeing))
    other = f"{digest_of(CONTENT)}, {digest_of(b'other', 'sha-512')}"
    assert code(CHECK, changed(sent, Content_Digest=other)) is Code.BODY_DIGEST_WRONG


def test_digests_that_we_do_not_know_are_passed_over() -> None:
    for field in (f"md5=:AAAA:, {digest_of(CONTENT)}", f"{digest_of(CONTENT)}, unixsum=26869, sha;q=1"):
        assert passes(CHECK, good(Draft(headers={"Content-Digest": field})))


def test_an_empty_body_has_a_digest_too() -> None:
    sent = good(content=b"")
    assert CHECK.verify(sent.inbound(), NOW).payload == b""
    assert code(CHECK, replace(sent, body=CONTENT)) is Code.BODY_DIGEST_WRONG
    bare = good(Draft(DEFAULT[:2]), content=b"").headers
    without = Sent({name: value for name, value in bare.items() if name != "Content-Digest"}, b"")
    assert code(CHECK, without) is Code.CLAIM_WRONG


def test_further_components_can_be_demanded() -> None:
    check = MessageSignature(CHECK.keys, (*CHECK.components, "content-type", '"@query-param";name="tenant"'))
    full = (*DEFAULT, '"content-type"', '"@query-param";name="tenant"')
    lines = {'"@query-param";name="tenant"': "7"}
    assert passes(check, good(Draft(full, lines=lines)))
    assert code(check, good(Draft(full[:-1]))) is Code.CLAIM_WRONG
    assert code(check, good()) is Code.CLAIM_WRONG


def test_fields_are_signed_as_rfc_9421_section_2_1_joins_them() -> None:
    component = (*DEFAULT, '"x-dict"')
    sent = good(Draft(component, headers={"X-Dict": "a=1"}, lines={'"x-dict"': "a=1, b=2"}))
    message = sent.inbound()
    assert passes(CHECK, replace(message, headers=(*message.headers, ("x-dict", "  b=2\t"))))
    assert code(CHECK, replace(message, headers=(("x-dict", "b=2"), *message.headers))) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    ("component", "header", "line"),
    [
        ('"x-dict";key="b"', "a=1,   b=2;x=1;y=2", "2;x=1;y=2"),
        ('"priority";sf', "u=1,i", "u=1, i"),
        ('"x-note";bs', " two  blanks", ":dHdvICBibGFua3M=:"),
    ],
)
def test_component_parameters_of_section_2_1_are_understood(component: str, header: str, line: str) -> None:
    name = component.split('"')[1]
    assert passes(CHECK, good(Draft((*DEFAULT, component), headers={name: header}, lines={component: line})))


def test_the_address_is_the_configured_one_whatever_host_says() -> None:
    for host in ("other.example.org", "connector.example.com:8443", ""):
        assert passes(CHECK, good(Draft(headers={"Host": host, "X-Forwarded-Host": host})))


def test_the_authority_is_compared_in_lower_case_and_without_the_default_port() -> None:
    parts = ('"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"')
    sent = good(Draft(parts))
    for spelled in (URL.replace("connector.", "CONNECTOR."), URL.replace(".com/", ".com:443/")):
        assert passes(CHECK, replace(sent, url=spelled))
    assert code(CHECK, replace(sent, url=URL.replace(".com/", ".com:8443/"))) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("kind", [ED25519, P256, P384, HMAC], ids=lambda kind: kind.algorithm)
def test_an_alg_that_is_that_of_the_key_is_welcome(kind: object) -> None:
    draft = Draft(parameters={"alg": f'"{kind.algorithm}"'})
    assert passes(of_ids(kind)(CURRENT), good(draft, kind))


@pytest.mark.parametrize(
    ("expires_s", "until_s"),
    [(None, 300), (120, 120), (300, 300), (9_000, 300)],
    ids=["none", "first", "same", "later"],
)
def test_a_delivery_can_be_replayed_until_the_window_or_expires_ends(expires_s: int | None, until_s: int) -> None:
    parameters = {} if expires_s is None else {"expires": str(int(NOW.timestamp()) + expires_s)}
    until = CHECK.verify(good(Draft(parameters=parameters)).inbound(), NOW).replay_until
    assert until == NOW + timedelta(seconds=until_s)


def test_a_nonce_tells_the_delivery_else_the_time_and_the_parts_that_were_signed() -> None:
    def replay_key(draft: Draft, at: datetime = NOW, key: SenderKey | None = None) -> str:
        check = MessageSignature((key,)) if key else CHECK
        return check.verify(draft.sent(by(ED25519), (key or CHECK.keys[0]).id, CONTENT, at).inbound(), NOW).replay_key

    once, later = Draft(parameters={"nonce": '"n-1"'}), NOW + timedelta(seconds=9)
    assert replay_key(once) == replay_key(once, later) != replay_key(Draft(parameters={"nonce": '"n-2"'}))
    assert replay_key(once) != replay_key(once, key=ED25519.key("another-id", CURRENT))
    assert replay_key(Draft()) == replay_key(Draft()) != replay_key(Draft(), later)
    assert replay_key(Draft(parameters={"nonce": '""'})).startswith("sha256:")
    *parts, _ = Draft().base(CONTENT, NOW, "key-current").split(b"\n")
    told = b"\n".join((NOW.isoformat().encode(), *sorted(parts)))
    assert replay_key(Draft()) == f"sha256:{hashlib.sha256(told).hexdigest()}"
    assert "n-1" not in replay_key(once)


def test_of_a_message_signed_with_two_keys_either_signature_alone_is_the_same_delivery() -> None:
    check = of_ids(ED25519)(CURRENT, NEXT)
    one, other = good(Draft(label="a")), good(Draft(tuple(reversed(DEFAULT)), label="b"), name=NEXT)
    said = [check.verify(sent.inbound(), NOW) for sent in (both(one, other), both(other, one), one, other)]
    assert {verdict.secret_ids for verdict in said} == {("test:current",), ("test:next",)}
    assert len({verdict.replay_key for verdict in said}) == 1


def test_a_secret_out_of_its_time_is_said_to_be_so() -> None:
    def key(**window: datetime) -> MessageSignature:
        secret = Secret(ED25519.configured(CURRENT), "test:current", **window)
        return MessageSignature((SenderKey("key-current", ED25519.algorithm, (secret,)),))

    assert passes(key(not_before=NOW, not_after=NOW), good())
    assert code(key(not_after=NOW - timedelta(seconds=1)), good()) is Code.CREDENTIAL_EXPIRED
    assert code(key(not_before=NOW + timedelta(seconds=1)), good()) is Code.CREDENTIAL_EXPIRED


def test_no_clock_is_read_but_the_one_passed_in() -> None:
    for year in (1971, 2100):
        then = datetime(year, 6, 1, tzinfo=UTC)
        assert CHECK.verify(good(at=then).inbound(), then).sender_time == then


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.replace("==:", ":"),
        lambda value: value[:-4] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[value[-4]] + value[-3:],
    ],
    ids=["no padding", "stray bits"],
)
def test_a_signature_has_one_spelling(spoil: Callable[[str], str]) -> None:
    sent = good()
    assert code(CHECK, changed(sent, Signature=spoil(sent.headers["Signature"]))) is Code.CREDENTIAL_MALFORMED


def test_a_header_that_is_too_long_is_not_read() -> None:
    sent = good()
    for name in ("Signature-Input", "Signature"):
        long = f"{sent.headers[name]}, x=:{'A' * 20_000}:"
        assert code(CHECK, replace(sent, headers={**sent.headers, name: long})) is Code.CREDENTIAL_MALFORMED
    digests = f"{digest_of(CONTENT)}, x=:{'A' * 20_000}:"
    assert code(CHECK, good(Draft(headers={"Content-Digest": digests}))) is Code.CREDENTIAL_MALFORMED


def test_a_signature_that_covers_very_much_is_not_read() -> None:
    names = [f"x-{number}" for number in range(70)]
    draft = Draft((*DEFAULT, *(f'"{name}"' for name in names)), headers=dict.fromkeys(names, "1"))
    assert code(CHECK, good(draft)) is Code.CREDENTIAL_MALFORMED
    assert passes(CHECK, good(replace(draft, components=draft.components[:64])))


def test_a_fault_of_the_library_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (ValueError("quotes the message"), TypeError(), OverflowError()):

        def fails(*_: object, fault: Exception = fault, **__: object) -> None:
            raise fault

        monkeypatch.setattr(HTTPMessageVerifier, "verify", fails)
        assert code(CHECK, good()) is Code.CREDENTIAL_MALFORMED


def test_a_parameter_that_stands_twice_is_not_read() -> None:
    for more in (f"{int(NOW.timestamp())};created=1", f"1;created={int(NOW.timestamp())}"):
        assert code(CHECK, good(Draft(parameters={"created": more}))) is Code.CREDENTIAL_MALFORMED
