"""`dlq`: what people and machines are told of dead letters, what is done with them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import Refused
from connector.store import tables as t
from tests.support.site import Bench
from tests.unit.cli.conftest import Ended, Run

CANARY = "canary-7f3a@example.com"
WHY = ("--reason", "ticket 4711")


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    """One request that failed, one whose last report was refused, and one that went well."""
    made = Bench(store_url)
    made.lytics.refuses = {CANARY}
    made.deliver("0a", ("email", CANARY))
    made.run_to_end()
    made.deliver("0b", ("email", "b-canary@example.com"))
    made.pass_time(seconds=1)
    made.reporter.answers = [Refused(Code.REMOTE_REFUSED)]
    made.run_to_end()
    made.deliver("0c", ("email", "c-canary@example.com"))
    made.run_to_end()
    assert [made.state(one) for one in ("0a", "0b", "0c")] == ["failed", "completed", "completed"]
    yield made
    made.database.close()


def ids(bench: Bench) -> tuple[str, str]:
    """Return the ids of the failed request and of the dead report."""
    (dead,) = [one.id for one in bench.rows(t.reports) if str(one.state) == "dead"]
    return bench.dossier("0a").request.id, dead


def said(done: Ended) -> Any:
    return json.loads(done.out)


class TestList:
    def test_people_get_a_table_with_the_reasons(self, run: Run, bench: Bench) -> None:
        done = run("dlq", "list")
        assert (done.status, done.err) == (0, "")
        request, report = ids(bench)
        rows = {line.split("│")[1].strip(): line for line in done.out.splitlines() if line.count("│") > 3}
        assert set(rows) == {request, report}
        assert "failed: 1 refused, 0 failed" in rows[request]
        assert "COMPLETED not told, 1 tries" in rows[report]
        assert all("remote_refused" in one for one in rows.values())

    def test_a_machine_gets_them_page_by_page(self, run: Run, bench: Bench) -> None:
        first = said(run("dlq", "list", "--limit", "1", "--json"))
        second = said(run("dlq", "list", "--limit", "1", "--after", first["next"], "--json"))
        assert [one["id"] for one in first["letters"] + second["letters"]] == sorted(ids(bench))
        assert (first["next"], second["next"]) == (first["letters"][0]["id"], None)
        assert "There are more: --after" in run("dlq", "list", "--limit", "1").out

    def test_they_can_be_chosen_by_kind_and_source(self, run: Run, bench: Bench) -> None:
        request, report = ids(bench)
        for kind, wanted in (("request", request), ("report", report)):
            found = said(run("dlq", "list", "--kind", kind, "--json"))["letters"]
            assert [one["id"] for one in found] == [wanted]
        assert said(run("dlq", "list", "--source", "gone", "--json"))["letters"] == []

    def test_there_may_be_none(self, run: Run, bench: Bench) -> None:
        done = run("dlq", "list", "--dropped")
        assert (done.status, said(run("dlq", "list", "--dropped", "--json"))) == (0, {"letters": [], "next": None})

    @pytest.mark.parametrize("wrong", [("--kind", "x"), ("--limit", "0"), ("--limit", "many")])
    def test_wrong_usage_is_told(self, run: Run, bench: Bench, wrong: tuple[str, str]) -> None:
        assert run("dlq", "list", *wrong).status == 2

    def test_a_store_without_its_schema_is_told_how_to_mend(self, run: Run) -> None:
        done = run("dlq", "list")
        assert done.status == 2
        assert done.err.startswith("store_outdated: ")


class TestShow:
    def test_people_get_its_reason_targets_history_and_what_a_replay_would_do(self, run: Run, bench: Bench) -> None:
        request, report = ids(bench)
        done = run("dlq", "show", request)
        assert done.status == 0
        for word in (
            f"request {request} from onetrust: failed",
            "user.email",
            "remote_refused",
            "A replay would be done.",
        ):
            assert word in done.out
        assert f"report {report} from onetrust: dead" in run("dlq", "show", report).out

    def test_a_machine_gets_the_same(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        found = said(run("dlq", "show", request, "--json"))
        assert (found["kind"], found["replay_refused"]) == ("request", "")
        assert [one["state"] for one in found["targets"]] == ["refused"]
        assert found["history"][-1]["state"] == "failed"

    def test_why_a_replay_would_be_refused_is_said(self, run: Run, bench: Bench) -> None:
        done = run("dlq", "show", bench.dossier("0c").request.id)
        assert "A replay would be refused: everything asked for was deleted already" in done.out

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_nobody_is_named(self, run: Run, bench: Bench, form: tuple[str, ...]) -> None:
        for command in (("list",), *(("show", one) for one in ids(bench))):
            done = run("dlq", *command, *form)
            assert done.status == 0
            assert "canary" not in done.out + done.err

    @pytest.mark.parametrize("name", ["ffff", "%", "0", "'"])
    def test_an_id_that_does_not_tell_is_refused(self, run: Run, bench: Bench, name: str) -> None:
        done = run("dlq", "show", name)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("request_unknown: ")


class TestReplay:
    def test_those_named_go_on_their_way(self, run: Run, bench: Bench) -> None:
        request, report = ids(bench)
        bench.lytics.refuses = set()
        done = run("dlq", "replay", request, report, *WHY)
        assert (done.status, done.err) == (0, "")
        assert f"{request} request: on its way again" in done.out
        assert "2 done, 0 refused" in done.out
        # The command goes by the clock of this machine.
        bench.clock.advance(seconds=max(0.0, (datetime.now(UTC) - bench.clock.now()).total_seconds()))
        bench.run_to_end()
        assert bench.state("0a") == "completed"
        assert bench.reporter.of("0b")[-1] == "COMPLETED"

    def test_all_of_a_kind(self, run: Run, bench: Bench) -> None:
        request, report = ids(bench)
        found = said(run("dlq", "replay", "--all", "--kind", "report", *WHY, "--json"))
        assert found == {
            "results": [{"id": report, "kind": "report", "done": True, "why": ""}],
            "done": 1,
            "refused": 0,
        }
        assert [one["id"] for one in said(run("dlq", "list", "--json"))["letters"]] == [request]

    def test_all_there_are_more_than_one_page_of(self, run: Run, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connector.cli.dlq._PAGE", 1)
        assert said(run("dlq", "replay", "--all", *WHY, "--json"))["done"] == 2
        assert said(run("dlq", "replay", "--all", *WHY, "--json"))["done"] == 0

    def test_a_second_time_is_refused_with_status_1(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        assert run("dlq", "replay", request, *WHY).status == 0
        done = run("dlq", "replay", request, *WHY)
        assert done.status == 1
        assert "not done: a new attempt has begun already" in done.out
        assert bench.dossier("0a").request.attempt == 2

    def test_a_name_given_twice_counts_once(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        done = run("dlq", "replay", request, request, *WHY)
        assert (done.status, "1 done, 0 refused" in done.out) == (0, True)

    def test_a_slip_in_one_name_changes_nothing(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        assert run("dlq", "replay", request, "ffff", *WHY).status == 2
        assert bench.state("0a") == "failed"

    @pytest.mark.parametrize("wrong", [(), ("--all", "ID"), ("ID", "--kind", "report"), ("ID", "--source", "onetrust")])
    def test_either_names_or_all(self, run: Run, bench: Bench, wrong: tuple[str, ...]) -> None:
        request, _ = ids(bench)
        given = [request if one == "ID" else one for one in wrong]
        assert run("dlq", "replay", *given, *WHY).status == 2
        assert bench.state("0a") == "failed"

    def test_what_belongs_to_no_configured_source_is_refused(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        with bench.database.write() as connection:
            connection.execute(t.requests.update().values(source="gone"))
        done = run("dlq", "replay", request, *WHY)
        assert done.status == 1
        assert "its source gone is not in the configuration" in done.out


class TestDrop:
    def test_it_rests_on_record_and_is_not_counted_any_more(self, run: Run, bench: Bench) -> None:
        request, report = ids(bench)
        before = run("status").out
        assert "1 reports were given up; see `connector dlq list --kind report`" in before
        assert "1 requests were not carried out in full; see `connector dlq list --kind request`" in before
        assert run("dlq", "drop", request, report, *WHY).status == 0
        assert said(run("dlq", "list", "--json"))["letters"] == []
        rest = said(run("dlq", "list", "--dropped", "--json"))["letters"]
        assert {one["id"]: one["reason"] for one in rest} == dict.fromkeys((request, report), "ticket 4711")
        after = run("status").out
        assert "given up" not in after
        assert "in full" not in after
        assert "dropped: ticket 4711" in run("show", request).out

    def test_a_second_time_is_refused_with_status_1(self, run: Run, bench: Bench) -> None:
        request, _ = ids(bench)
        run("dlq", "drop", request, *WHY)
        done = run("dlq", "drop", request, *WHY, "--json")
        assert (done.status, said(done)["refused"]) == (1, 1)

    @pytest.mark.parametrize("reason", ["", "   ", "x" * 46, "a\nb", "ana@example.com"])
    @pytest.mark.parametrize("command", ["drop", "replay"])
    def test_a_reason_that_cannot_be_recorded_is_refused(
        self, run: Run, bench: Bench, command: str, reason: str
    ) -> None:
        request, _ = ids(bench)
        done = run("dlq", command, request, "--reason", reason)
        assert (done.status, done.out) == (2, "")
        assert (bench.state("0a"), bench.dossier("0a").request.reason) == ("failed", "")

    @pytest.mark.parametrize("command", ["drop", "replay"])
    def test_a_reason_is_demanded(self, run: Run, bench: Bench, command: str) -> None:
        assert run("dlq", command, ids(bench)[0]).status == 2

    def test_it_has_no_switch_for_everything(self, run: Run, bench: Bench) -> None:
        assert run("dlq", "drop", "--all", *WHY).status == 2
        assert run("dlq", "drop", *WHY).status == 2
