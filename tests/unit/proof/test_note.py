"""Signed notes and checkpoints, against published samples."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.proof import note, tree
from connector.proof.keys import PublicKey
from connector.proof.note import Checkpoint
from connector.proof.verdict import Flaw, Refuted
from tests.support.proofs import KEY, ORIGIN, OTHER_KEY, Log

# (verifier key, text, signature line). The first is the note of golang.org/x/mod/sumdb/note's documentation and tests.
# The second has the size, root and signature of the sample in https://c2sp.org/tlog-checkpoint, under the name of
# sum.golang.org, which made it: the sample shows another name, which its signature does not fit.
SAMPLES = [
    (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
    ),
    (
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
    ),
]


def key_of(vkey: str) -> tuple[str, PublicKey]:
    name, _, key = vkey.split("+", 2)
    return name, PublicKey(base64.b64decode(key)[1:])


@pytest.mark.parametrize(("vkey", "text", "line"), SAMPLES)
def test_a_published_note_is_read_and_its_key_is_spelled_alike(vkey: str, text: str, line: str) -> None:
    name, key = key_of(vkey)
    assert note.read(f"{text}\n{line}\n", name, [key]) == text
    assert note.verifier_key(name, key) == vkey


def test_the_published_checkpoint_says_size_and_root() -> None:
    found = note.parse_checkpoint(SAMPLES[1][1])
    assert (found.origin, found.size) == ("go.sum database tree", 20852163)
    assert found.text() == SAMPLES[1][1]


def log_of(number: int) -> Log:
    log = Log()
    for one in range(number):
        log.append(b"%d" % one)
    return log


def test_what_is_signed_is_read_again() -> None:
    log = log_of(7)
    found = note.read_checkpoint(log.checkpoint(), ORIGIN, [OTHER_KEY.public, KEY.public], alone=True)
    assert found == Checkpoint(ORIGIN, 7, tree.root_of(7, log.node))


def test_signatures_of_others_are_ignored_unless_there_may_be_none() -> None:
    ours = log_of(3).checkpoint()
    theirs = log_of(3).checkpoint(key=OTHER_KEY).rpartition("\n\n")[2].replace(ORIGIN, "witness.example.org")
    assert note.read_checkpoint(ours + theirs, ORIGIN, [KEY.public]).size == 3
    with pytest.raises(Refuted) as caught:
        note.read_checkpoint(ours + theirs, ORIGIN, [KEY.public], alone=True)
    assert caught.value.flaw is Flaw.NOTE_MALFORMED


def test_a_wrong_signature_of_a_known_key_spoils_a_good_one_beside_it() -> None:
    good, bad = log_of(3).checkpoint(), log_of(4).checkpoint(key=OTHER_KEY).rpartition("\n\n")[2]
    with pytest.raises(Refuted) as caught:
        note.read_checkpoint(good + bad, ORIGIN, [KEY.public, OTHER_KEY.public])
    assert caught.value.flaw is Flaw.SIGNATURE_WRONG


def signed(text: str, name: str = ORIGIN) -> str:
    return note.sign(text, name, KEY)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (log_of(3).checkpoint(key=OTHER_KEY), Flaw.CHECKPOINT_UNSIGNED),
        (signed(Checkpoint(ORIGIN, 1, bytes(32)).text(), "other.example.com"), Flaw.CHECKPOINT_UNSIGNED),
        (signed(Checkpoint("other.example.com", 1, bytes(32)).text()), Flaw.CHECKPOINT_FOREIGN),
        (signed(Checkpoint(ORIGIN, 1, bytes(31)).text()), Flaw.CHECKPOINT_MALFORMED),
        (signed(f"{ORIGIN}\n01\n{'A' * 43}=\n"), Flaw.CHECKPOINT_MALFORMED),
        (signed(f"{ORIGIN}\n1\n"), Flaw.CHECKPOINT_MALFORMED),
        (signed(f"{ORIGIN}\n1\n{'A' * 42}B=\n"), Flaw.CHECKPOINT_MALFORMED),
        (log_of(3).checkpoint().replace("\n\n", "\n"), Flaw.NOTE_MALFORMED),
        (log_of(3).checkpoint()[:-1], Flaw.NOTE_MALFORMED),
        (log_of(3).checkpoint().replace("—", "-"), Flaw.NOTE_MALFORMED),
        (f"a\n\n— {ORIGIN} AAAA\n", Flaw.NOTE_MALFORMED),
        ("a\n\n" + f"— {ORIGIN} AAAAAAA=\n" * 17, Flaw.NOTE_MALFORMED),
        ("\x00", Flaw.NOTE_MALFORMED),
        ("\ud800", Flaw.NOTE_MALFORMED),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_refused_by_name(text: str, flaw: Flaw) -> None:
    with pytest.raises(Refuted) as caught:
        note.read_checkpoint(text, ORIGIN, [KEY.public])
    assert caught.value.flaw is flaw


@given(st.data())
def test_every_changed_character_of_a_checkpoint_is_found(data: st.DataObject) -> None:
    whole = log_of(9).checkpoint()
    place = data.draw(st.integers(0, len(whole) - 1))
    character = data.draw(st.characters().filter(lambda one: one != whole[place]))
    with pytest.raises(Refuted):
        note.read_checkpoint(f"{whole[:place]}{character}{whole[place + 1 :]}", ORIGIN, [KEY.public], alone=True)


@given(st.text())
@example("\n\n\n")
@example("— a b\n\n— a b\n")
def test_nothing_raises_but_the_verdict(text: str) -> None:
    with pytest.raises(Refuted):
        note.read_checkpoint(text, ORIGIN, [KEY.public])
