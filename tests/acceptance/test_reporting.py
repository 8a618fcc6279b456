"""What OneTrust holds at the end of a request: one final state, its evidence, and nothing over a person's decision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connector.services.resolutions import check_resolutions
from tests.acceptance.journey import Journey, journey

REPORT = "sources.onetrust.report"
COMPLETE = f'{REPORT}.complete_with="complete"'
EVIDENCE = (COMPLETE, f"{REPORT}.evidence.enabled=true")
GUID = "5f3b0b0e-3f0f-4a55-9e34-3f2a6a6f5c11"
ERASED = "1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
NO_DATA = "2f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90"
Start = Callable[..., Journey]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(*settings: str, store_url: str = f"sqlite:///{tmp_path / 'store.db'}", **options: Any) -> Journey:
            return stack.enter_context(journey(store_url, *settings, **options))

        yield begin


def asks(life: Journey, email: str = "ana@example.com", **given: Any) -> Any:
    life.knows(email)
    asked = life.ask(email, **given)
    life.accept(asked)
    return asked


def files(life: Journey) -> list[dict[str, Any]]:
    return list(life.onetrust.desk.files.values())


def stored(life: Journey, asked: Any) -> Any:
    return life.onetrust.desk.requests[asked.ref_id]


def attached(life: Journey, asked: Any) -> list[str]:
    return [one["fileId"] for one in life.onetrust.history(asked.subtask_id)[-1].get("attachments", [])]


class TestEvidence:
    def test_a_completion_carries_its_file_and_the_comment_its_digest(self, start: Start, store_url: str) -> None:
        life = start(*EVIDENCE, store_url=store_url)
        asked = asks(life, identifiers={"Loyalty ID": "00481516"}, comment_required=True)
        life.run_until_told(asked)
        (file,) = files(life)
        assert (life.written(asked), attached(life, asked)) == (["IN_PROGRESS", "COMPLETED"], [file["Id"]])
        assert hashlib.sha256(file["content"].encode()).hexdigest() in life.last_comment(asked)
        assert "id,request," + asked.ref_id in file["content"]
        assert "count,deleted,1" in file["content"]
        assert life.onetrust.calls["subtask_complete"] == 1

    def test_nobody_is_in_it(self, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
        life = start(*EVIDENCE)
        canaries = ("canary-7f3a", "LCANARY99", "23125042", "Kanarienvogel", "Zeisig")
        names = {"first_name": "Kanarienvogel", "last_name": "Zeisig"}
        identifiers = {"Loyalty ID": "LCANARY99", "Phone Number": "030 23125042"}
        asked = asks(life, "canary-7f3a@example.com", identifiers=identifiers, **names)
        life.run_until_told(asked)
        everything = [json.dumps(files(life)), life.last_comment(asked), capsys.readouterr().err]
        assert len(files(life)) == 1
        assert [one for one in canaries for text in everything if one in text] == []

    @pytest.mark.parametrize("lost", ["drop_before", "server_error"])
    def test_an_upload_that_never_arrived_is_made_again(self, start: Start, lost: str) -> None:
        life = start(*EVIDENCE)
        life.onetrust.faults.turn_on(lost, operation="attachment_upload", times=2)
        asked = asks(life)
        life.run_until_told(asked, seconds=60)
        assert (len(files(life)), attached(life, asked)) == (1, [files(life)[0]["Id"]])

    def test_an_upload_whose_answer_was_lost_ends_in_one_completion_with_one_file(
        self, start: Start, store_url: str
    ) -> None:
        life = start(*EVIDENCE, store_url=store_url)
        life.onetrust.faults.turn_on("drop_after", operation="attachment_upload", times=1)
        asked = asks(life)
        life.run_until_told(asked, seconds=60)
        life.run_for(4, seconds=4000)
        # Nothing tells us of the first one, which stays behind with the same content.
        (first, second) = files(life)
        assert (first["content"], attached(life, asked)) == (second["content"], [second["Id"]])
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]

    @pytest.mark.parametrize("lost", ["drop_after", "drop_before", "server_error_after"])
    def test_a_completion_that_was_lost_uploads_nothing_again(self, start: Start, store_url: str, lost: str) -> None:
        life = start(*EVIDENCE, store_url=store_url)
        life.onetrust.faults.turn_on(lost, operation="subtask_complete", times=1)
        asked = asks(life)
        life.run_until_told(asked, seconds=60)
        life.run_for(4, seconds=4000)
        assert (life.written(asked), len(files(life))) == (["IN_PROGRESS", "COMPLETED"], 1)
        assert attached(life, asked) == [files(life)[0]["Id"]]

    def test_another_extension_is_tried_once(self, start: Start) -> None:
        life = start(*EVIDENCE)
        life.onetrust.faults.turn_on("extension_refused", "csv")
        asked = asks(life)
        life.run_until_told(asked)
        (file,) = files(life)
        assert file["FileName"].endswith(".txt")
        assert file["FileName"] in life.last_comment(asked)

    def test_without_the_scope_for_files_the_report_goes_without_one_and_says_so(self, start: Start) -> None:
        life = start(*EVIDENCE)
        life.onetrust.faults.turn_on("scope_missing", "ATTACHMENT")
        asked = asks(life)
        life.run_until_told(asked)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        assert "Without an evidence file" in life.last_comment(asked)

    def test_a_person_who_decides_before_the_end_gets_neither_file_nor_status(self, start: Start) -> None:
        life = start(*EVIDENCE, finish_after_s=600)
        asked = asks(life)
        life.run_for(6)
        life.onetrust.person_sets(asked.subtask_id, "REJECTED", "we must keep the data")
        life.clock.advance(seconds=600)
        life.run_for(8)
        assert (life.status(asked), life.written(asked), files(life)) == ("REJECTED", ["IN_PROGRESS"], [])

    def test_a_person_who_decides_between_file_and_completion_is_not_overruled(self, start: Start) -> None:
        life = start(*EVIDENCE)
        life.onetrust.faults.turn_on("drop_before", operation="subtask_complete", times=1)
        asked = asks(life)
        for _ in range(20):
            life.pass_time(60)
            if files(life) and life.status(asked) == "IN_PROGRESS":
                life.onetrust.person_sets(asked.subtask_id, "REJECTED")
        assert [one["by"] for one in life.onetrust.history(asked.subtask_id)] == ["api", "person"]
        assert [str(one.state) for one in life.dossier(asked).reports] == ["sent", "conflict"]


class TestCompletion:
    @pytest.mark.parametrize("refusal", [400, 403, 404, 405])
    def test_where_the_call_is_refused_the_status_serves(self, start: Start, refusal: int) -> None:
        life = start(*EVIDENCE)
        life.onetrust.faults.turn_on("complete_refused", refusal)
        asked = asks(life)
        life.run_until_told(asked)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        assert files(life)[0]["FileName"] in life.last_comment(asked)

    def test_by_default_nothing_but_the_status_is_written(self, start: Start) -> None:
        life = start()
        asked = asks(life)
        life.run_until_told(asked)
        life.run_for(4, seconds=90_000)
        more = ("subtask_complete", "attachment_upload", "request_comment", "request_customfields")
        assert [life.onetrust.calls[one] for one in (*more, "request_movestages", "inbound_webhook")] == [0] * 6
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]

    @pytest.mark.parametrize("lost", ["drop_after", "drop_before"])
    def test_a_status_that_was_lost_is_written_once(self, start: Start, lost: str) -> None:
        life = start(COMPLETE)
        life.onetrust.faults.turn_on("complete_refused", 405)
        life.onetrust.faults.turn_on(lost, operation="subtask_status", times=2)
        asked = asks(life)
        life.run_until_told(asked, seconds=60)
        life.run_for(3, seconds=4000)
        assert life.written(asked).count("COMPLETED") == 1

    def test_what_failed_is_told_as_failed_by_status_and_without_a_file(self, start: Start) -> None:
        life = start(*EVIDENCE, "accounts.main.confirm_for_s=60")
        life.lytics.faults.turn_on("still_present")
        asked = asks(life)
        life.run_until_told(asked, seconds=20)
        assert (life.written(asked), files(life)) == (["IN_PROGRESS", "FAILED"], [])
        assert "1 failed" in life.last_comment(asked)

    def test_erased_and_never_known_may_have_resolutions_of_their_own(self, start: Start) -> None:
        of = f"{REPORT}.resolutions"
        life = start(COMPLETE, f'{of}.completed="{ERASED}"', f'{of}.nothing_held="{NO_DATA}"')
        known, unknown = asks(life, resolution_required=True), life.ask("nobody@example.com", resolution_required=True)
        life.accept(unknown)
        life.run_until_told(known, unknown)
        sent = [life.onetrust.history(one.subtask_id)[-1]["resolutionId"] for one in (known, unknown)]
        assert sent == [ERASED, NO_DATA]

    def test_a_resolution_that_onetrust_does_not_know_is_said_at_the_start(
        self, start: Start, capsys: pytest.CaptureFixture[str]
    ) -> None:
        life = start(f'{REPORT}.resolutions.completed="{GUID}"', f'{REPORT}.resolutions.rejected="{NO_DATA}"')
        check_resolutions(life.site)
        (line,) = [json.loads(one) for one in capsys.readouterr().err.splitlines() if "resolution" in one]
        assert (line["setting"], line["reason"]) == ("completed", "not_listed")


class TestLimits:
    @pytest.mark.parametrize(("value", "waits_s"), [(2135, 2135), (3000, 3600), (0, 60)])
    def test_a_limit_delays_reports_and_loses_none(
        self, start: Start, store_url: str, value: int, waits_s: int
    ) -> None:
        """Nothing sleeps: were it so, this test would take as long."""
        life = start(store_url=store_url)
        asked = asks(life)
        life.onetrust.faults.turn_on("rate_limited", value, operation="subtask_status", times=1)
        if waits_s > value:
            # Only the name of the period tells then how long.
            life.onetrust.faults.turn_on("retry_after_missing")
        life.run_for(2)
        calls = life.onetrust.calls["subtask_status"]
        assert (calls, life.written(asked)) == (1, [])
        # Nothing at all is asked before the time, and what was to be deleted is deleted all the same.
        life.run_for(8, seconds=(waits_s - 15) / 8)
        assert life.onetrust.calls["subtask_status"] == calls
        assert life.submitted() == {("email", "ana@example.com"): 1}
        life.run_until_told(asked, seconds=400)
        assert life.written(asked)[-1] == "COMPLETED"

    @pytest.mark.parametrize(
        "operation", ["attachment_upload", "subtask_complete", "request_customfields", "inbound_webhook"]
    )
    def test_a_limit_of_any_other_call_delays_it_and_repeats_nothing(self, start: Start, operation: str) -> None:
        webhook = f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN"}}'
        life = start(*EVIDENCE, webhook, f'{REPORT}.custom_fields={{Erased="deleted"}}')
        asked = asks(life)
        life.onetrust.faults.turn_on("rate_limited", 3000, operation=operation, times=1)
        life.onetrust.faults.turn_on("retry_after_missing")
        life.run_for(12)
        calls = dict(life.onetrust.calls)
        life.run_for(10, seconds=300)
        assert life.onetrust.calls == calls
        life.run_for(12, seconds=120)
        assert (life.written(asked), len(files(life))) == (["IN_PROGRESS", "COMPLETED"], 1)
        assert attached(life, asked) == [files(life)[0]["Id"]]
        assert stored(life, asked).custom_fields == {"Erased": "1"}
        assert life.onetrust.desk.inbound[-1]["payload"]["status"] == "COMPLETED"


class TestMore:
    def test_counts_stage_and_workflow_are_told_after_the_subtask(self, start: Start, store_url: str) -> None:
        life = start(
            f'{REPORT}.custom_fields={{Erased="deleted", Unknown="not_found"}}',
            f'{REPORT}.next_stage="Legal Check"',
            f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN"}}',
            store_url=store_url,
        )
        asked = asks(life, identifiers={"Loyalty ID": "00481516"})
        life.run_until_told(asked)
        assert stored(life, asked).custom_fields == {"Erased": "1", "Unknown": "1"}
        assert stored(life, asked).stage == "Legal Check"
        told = [one["payload"] for one in life.onetrust.desk.inbound]
        assert [one["status"] for one in told] == ["IN_PROGRESS", "COMPLETED"]
        assert {one["subTaskId"] for one in told} == {asked.subtask_id}
        assert told[-1]["counts"]["deleted"] == 1
        assert "@" not in json.dumps(told)

    def test_nobody_is_in_anything_that_is_told(self, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
        life = start(
            *EVIDENCE,
            f"{REPORT}.progress_comments=true",
            f"{REPORT}.conflict_comments=true",
            f'{REPORT}.custom_fields={{Erased="deleted"}}',
            f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN"}}',
            finish_after_s=100_000,
        )
        canaries = ("canary-7f3a", "LCANARY99", "23125042", "Kanarienvogel", "Zeisig")
        names = {"first_name": "Kanarienvogel", "last_name": "Zeisig"}
        identifiers = {"Loyalty ID": "LCANARY99", "Phone Number": "030 23125042"}
        told = asks(life, "canary-7f3a@example.com", identifiers=identifiers, **names)
        decided = asks(life, "canary-7f3a-2@example.com", identifiers=identifiers, **names)
        life.run_for(30, seconds=3600)
        life.onetrust.person_sets(decided.subtask_id, "REJECTED")
        life.run_until_told(told, seconds=3600)
        life.run_for(4, seconds=60)
        comments = [one["comment"] for asked in (told, decided) for one in stored(life, asked).comments]
        # Each of them has said something: otherwise there was nothing to look through.
        assert (len(comments), len(files(life))) == (3, 1)
        assert (len(stored(life, told).custom_fields), len(life.onetrust.desk.inbound)) == (1, 3)
        everything = [
            *comments,
            *(json.dumps(life.onetrust.history(one.subtask_id)) for one in (told, decided)),
            json.dumps([files(life), stored(life, told).custom_fields, life.onetrust.desk.inbound]),
            json.dumps(life.onetrust.access_log),
            capsys.readouterr().err,
        ]
        assert [one for one in canaries for text in everything if one in text] == []

    def test_what_is_refused_there_is_no_error_of_the_report(
        self, start: Start, capsys: pytest.CaptureFixture[str]
    ) -> None:
        life = start(f'{REPORT}.custom_fields={{Erased="deleted"}}', f'{REPORT}.next_stage="Legal Check"')
        for operation in ("request_customfields", "request_movestages"):
            life.onetrust.faults.turn_on("scope_missing", operation=operation)
        asked = asks(life)
        life.run_until_told(asked)
        assert [str(one.state) for one in life.dossier(asked).reports] == ["sent", "sent"]
        log = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
        refused = [one["follow_up"] for one in log if one["action"] == "follow_up_refused"]
        assert refused == ["custom_fields", "stage_move"]

    def test_what_was_lost_there_is_told_again_and_the_status_is_not(self, start: Start) -> None:
        life = start(f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN"}}')
        asked = asks(life)
        life.onetrust.faults.turn_on("drop_after", operation="inbound_webhook", times=2)
        life.run_for(12, seconds=60)
        assert life.written(asked).count("COMPLETED") == 1
        events = [one["payload"]["eventId"] for one in life.onetrust.desk.inbound]
        assert len(set(events)) == len(life.dossier(asked).reports)
        assert life.onetrust.desk.inbound[-1]["payload"]["status"] == "COMPLETED"

    def test_a_person_who_decides_keeps_the_workflow_from_being_told_instead(self, start: Start) -> None:
        webhook = f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN", instead=true}}'
        life = start(webhook, finish_after_s=600)
        asked = asks(life)
        life.run_for(6)
        life.onetrust.person_sets(asked.subtask_id, "REJECTED", "we must keep the data")
        life.clock.advance(seconds=600)
        life.run_for(8)
        assert [one["payload"]["status"] for one in life.onetrust.desk.inbound] == ["IN_PROGRESS"]
        assert (life.state(asked), life.status(asked)) == ("completed", "REJECTED")
        assert [str(one.state) for one in life.dossier(asked).reports] == ["sent", "conflict"]

    def test_the_workflow_may_be_told_instead_of_the_subtask(self, start: Start) -> None:
        life = start(f'{REPORT}.webhook={{id="{GUID}", token="env:WEBHOOK_TOKEN", instead=true}}')
        asked = asks(life)
        life.run_for(10)
        assert (life.state(asked), life.written(asked)) == ("completed", [])
        assert [one["payload"]["status"] for one in life.onetrust.desk.inbound] == ["IN_PROGRESS", "COMPLETED"]

    def test_a_result_that_nobody_waited_for_is_told_in_one_comment(self, start: Start) -> None:
        life = start(f"{REPORT}.conflict_comments=true", finish_after_s=600)
        asked = asks(life)
        life.run_for(6)
        life.onetrust.person_sets(asked.subtask_id, "REJECTED", "we must keep the data")
        life.onetrust.faults.turn_on("drop_after", operation="request_comment", times=1)
        life.clock.advance(seconds=600)
        life.run_for(8, seconds=60)
        (said,) = stored(life, asked).comments
        assert (said["isInternalComment"], "1 deleted" in said["comment"]) == (True, True)
        assert life.status(asked) == "REJECTED"

    def test_a_request_that_takes_its_time_is_told_of_once_a_day(self, start: Start, store_url: str) -> None:
        life = start(f"{REPORT}.progress_comments=true", finish_after_s=400_000, store_url=store_url)
        asked = asks(life)
        life.run_for(50, seconds=3600)
        comments = stored(life, asked).comments
        assert len(comments) == 2
        assert comments[1]["at"] - comments[0]["at"] >= 86_400
        assert {one["isInternalComment"] for one in comments} == {True}
        assert "still under way" in comments[0]["comment"]
        assert life.written(asked) == ["IN_PROGRESS"]
        life.run_for(30, seconds=20_000)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        told = len(stored(life, asked).comments)
        life.run_for(10, seconds=90_000)
        assert len(stored(life, asked).comments) == told

    def test_a_due_date_that_comes_near_is_warned_of_once_in_an_internal_comment(
        self, start: Start, store_url: str
    ) -> None:
        life = start(finish_after_s=100 * 86_400, store_url=store_url)
        asked = asks(life)
        life.run_for(30, seconds=86_400)
        (comment,) = stored(life, asked).comments
        assert comment["isInternalComment"]
        assert comment["comment"].startswith("Warning: this erasure is due 2026-12-02")
        assert "Lytics has not confirmed it yet. 1 identity received" in comment["comment"]
        assert life.written(asked) == ["IN_PROGRESS"]

    def test_without_a_setting_for_it_nobody_at_onetrust_is_warned(self, start: Start) -> None:
        life = start(f"{REPORT}.deadline_comment_days=0", finish_after_s=100 * 86_400)
        asked = asks(life)
        life.run_for(30, seconds=86_400)
        assert stored(life, asked).comments == []

    def test_a_subtask_that_is_opened_anew_after_its_completion_is_told_again_and_nobody_is_deleted_twice(
        self, start: Start, store_url: str
    ) -> None:
        life = start(store_url=store_url)
        asked = asks(life)
        life.run_until_told(asked)
        life.accept(asked)
        life.run_for(5)
        # It stands as it was told, so nothing is written over it.
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED"]
        life.onetrust.person_sets(asked.subtask_id, "OPEN")
        life.accept(asked)
        life.run_until_told(asked)
        assert life.written(asked) == ["IN_PROGRESS", "COMPLETED", "COMPLETED"]
        assert set(life.submitted().values()) == {1}
