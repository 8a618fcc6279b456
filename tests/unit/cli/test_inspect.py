"""`status`, `show` and `map`: what they tell, to people and machines, and what they never tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from connector.cli.inspect import attention, plain
from connector.store.overview import Overview
from connector.store.tables import identities, reports, requests, targets
from tests.support.site import START, Bench
from tests.unit.cli.conftest import Run

CANARY = "canary-7f3a@example.com"
NOTHING = Overview({}, {}, {}, {}, {}, 0, {}, 0, 0, None)


@pytest.fixture
def bench(store_url: str) -> Iterator[Bench]:
    """One request that is completed, and one that is held."""
    made = Bench(store_url)
    made.knows(CANARY)
    made.deliver("0a", ("email", CANARY))
    made.run_to_end()
    made.deliver("0b", ("email", CANARY), ("shoe size", "canary-44"))
    made.pass_time(seconds=1)
    assert (made.state("0a"), made.state("0b")) == ("completed", "held")
    yield made
    made.database.close()


def ids(bench: Bench) -> list[str]:
    return [bench.dossier(name).request.id for name in ("0a", "0b")]


class TestStatus:
    def test_a_machine_gets_the_counts(self, run: Run, bench: Bench) -> None:
        done = run("status", "--json")
        said = json.loads(done.out)
        assert (done.status, done.err) == (0, "")
        assert said["requests"] == {"completed": 1, "held": 1}
        assert said["held_by_reason"] == {"unmapped_identity": 1}
        assert said["reports"] == {"sent": 3}
        assert said["deliveries"] == 2
        assert said["next_due"].endswith("+00:00")

    def test_people_get_tables_and_what_needs_attention(self, run: Run, bench: Bench) -> None:
        done = run("status")
        assert done.status == 0
        for title in ("Requests", "Targets", "Submissions", "Operations at Lytics", "Reports"):
            assert f"{title}\n" in "\n".join(line.strip() for line in done.out.splitlines()) + "\n"
        assert "1 requests are held: unmapped_identity" in done.out

    def test_a_list_names_the_requests_that_need_attention(self, run: Run, bench: Bench) -> None:
        completed, held = ids(bench)
        done = run("status", "--list", "5")
        assert held in done.out
        assert completed not in done.out
        assert "canary" not in done.out
        said = json.loads(run("status", "--list", "5", "--json").out)
        assert [one["id"] for one in said["open"]] == [held]
        assert said["unreported"] == []

    def test_a_store_without_its_schema_is_told_how_to_mend(self, run: Run) -> None:
        done = run("status")
        assert done.status == 2
        assert done.err.startswith("store_outdated: ")
        assert "connector db upgrade" in done.err

    @pytest.mark.parametrize(
        ("seen", "line"),
        [
            ({"late": 3}, "3 open requests are past their due date"),
            ({"held_by_reason": {"nothing_mapped": 2}}, "2 requests are held: nothing_mapped"),
            ({"reports": {"dead": 4}}, "4 reports were given up"),
            ({"reports": {"conflict": 5}}, "5 requests were decided at the source"),
            ({"submissions": {"unknown": 6}}, "6 bulk calls have an unknown outcome"),
            ({"overdue_operations": 8}, "8 deletions have been under way at Lytics for longer"),
            ({"due_within_7_days": 7}, "7 open requests are due within 7 days"),
        ],
    )
    def test_whatever_needs_a_person_is_one_line(self, seen: dict[str, Any], line: str) -> None:
        (told,) = attention(replace(NOTHING, **seen))
        assert told.startswith(line)

    def test_what_is_late_comes_first(self) -> None:
        told = attention(replace(NOTHING, late=1, due_within_7_days=1, reports={"dead": 1}))
        assert "past their due date" in told[0]
        assert len(told) == 3

    def test_nothing_is_said_to_need_attention_when_nothing_does(self) -> None:
        assert attention(replace(NOTHING, requests={"completed": 9}, reports={"sent": 9})) == [
            "nothing needs attention"
        ]


class TestShow:
    @pytest.mark.parametrize("name", ["id", "beginning", "subtask", "reference"])
    def test_a_request_goes_by_several_names(self, run: Run, bench: Bench, name: str) -> None:
        first, _ = ids(bench)
        with bench.database.write() as connection:
            external = {"subtask_id": "0a", "request_ref": "ABCDEFGHJ1"}
            connection.execute(update(requests).where(requests.c.id == first).values(external=external))
        names = {"id": first, "beginning": first[:-3], "subtask": "0A", "reference": "ABCDEFGHJ1"}
        done = run("show", names[name], "--json")
        assert done.status == 0
        assert json.loads(done.out)["request"]["id"] == first

    def test_a_machine_gets_everything_but_the_person(self, run: Run, bench: Bench) -> None:
        said = json.loads(run("show", ids(bench)[0], "--json").out)
        assert set(said) == {"request", "history", "deliveries", "identities", "targets", "reports", "behind_fuses"}
        assert [one["state"] for one in said["history"]] == ["received", "queued", "working", "completed"]
        assert [(one["kind"], one["state"]) for one in said["identities"]] == [("email", "mapped")]
        assert [(one["field"], one["state"], one["word"]) for one in said["targets"]] == [
            ("email", "deleted", "completed")
        ]
        assert [one["status"] for one in said["reports"]] == ["IN_PROGRESS", "COMPLETED"]

    def test_people_get_the_same_in_tables(self, run: Run, bench: Bench) -> None:
        first, _ = ids(bench)
        done = run("show", first)
        assert done.status == 0
        assert f"{first} from onetrust: completed" in done.out
        for word in ("subtask_id 0a", "user.email", "present", "op-1", "COMPLETED", "1 deleted, 0 not found"):
            assert word in done.out

    def test_answers_that_may_be_missing_from_the_mapping_are_counted(self, run: Run, bench: Bench) -> None:
        first, _ = ids(bench)
        with bench.database.write() as connection:
            listed = {"confirmed_at": bench.clock.now(), "unnamed": 2}
            connection.execute(update(requests).where(requests.c.id == first).values(listed))
        assert "answers that look like an identity and are named by no rule: 2" in run("show", first).out
        assert json.loads(run("show", first, "--json").out)["request"]["unnamed"] == 2

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_nobody_is_named(self, run: Run, bench: Bench, form: tuple[str, ...]) -> None:
        for name in ids(bench):
            done = run("show", name, *form)
            assert done.status == 0
            assert "canary" not in done.out + done.err

    def test_a_name_that_nobody_has_is_said_to_be_unknown(self, run: Run, bench: Bench) -> None:
        done = run("show", "ffff")
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("request_unknown: No request with this id")

    def test_a_beginning_that_several_have_is_said_so(self, run: Run, bench: Bench) -> None:
        done = run("show", "01")
        assert done.status == 2
        assert "several begin like this" in done.err

    @pytest.mark.parametrize("name", ["%", "_", "0%", "'", "\\"])
    def test_a_name_is_no_pattern(self, run: Run, bench: Bench, name: str) -> None:
        assert run("show", name).err.startswith("request_unknown: No request with this id. ")

    def test_brackets_in_what_others_wrote_are_shown_as_they_are(self, run: Run, bench: Bench) -> None:
        first, _ = ids(bench)
        with bench.database.write() as connection:
            connection.execute(update(identities).values(kind="Phone [mobile]"))
            connection.execute(update(targets).values(reason="field [/email] is not allowed"))
            connection.execute(update(reports).values(reason="[red]"))
            connection.execute(update(requests).values(reason="[/]"))
        done = run("show", first)
        assert done.status == 0
        for word in ("Phone [mobile]", "field [/email] is not allowed", "[red]", "completed [/]"):
            assert word in done.out


class TestMap:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "payload.json"
        path.write_text(
            json.dumps(
                {
                    "subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
                    "identifiers": {
                        "email": CANARY,
                        "Phone Number": "canary",
                        "First name": "Canary",
                        "Shoe": "canary",
                    },
                }
            ),
            encoding="utf-8",
        )
        return path

    def test_a_machine_gets_what_each_identity_would_become(self, run: Run, file: Path) -> None:
        said = json.loads(run("map", str(file), "--json").out)
        assert [(one["kind"], one["state"], one["targets"]) for one in said["identities"]] == [
            ("email", "mapped", ["user.email"]),
            ("Phone Number", "rejected", []),
            ("First name", "unmapped", []),
            ("Shoe", "unmapped", []),
        ]
        assert said["counts"] == {"mapped": 1, "rejected": 1, "unmapped": 2}
        assert said["hold_reason"]

    def test_people_get_a_table_and_a_verdict(self, run: Run, file: Path) -> None:
        done = run("map", str(file), "--source", "onetrust")
        assert done.status == 0
        assert "What payload.json maps to" in done.out
        assert "The request would be held: " in done.out

    def test_a_payload_that_can_be_mapped_would_be_queued(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "good.json"
        path.write_text(
            '{"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", "email": "a@example.com"}', encoding="utf-8"
        )
        assert "The request would be queued for deletion." in run("map", str(path)).out

    def test_nobody_is_named_and_nothing_is_stored(self, run: Run, file: Path, tmp_path: Path) -> None:
        for form in ((), ("--json",)):
            done = run("map", str(file), *form)
            assert "canary" not in (done.out + done.err).lower()
        assert not (tmp_path / "store.db").exists()

    def test_a_payload_that_is_none_is_refused_with_its_code(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "bad.json"
        path.write_bytes(b'{"canary": ')
        done = run("map", str(path))
        assert done.status == 2
        assert done.err.startswith("body_unreadable: ")
        assert "canary" not in done.err

    def test_an_unknown_source_is_told_the_known_ones(self, run: Run, file: Path) -> None:
        done = run("map", str(file), "--source", "nobody")
        assert done.status == 2
        assert "--source must be one of: onetrust" in done.err


def test_a_missing_value_is_a_dash_and_a_time_is_utc() -> None:
    assert [plain(one) for one in (None, "", 0, "x", START)] == ["-", "-", "0", "x", "2026-11-02 09:00:00Z"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"testRequest": True}, "test_request"), ({"requestTypes": ["Data Portability"]}, "not_an_erasure"), ({}, "")],
)
def test_map_says_when_a_request_would_be_rejected(
    run: Run, tmp_path: Path, changes: dict[str, Any], refusal: str
) -> None:
    body = {"subTaskId": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", "identifiers": {"email": "a@example.com"}} | changes
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(body))
    told = json.loads(run("map", str(file), "--json").out)
    assert told["refusal"] == refusal
    words = f"rejected: {refusal}" if refusal else "queued for deletion"
    assert words in run("map", str(file)).out
