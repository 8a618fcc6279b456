"""The statements that docs/scale-out.md shows do what it says, on a store with requests in it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from tests.docs.pages import ROOT
from tests.support.site import Bench


@pytest.mark.postgres
def test_a_history_that_was_cut_by_month_keeps_everything_and_takes_more(postgres_url: str) -> None:
    (shown,) = re.findall(r"```sql\n(.+?)```", (ROOT / "docs/scale-out.md").read_text(encoding="utf-8"), re.DOTALL)
    bench = Bench(postgres_url)
    try:
        bench.deliver("before")
        bench.run_to_end()
        told = bench.dossier("before").history
        with bench.database.write() as connection:
            for statement in shown.split(";"):
                if statement.strip() not in ("", "BEGIN", "COMMIT"):
                    connection.execute(text(statement))
        bench.clock.advance(days=65)
        bench.deliver("after")
        bench.run_to_end()
        assert bench.dossier("before").history == told
        assert (bench.state("before"), bench.state("after")) == ("completed", "completed")
        with bench.database.read() as connection:
            parts = connection.execute(text("SELECT tableoid::regclass::text FROM history")).scalars().all()
        assert {one: parts.count(one) for one in parts} == {"history_before": 4, "history_2027_01": 4}
    finally:
        bench.database.close()
