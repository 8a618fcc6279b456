"""The very same delivery once more, by its sender or by somebody who recorded it, changes nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector.codes import Code
from connector.errors import Refused, Rejected
from connector.services.intake import Accepted, receive
from connector.services.prune import prune
from connector.states import RequestState
from connector.store.tables import deliveries, identities, replays, requests
from tests.support.site import START, Bench, inbound

ONE = b'{"subtask": "s1", "identities": [["email", "s1@example.com"]]}'
MORE = b'{"subtask": "s1", "identities": [["email", "s1@example.com"], ["loyalty id", "7"]]}'
OTHER = b'{"subtask": "s2", "identities": [["email", "s2@example.com"]]}'


def deliver(bench: Bench, body: bytes = ONE, replay: str = "id:1", lasts: str = "300") -> Accepted:
    headers = {"x_replay": replay, "x_replay_for": lasts} if lasts else {"x_replay": replay}
    return receive(bench.site, bench.source, inbound(body, **headers))


def refusal(bench: Bench, body: bytes, replay: str = "id:1") -> Code:
    with pytest.raises(Rejected) as caught:
        deliver(bench, body, replay)
    return caught.value.code


def test_the_same_delivery_is_a_duplicate_of_the_first(bench: Bench) -> None:
    first = deliver(bench)
    again = deliver(bench)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert first.request_id == again.request_id
    assert len(bench.rows(deliveries)) == len(bench.rows(replays)) == 1


def test_the_same_id_with_other_content_is_refused_and_leaves_no_trace(bench: Bench) -> None:
    deliver(bench)
    for body in (MORE, OTHER):
        assert refusal(bench, body) is Code.DELIVERY_REPLAYED
    assert len(bench.rows(requests)) == len(bench.rows(identities)) == len(bench.rows(replays)) == 1


def test_a_recorded_delivery_starts_no_new_attempt_after_a_failure(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.lytics.errors = [Refused(Code.REMOTE_REFUSED)]
    deliver(bench)
    bench.run_to_end()
    assert bench.state() == RequestState.FAILED
    assert deliver(bench).duplicate
    bench.run_to_end()
    assert bench.state() == RequestState.FAILED


def test_a_new_delivery_with_the_same_content_does_start_one(bench: Bench) -> None:
    bench.knows("s1@example.com")
    bench.lytics.errors = [Refused(Code.REMOTE_REFUSED)]
    deliver(bench)
    bench.run_to_end()
    assert not deliver(bench, replay="id:2").duplicate
    bench.run_to_end()
    assert bench.state() == RequestState.COMPLETED


def test_ids_of_different_sources_do_not_meet(bench: Bench) -> None:
    deliver(bench)
    bench.site = replace(bench.site, sources={**bench.site.sources, "other": replace(bench.source, name="other")})
    receive(bench.site, bench.site.sources["other"], inbound(OTHER, x_replay="id:1", x_replay_for="300"))
    assert len(bench.rows(requests)) == 2


def test_a_delivery_without_anything_that_tells_it_apart_claims_nothing(bench: Bench) -> None:
    deliver(bench, replay="", lasts="")
    assert bench.rows(replays) == []


def test_of_many_at_the_same_moment_one_is_the_first(bench: Bench) -> None:
    answers: list[Accepted] = []
    threads = [threading.Thread(target=lambda: answers.append(deliver(bench))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.duplicate for one in answers) == [False] + [True] * 7
    assert len({one.request_id for one in answers}) == 1


def test_a_replay_key_is_kept_until_the_check_itself_refuses_and_then_forgotten(bench: Bench) -> None:
    deliver(bench, lasts="300")
    deliver(bench, OTHER, "id:2", lasts="")
    bench.clock.advance(seconds=300)
    prune(bench.site)
    assert len(bench.rows(replays)) == 2
    bench.clock.advance(minutes=11)
    assert not prune(bench.site)
    # What never grows old is never forgotten.
    assert [one.expires_at for one in bench.rows(replays)] == [None]


def test_forgets_many_in_parts(bench: Bench) -> None:
    first = deliver(bench)
    rows = [
        {"source": "onetrust", "replay_hash": f"{n:064}", "body_digest": "", "request_id": first.request_id}
        for n in range(1_100)
    ]
    with bench.database.write() as connection:
        connection.execute(replays.insert(), [row | {"expires_at": START - timedelta(days=1)} for row in rows])
    assert [prune(bench.site) for _ in range(3)] == [True, True, False]
    with bench.database.read() as connection:
        assert len(connection.execute(select(replays)).all()) == 1


def test_a_retry_under_the_same_id_keeps_the_key_for_longer(bench: Bench) -> None:
    deliver(bench, lasts="300")
    bench.clock.advance(seconds=200)
    assert deliver(bench, lasts="300").duplicate
    assert [one.expires_at for one in bench.rows(replays)] == [START + timedelta(seconds=500)]
    # The time of a delivery that was recorded earlier takes nothing back.
    assert deliver(bench, lasts="10").duplicate
    assert [one.expires_at for one in bench.rows(replays)] == [START + timedelta(seconds=500)]
