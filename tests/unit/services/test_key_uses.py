"""When a secret was used last is written down, often enough to finish a rotation and seldom enough to cost nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.model import Verified
from connector.services.key_uses import KeyUses
from connector.store import keys
from connector.store.keys import PSEUDONYMS
from connector.store.source_tables import key_uses
from tests.support.site import START, Bench


def noted(bench: Bench) -> list[tuple[str, str, datetime, datetime]]:
    rows = [one for one in bench.rows(key_uses) if one.source != PSEUDONYMS]
    return [(one.source, one.secret_id, one.first_used_at, one.last_used_at) for one in rows]


def test_the_first_use_and_the_last_are_on_record_to_the_minute(bench: Bench) -> None:
    for number, wait_s in enumerate((0, 59, 1, 1, 89)):
        bench.clock.advance(seconds=wait_s)
        bench.deliver(f"s{number}")
    assert noted(bench) == [("onetrust", "test:secret", START, START + timedelta(seconds=150))]


def test_a_delivery_that_cannot_be_used_is_a_use_of_its_secret(bench: Bench) -> None:
    bench.deliver("s1", event="e1")
    bench.clock.advance(hours=1)
    with pytest.raises(Rejected):
        bench.deliver("s2", event="e1")
    assert noted(bench)[0][3] == START + timedelta(hours=1)


def test_a_secret_that_still_arrives_after_its_end_is_a_use_of_it(bench: Bench) -> None:
    @dataclass(frozen=True)
    class Ended:
        def verify(self, inbound: Inbound, now: datetime) -> Verified:
            raise Rejected(Code.CREDENTIAL_EXPIRED, secret_id="2026")

    bench.site = replace(bench.site, sources={"onetrust": replace(bench.source, verifier=Ended())})
    with pytest.raises(Rejected):
        bench.deliver("s1")
    assert [(one[1], one[3]) for one in noted(bench)] == [("2026", START)]


def test_an_earlier_time_never_overwrites_a_later_one(bench: Bench) -> None:
    for at in (START, START - timedelta(days=1)):
        with bench.database.write() as connection:
            keys.note_use(connection, "onetrust", "env:A", at)
    with bench.database.read() as connection:
        assert [one.last_used_at for one in keys.uses(connection)] == [START]


def test_ids_that_others_choose_do_not_fill_the_memory() -> None:
    uses = KeyUses()
    for number in range(5_000):
        assert uses.is_due("onetrust", f"jwks:{number}", START)
    assert len(uses.noted) <= 1_000
