"""The tree against published roots and proofs, against the RFC's own definitions, and against another's library."""

from __future__ import annotations

import base64
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from connector.proof import tree
from connector.proof.verdict import Flaw, Refuted
from tests.support.proofs import Log, consistency, mth, path

# The leaves and roots of the Certificate Transparency reference tests: github.com/transparency-dev/merkle,
# testonly/constants.go (LeafInputs, RootHashes).
LEAVES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (index, size, path): the same project's inclusion proofs over these leaves, index counted from 0.
INCLUSIONS: list[tuple[int, int, list[str]]] = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
# (old size, size, path in base64): testdata/consistency/{1,2,3}/happy-path.json of the same project.
CONSISTENCIES = [
    (
        1,
        8,
        [
            "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
            "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
            "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
        ],
    ),
    (
        6,
        8,
        [
            "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
            "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
        ],
    ),
    (2, 5, ["Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=", "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="]),
]
MOST = 33


def log_of(number: int) -> Log:
    log = Log()
    for one in range(number):
        log.append(b"entry %d" % one)
    return log


LOG = log_of(MOST)


def published() -> Log:
    log = Log()
    for one in LEAVES:
        log.append(one)
    return log


def test_the_published_roots_come_out() -> None:
    frontier = tree.Frontier()
    assert frontier.root().hex() == ROOTS[0]
    for number, leaf in enumerate(LEAVES, 1):
        frontier.append(tree.leaf_hash(leaf))
        assert frontier.root().hex() == ROOTS[number]
        assert tree.root_of(number, published().node).hex() == ROOTS[number]


@pytest.mark.parametrize(("index", "size", "steps"), INCLUSIONS)
def test_the_published_inclusion_proofs_come_out_and_hold(index: int, size: int, steps: list[str]) -> None:
    found = tree.inclusion_path(index, size, published().node)
    assert [one.hex() for one in found] == steps
    tree.check_inclusion(tree.leaf_hash(LEAVES[index]), index, size, found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size", "steps"), CONSISTENCIES)
def test_the_published_consistency_proofs_come_out_and_hold(old: int, size: int, steps: list[str]) -> None:
    found = tree.consistency_path(old, size, published().node)
    assert [base64.b64encode(one).decode() for one in found] == steps
    tree.check_consistency(old, bytes.fromhex(ROOTS[old]), size, bytes.fromhex(ROOTS[size]), found)


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_root_and_every_path_is_that_of_the_definition(size: int) -> None:
    entries = LOG.entries[:size]
    root = mth(entries)
    assert tree.root_of(size, LOG.node) == root
    for index in range(size):
        steps = tree.inclusion_path(index, size, LOG.node)
        assert steps == path(index, entries)
        tree.check_inclusion(tree.leaf_hash(entries[index]), index, size, steps, root)
    for old in range(1, size + 1):
        steps = tree.consistency_path(old, size, LOG.node)
        assert steps == consistency(old, entries)
        tree.check_consistency(old, mth(entries[:old]), size, root, steps)


def test_the_roots_are_those_of_an_independent_library() -> None:
    other = InmemoryTree(algorithm="sha256")
    for size, entry in enumerate(LOG.entries, 1):
        other.append_entry(entry)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert other.get_root(size) == tree.root_of(size, LOG.node)


def test_a_kept_frontier_goes_on_where_it_was_left() -> None:
    for size in range(MOST):
        resumed = tree.Frontier(size, [LOG.node(one) for one in tree.peaks(size)])
        completed = resumed.append(tree.leaf_hash(LOG.entries[size]))
        assert completed == LOG.completed[size]
        assert resumed.root() == mth(LOG.entries[: size + 1])


def test_an_empty_log_is_the_beginning_of_every_log_and_of_no_shorter_one() -> None:
    tree.check_consistency(0, tree.EMPTY_ROOT, 5, mth(LOG.entries[:5]), [])
    for old, size in ((6, 5), (1, 0), (-1, 5)):
        with pytest.raises(Refuted) as caught:
            tree.check_consistency(old, mth(LOG.entries[:old]), size, mth(LOG.entries[:size]), [])
        assert caught.value.flaw is Flaw.CONSISTENCY_WRONG


hashes = st.binary(min_size=32, max_size=32)


@given(st.data())
def test_no_other_inclusion_is_shown(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    root, steps = tree.root_of(size, LOG.node), tree.inclusion_path(index, size, LOG.node)
    leaf = tree.leaf_hash(LOG.entries[index])
    other_index = data.draw(st.integers(-1, MOST + 1))
    other_leaf = data.draw(st.one_of(st.just(leaf), hashes))
    other_steps = data.draw(st.one_of(st.just(steps), st.lists(st.one_of(hashes, st.sampled_from([leaf, *steps])))))
    if (other_index, other_leaf, other_steps) == (index, leaf, steps):
        tree.check_inclusion(other_leaf, other_index, size, other_steps, root)
        return
    with pytest.raises(Refuted) as caught:
        tree.check_inclusion(other_leaf, other_index, size, other_steps, root)
    assert caught.value.flaw is Flaw.INCLUSION_WRONG


@given(st.data())
def test_no_other_consistency_is_shown(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    old = data.draw(st.integers(1, size))
    roots = tree.root_of(old, LOG.node), tree.root_of(size, LOG.node)
    steps = tree.consistency_path(old, size, LOG.node)
    old_root = data.draw(st.one_of(st.just(roots[0]), hashes))
    given_steps = data.draw(st.one_of(st.just(steps), st.lists(st.one_of(hashes, st.sampled_from([*roots, *steps])))))
    if (old_root, given_steps) == (roots[0], steps):
        tree.check_consistency(old, old_root, size, roots[1], given_steps)
        return
    with pytest.raises(Refuted) as caught:
        tree.check_consistency(old, old_root, size, roots[1], given_steps)
    assert caught.value.flaw is Flaw.CONSISTENCY_WRONG
