"""What every check has to do, written once and run over every way of signing. A new one is a module in `subjects/`.

Where a rule does not apply to a subject, its own data say why: no header carries anything, no time is covered.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.inbound import Inbound
from connector.model import Verified
from tests.contract import subjects as package
from tests.contract.subjects.subject import CURRENT, NEXT, NOW, RETIRED, Sent, Subject

TIMES: Final = {Code.TIMESTAMP_TOO_OLD, Code.TIMESTAMP_IN_FUTURE}
#: Values shorter than this are pieces of words that a message may hold by chance.
SHOWN_BY_CHANCE: Final = 12


def found() -> Iterator[Subject]:
    for module in sorted(one.name for one in pkgutil.iter_modules(package.__path__)):
        yield from getattr(importlib.import_module(f"{package.__name__}.{module}"), "SUBJECTS", ())


SUBJECTS: Final = {one.name: one for one in found()}
every = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))


def those(rule: str) -> pytest.MarkDecorator:
    chosen = [one for one in SUBJECTS.values() if getattr(one, rule)]
    return pytest.mark.parametrize("subject", chosen, ids=[one.name for one in chosen])


def good(subject: Subject, key: str = CURRENT, at: datetime = NOW) -> Sent:
    return subject.send(key, subject.content, at)


def refusal(subject: Subject, sent: Sent | Inbound, now: datetime = NOW, keys: tuple[str, ...] = (CURRENT,)) -> Code:
    """Return the code of the refusal, after looking at what each refusal owes us."""
    inbound = sent.inbound() if isinstance(sent, Sent) else sent
    with pytest.raises(Rejected) as caught:
        subject.verifier(*keys).verify(inbound, now)
    assert_says_nothing(caught.value, inbound)
    return caught.value.code


def assert_says_nothing(error: Rejected, inbound: Inbound) -> None:
    assert error.entry.status == 401
    for _, value in inbound.headers:
        assert len(value) < SHOWN_BY_CHANCE or value not in str(error)
    body = inbound.body.decode(errors="replace")
    assert len(body) < SHOWN_BY_CHANCE or body not in str(error)
    # What a library said may quote what it was given; it must not travel along for a log to show.
    assert error.__context__ is None or error.__suppress_context__


def with_header(sent: Sent, name: str, value: str) -> Sent:
    return replace(sent, headers={**sent.headers, name: value})


def without_header(sent: Sent, name: str) -> Sent:
    return replace(sent, headers={other: value for other, value in sent.headers.items() if other != name})


@every
def test_accepts_a_good_delivery_and_says_what_it_verified(subject: Subject) -> None:
    said = subject.verifier(CURRENT).verify(good(subject).inbound(), NOW)
    assert said.payload == subject.content
    assert subject.secret_id(CURRENT) in said.secret_ids
    assert said.principal
    assert len(said.principal) <= 40
    if subject.window_s:
        assert said.replay_key
        assert said.replay_until is not None


@every
def test_takes_header_names_in_any_case(subject: Subject) -> None:
    sent = good(subject)
    for spell in (str.upper, str.lower, str.title):
        spelled = replace(sent, headers={spell(name): value for name, value in sent.headers.items()})
        assert subject.verifier(CURRENT).verify(spelled.inbound(), NOW).payload == subject.content


@those("credentials")
def test_refuses_a_delivery_without_headers(subject: Subject) -> None:
    assert refusal(subject, replace(good(subject), headers={})) in {Code.CREDENTIAL_MISSING, Code.TIMESTAMP_MISSING}


@those("credentials")
def test_refuses_each_header_missing_empty_or_doubled(subject: Subject) -> None:
    sent = good(subject)
    for name in subject.credentials:
        value = sent.headers[name]
        refusal(subject, without_header(sent, name))
        for nothing in ("", " ", "\t", "\xa0"):
            refusal(subject, with_header(sent, name, nothing))
        for joint in (",", ", "):
            for doubled in (value + joint + value, value + joint + "other", "other" + joint + value):
                if name not in subject.lists:
                    refusal(subject, with_header(sent, name, doubled))
        inbound = sent.inbound()
        for second in (value, "other"):
            line = (name.upper(), second)
            refusal(subject, replace(inbound, headers=(*inbound.headers, line)))
            refusal(subject, replace(inbound, headers=(line, *inbound.headers)))


@those("credentials")
def test_refuses_each_header_altered_or_cut_at_any_place(subject: Subject) -> None:
    sent = good(subject)
    for name in subject.credentials:
        value = sent.headers[name]
        for place in range(len(value)):
            other = "z" if value[place] != "z" else "y"
            refusal(subject, with_header(sent, name, value[:place] + other + value[place + 1 :]))
            if place:
                refusal(subject, with_header(sent, name, value[:place]))
                refusal(subject, with_header(sent, name, value[place:]))


@those("credentials")
@pytest.mark.parametrize("more", ["x", "=", ",", "\x00", "\n", "\udc80", "%", "/"])
def test_refuses_anything_around_a_header(subject: Subject, more: str) -> None:
    sent = good(subject)
    for name in subject.credentials:
        for text in (more + sent.headers[name], sent.headers[name] + more):
            refusal(subject, with_header(sent, name, text))


@those("credentials")
@pytest.mark.parametrize(
    "value",
    [
        "Ünicode-is-not-in-headers",
        "\udcff\udc80 lone surrogates",
        "皇帝",
        "\xff" * 40,
        "٣" * 64,
        "%%% not base64 %%%",
        ".",
    ],
)
def test_refuses_what_is_no_ascii_or_no_base64(subject: Subject, value: str) -> None:
    for name in subject.credentials:
        refusal(subject, with_header(good(subject), name, value))


@those("credentials")
def test_refuses_a_very_long_header(subject: Subject) -> None:
    sent = good(subject)
    for name in subject.credentials:
        value = sent.headers[name]
        for text in (value * 5_000, (value + " ") * 500, (value + ",") * 500, (value + ";") * 500, "." * 100_000):
            refusal(subject, with_header(sent, name, text))


@those("credentials")
def test_tells_the_case_of_a_value_unless_it_is_hexadecimal(subject: Subject) -> None:
    sent = good(subject)
    for name in subject.credentials:
        swapped = with_header(sent, name, sent.headers[name].swapcase())
        if swapped == sent or name in subject.ignores_case:
            assert subject.verifier(CURRENT).verify(swapped.inbound(), NOW).payload == subject.content
        else:
            refusal(subject, swapped)


@those("covers_body")
def test_refuses_a_body_with_any_bit_flipped(subject: Subject) -> None:
    sent = good(subject)
    ignored = subject.ignores(sent.body)
    for place in range(len(sent.body)):
        if any(start <= place < end for start, end in ignored):
            continue
        altered = bytearray(sent.body)
        altered[place] ^= 1 << (place % 8)
        assert_not_believed(subject, replace(sent, body=bytes(altered)))


@those("covers_body")
@pytest.mark.parametrize(
    "change",
    [lambda body: b"", lambda body: body + b"\n", lambda body: body[:-1], lambda body: b"\xef\xbb\xbf" + body],
    ids=["empty", "longer", "shorter", "byte order mark"],
)
def test_refuses_a_body_that_grew_or_shrank(subject: Subject, change: object) -> None:
    assert callable(change)
    sent = good(subject)
    assert_not_believed(subject, replace(sent, body=change(sent.body)))


def assert_not_believed(subject: Subject, sent: Sent) -> None:
    """Either a refusal, or (a format that carries its content within) exactly the content that was signed."""
    try:
        said = subject.verifier(CURRENT).verify(sent.inbound(), NOW)
    except Rejected as error:
        assert_says_nothing(error, sent.inbound())
    else:
        assert said.payload == subject.content != sent.body


@every
def test_accepts_both_keys_during_a_rotation_and_names_the_one_used(subject: Subject) -> None:
    for keys in ((CURRENT, NEXT), (NEXT, CURRENT)):
        for key in keys:
            said = subject.verifier(*keys).verify(good(subject, key).inbound(), NOW)
            assert subject.secret_id(key) in said.secret_ids


@every
def test_refuses_a_retired_key(subject: Subject) -> None:
    code = refusal(subject, good(subject, RETIRED), keys=(CURRENT, NEXT))
    assert code in {Code.CREDENTIAL_WRONG, Code.KEY_UNKNOWN}


@those("window_s")
def test_does_not_judge_the_time_of_a_sender_it_does_not_know(subject: Subject) -> None:
    for away in (timedelta(days=-9), timedelta(days=9)):
        assert refusal(subject, good(subject, RETIRED, NOW + away)) not in TIMES


@those("window_s")
def test_accepts_a_time_exactly_on_either_edge_and_refuses_it_just_beyond(subject: Subject) -> None:
    assert subject.window_s is not None
    past_s, future_s = subject.window_s
    old, early = (good(subject, at=NOW + timedelta(seconds=away)) for away in (-past_s, future_s))
    step = timedelta(microseconds=1)
    for sent in (old, early):
        assert subject.verifier(CURRENT).verify(sent.inbound(), NOW).payload == subject.content
    assert refusal(subject, old, NOW + step) is Code.TIMESTAMP_TOO_OLD
    assert refusal(subject, early, NOW - step) is Code.TIMESTAMP_IN_FUTURE


@those("window_s")
def test_says_until_when_the_same_delivery_would_be_accepted(subject: Subject) -> None:
    sent = good(subject)
    until = subject.verifier(CURRENT).verify(sent.inbound(), NOW).replay_until
    assert until is not None
    assert isinstance(subject.verifier(CURRENT).verify(sent.inbound(), until), Verified)
    assert refusal(subject, sent, until + timedelta(microseconds=1)) in TIMES


@every
def test_the_replay_key_is_that_of_the_delivery_and_gives_nothing_away(subject: Subject) -> None:
    sent = good(subject)
    first, again = (subject.verifier(CURRENT).verify(sent.inbound(), NOW).replay_key for _ in range(2))
    assert first == again
    assert not first or not any(value in first for value in sent.headers.values() if len(value) > 40)


@every
def test_shows_neither_key_nor_delivery_in_a_repr(subject: Subject) -> None:
    check, sent = subject.verifier(CURRENT), good(subject)
    shown = repr(check) + repr(sent.inbound()) + repr(check.verify(sent.inbound(), NOW))
    for value in (*sent.headers.values(), sent.body.decode(errors="replace"), subject.content.decode()):
        assert len(value) < SHOWN_BY_CHANCE or value not in shown


@pytest.mark.parametrize(
    ("subject", "what"),
    [pytest.param(one, what, id=f"{one.name}-{what}") for one in SUBJECTS.values() for what in one.confused],
)
def test_refuses_what_only_looks_genuine(subject: Subject, what: str) -> None:
    refusal(subject, subject.confused[what]())


@pytest.mark.parametrize(
    ("subject", "what"),
    [pytest.param(one, what, id=f"{one.name}-{what}") for one in SUBJECTS.values() for what in one.misconfigured],
)
def test_refuses_at_the_start_what_could_not_protect_or_never_match(subject: Subject, what: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        subject.misconfigured[what]()
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.detail


names = sorted({name for one in SUBJECTS.values() for name in good(one).headers} | {"Host", "Content-Length"})
values = sorted({value for one in SUBJECTS.values() for value in good(one).headers.values()})
wild = st.text(st.characters(), max_size=80)
pieces = st.lists(
    st.sampled_from([*values, ".", ",", " ", "=", ";", "Bearer ", "v1,", "sig1=", "eyJhbGciOiJub25lIn0", '"', "(", ")"])
    | wild,
    max_size=4,
).map("".join)
lines = st.lists(st.tuples(st.sampled_from(names) | wild, pieces), max_size=8).map(tuple)
bodies = (
    st.binary(max_size=120)
    | st.sampled_from([good(one).body for one in SUBJECTS.values()])
    | pieces.map(lambda text: text.encode(errors="surrogatepass"))
)


@settings(max_examples=120, deadline=None)
@given(
    headers=lines,
    body=bodies,
    url=wild | st.just("https://[::1"),
    method=wild | st.just("POST"),
    days=st.integers(-20_000, 20_000),
)
def test_whatever_arrives_there_is_a_verdict_or_a_401(
    headers: tuple[tuple[str, str], ...], body: bytes, url: str, method: str, days: int
) -> None:
    inbound = Inbound(method, url, headers, body, "192.0.2.1")
    for subject in SUBJECTS.values():
        try:
            said = CHECKS[subject.name].verify(inbound, NOW + timedelta(days=days))
        except Rejected as error:
            assert_says_nothing(error, inbound)
        else:
            # By chance the generator puts a good delivery together; then it is one.
            assert said.payload in (body, *(one.content for one in SUBJECTS.values()))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_good_delivery_with_one_part_replaced_is_refused_or_the_same(data: st.DataObject) -> None:
    for subject in SUBJECTS.values():
        sent = good(subject)
        if subject.credentials:
            name = data.draw(st.sampled_from(subject.credentials))
            value = data.draw(wild | pieces)
            # The same content may have more than one good signature, and the generator knows one of each subject.
            if value.strip().lower() != sent.headers[name].lower() and value not in values:
                refusal(subject, with_header(sent, name, value))
        elif subject.covers_body:
            assert_not_believed(subject, replace(sent, body=data.draw(st.binary(max_size=200))))


CHECKS: Final = {name: one.verifier(CURRENT, NEXT) for name, one in SUBJECTS.items()}
