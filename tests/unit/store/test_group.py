"""Whoever waits for the disk shares one commit; nobody is forgotten, whatever happens to the one who writes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Rejected, Temporary
from connector.store.group import GroupCommit

Outcome = str | ConnectorError
WAIT_S = 20.0


class Disk:
    """Carries out items; the first commit is held up until it is told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.fault: BaseException | None = None

    def carry_out(self, items: Sequence[str]) -> list[Outcome]:
        self.batches.append(list(items))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go_on.wait(WAIT_S)
            if self.fault is not None:
                raise self.fault
        return [Rejected(Code.EVENT_CONFLICT) if "bad" in one else f"{one} stored" for one in items]


class Senders:
    """Threads that each put one item, in order: the next starts once the one before waits."""

    def __init__(self, group: GroupCommit[str, str], disk: Disk) -> None:
        self.group = group
        self.disk = disk
        self.told: dict[str, str | BaseException] = {}
        self.threads: list[threading.Thread] = []

    def put(self, *items: str) -> None:
        for item in items:
            thread = threading.Thread(target=self._put, args=(item,))
            self.threads.append(thread)
            thread.start()
            if len(self.threads) == 1:
                assert self.disk.begun.wait(WAIT_S)
            else:
                self._until_it_waits(len(self.threads) - 1)

    def _until_it_waits(self, number: int) -> None:
        asked = threading.Event()
        while len(self.group._waiting) < number and not asked.wait(0.001):
            assert self.threads[-1].is_alive() or self.told

    def _put(self, item: str) -> None:
        try:
            self.told[item] = self.group.put(item, self.disk.carry_out)
        except BaseException as error:  # noqa: BLE001 - what ends a thread is what is looked at
            self.told[item] = error

    def end(self) -> dict[str, str | BaseException]:
        self.disk.go_on.set()
        for one in self.threads:
            one.join(WAIT_S)
            assert not one.is_alive()
        return self.told


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_a_single_item_waits_for_nobody(disk: Disk) -> None:
    disk.go_on.set()
    assert GroupCommit[str, str]().put("a", disk.carry_out) == "a stored"
    assert disk.batches == [["a"]]


def test_those_that_wait_meanwhile_share_the_next_commit_in_their_order(disk: Disk) -> None:
    senders = Senders(GroupCommit(), disk)
    senders.put("a", "b", "c", "d")
    assert senders.end() == {one: f"{one} stored" for one in "abcd"}
    assert disk.batches == [["a"], ["b", "c", "d"]]


def test_one_that_is_refused_disturbs_nobody(disk: Disk) -> None:
    senders = Senders(GroupCommit(), disk)
    senders.put("a", "b", "bad", "c")
    told = senders.end()
    assert isinstance(told.pop("bad"), Rejected)
    assert told == {one: f"{one} stored" for one in "abc"}


def test_more_than_fit_into_one_commit_take_several(disk: Disk) -> None:
    senders = Senders(GroupCommit(most_at_once=2), disk)
    senders.put(*"abcdef")
    assert len(senders.end()) == 6
    assert disk.batches == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_a_full_queue_is_told_at_once(disk: Disk) -> None:
    group = GroupCommit[str, str](most_waiting=2)
    senders = Senders(group, disk)
    senders.put("a", "b", "c")
    with pytest.raises(Temporary) as caught:
        group.put("d", disk.carry_out)
    assert (caught.value.code, caught.value.entry.status) == (Code.STORE_BUSY, 503)
    assert set(senders.end().values()) == {"a stored", "b stored", "c stored"}
    assert group.put("e", disk.carry_out) == "e stored"


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(1), ValueError("a defect")])
def test_the_end_of_the_one_who_writes_leaves_nobody_waiting(disk: Disk, fault: BaseException) -> None:
    disk.fault = fault
    group = GroupCommit[str, str]()
    senders = Senders(group, disk)
    senders.put("a", "b", "c")
    told = senders.end()
    assert told.pop("a") is fault
    assert told == {"b": "b stored", "c": "c stored"}
    assert group.put("d", disk.carry_out) == "d stored"


def test_those_in_the_commit_that_broke_off_are_told_that_its_outcome_is_unknown(disk: Disk) -> None:
    class Breaking(Disk):
        def carry_out(self, items: Sequence[str]) -> list[Outcome]:
            super().carry_out(items)
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return [f"{one} stored" for one in items]

    disk = Breaking()
    senders = Senders(GroupCommit(most_at_once=2), disk)
    senders.put("a", "b", "c", "d")
    told = senders.end()
    assert isinstance(told["b"], KeyboardInterrupt)
    assert isinstance(told["c"], Temporary)
    assert told["c"].outcome_unknown
    assert (told["a"], told["d"]) == ("a stored", "d stored")


def test_patience_has_an_end_and_what_nobody_waits_for_is_not_carried_out(disk: Disk) -> None:
    group = GroupCommit[str, str](patience_s=0.05)
    senders = Senders(group, disk)
    senders.put("a", "b")
    senders.threads[1].join(WAIT_S)
    assert isinstance(senders.told["b"], Temporary)
    assert senders.end()["a"] == "a stored"
    assert disk.batches == [["a"]]


def test_many_threads_each_get_their_own_result() -> None:
    group = GroupCommit[int, int](most_at_once=7)
    seen: list[int] = []

    def carry_out(items: Sequence[int]) -> list[int | ConnectorError]:
        seen.extend(items)
        return [one * one for one in items]

    wrong: list[int] = []

    def work(first: int) -> None:
        wrong.extend(one for one in range(first, first + 200) if group.put(one, carry_out) != one * one)

    threads = [threading.Thread(target=work, args=(place * 1_000,)) for place in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert len(seen) == len(set(seen)) == 3_200


def test_one_that_is_ended_while_it_waits_hands_its_turn_on(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = KeyboardInterrupt()

    class Ending:
        """A sleep that a signal ends: at once, or just when the turn has come."""

        def __init__(self, lock: threading.Lock, *, at_its_turn: bool) -> None:
            self.lock, self.at_its_turn = lock, at_its_turn

        def acquire(self, timeout: float) -> bool:
            if self.at_its_turn:
                self.lock.acquire(timeout=timeout)
            raise ended

        def release(self) -> None:
            self.lock.release()

    real = GroupCommit._wait
    turns = {"b": False, "c": True}

    def wait(self: GroupCommit[str, str], slot: Any) -> None:
        if slot.item in turns:
            slot.asleep = Ending(slot.asleep, at_its_turn=turns[slot.item])
        real(self, slot)

    monkeypatch.setattr(GroupCommit, "_wait", wait)
    senders = Senders(GroupCommit(most_at_once=1), disk)
    senders.put("a")
    left = threading.Thread(target=senders._put, args=("b",))
    left.start()
    left.join(WAIT_S)
    assert senders.told == {"b": ended}
    senders.put("c", "d")
    told = senders.end()
    assert told == {"a": "a stored", "b": ended, "c": ended, "d": "d stored"}
    assert senders.group.put("e", disk.carry_out) == "e stored"
