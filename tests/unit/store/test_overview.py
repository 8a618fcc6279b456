"""What `connector status --list` names."""

from __future__ import annotations

from connector.codes import Code
from connector.errors import Refused
from connector.model import Delivered
from connector.store import overview
from tests.support.site import Bench


def test_open_requests_are_named_the_late_and_the_held_first(store_url: str) -> None:
    bench = Bench(store_url)
    bench.lytics.finish_at_once = False
    bench.deliver("s1")
    bench.clock.advance(days=20)
    bench.deliver("s2", ("shoe size", "44"))
    bench.deliver("s3")
    bench.pass_time(days=15)
    with bench.database.read() as connection:
        rows = overview.needing_attention(connection, bench.clock.now(), 10)
        first = overview.needing_attention(connection, bench.clock.now(), 1)
    assert [row.external["subtask_id"] for row in rows] == ["s1", "s2", "s3"]
    assert [row.id for row in first] == [rows[0].id]
    bench.database.close()


def test_finished_requests_are_named_whose_source_was_not_told(store_url: str) -> None:
    bench = Bench(store_url)
    for name in ("s1", "s2", "s3"):
        bench.deliver(name)
    bench.pass_time(seconds=1)
    bench.reporter.answers = [Refused(Code.REMOTE_REFUSED), Delivered.CONFLICT]
    bench.run_to_end()
    with bench.database.read() as connection:
        rows = overview.with_ended_reports(connection, 10)
    assert len(rows) == 2
    assert {str(row.state) for row in rows} == {"completed"}
    bench.database.close()
