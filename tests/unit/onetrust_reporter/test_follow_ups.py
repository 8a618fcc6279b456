"""What OneTrust is told beside the subtask's state: harmless when repeated, and never over somebody's decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.errors import Misconfigured, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.private import Secret
from connector.sandbox.defaults import ONETRUST_API_KEY
from connector.sources.onetrust.follow_ups import ConflictComment, CustomFields, OneTrustCommenter, StageMove
from connector.sources.onetrust.resolutions import OneTrustResolutions
from connector.sources.onetrust.webhook import WorkflowReporter, WorkflowWebhook
from connector.states import RequestKind
from tests.unit.onetrust_reporter.conftest import BASE

COUNTS = {"identities_received": 3, "targets": 3, "deleted": 2, "not_found": 1}
GUID = "5f3b0b0e-3f0f-4a55-9e34-3f2a6a6f5c11"


def report(external, status=SourceStatus.COMPLETED, **more):
    given = {"counts": COUNTS, "job_id": "job-1", "report_id": "report-1", **more}
    return Report(external, status, "Erasure <finished>.", **given)


def stored(fake, asked):
    return fake.desk.requests[asked.ref_id]


class TestCustomFields:
    def test_each_field_gets_its_count_as_text(self, api, fake, asked, external):
        fields = CustomFields(api, {"Erased": "deleted", "Unknown": "not_found"})
        for _ in range(2):
            assert fields.after(report(external), Delivered.ALREADY) == ""
        assert stored(fake, asked).custom_fields == {"Erased": "2", "Unknown": "1"}

    def test_the_request_is_found_by_the_subtask_alone(self, api, fake, asked):
        CustomFields(api, {"Erased": "deleted"}).after(report({"subtask_id": asked.subtask_id}), Delivered.SENT)
        assert stored(fake, asked).custom_fields == {"Erased": "2"}

    @pytest.mark.parametrize(("counts", "delivered"), [({}, Delivered.SENT), (COUNTS, Delivered.CONFLICT)])
    def test_nothing_is_filled_in_before_the_end_or_over_a_decision(self, api, fake, external, counts, delivered):
        fields = CustomFields(api, {"Erased": "deleted"})
        assert fields.after(report(external, counts=counts), delivered) is None
        assert fake.calls["request_customfields"] == 0

    def test_a_refusal_and_an_outage_are_told_apart(self, api, fake, external):
        fields = CustomFields(api, {"Erased": "deleted"})
        for fault, kind in (("scope_missing", Misconfigured), ("server_error", Temporary), ("html_page", Temporary)):
            fake.faults.turn_on(fault, operation="request_customfields", times=1)
            with pytest.raises(kind):
                fields.after(report(external), Delivered.SENT)


class TestStageMove:
    @pytest.fixture
    def move(self, api):
        return StageMove(api, "Legal Check")

    @pytest.fixture
    def done(self, fake, asked):
        fake.subtask(asked.subtask_id).write_status("COMPLETED", at=fake.now(), by="api")
        return asked

    def test_a_request_is_moved_on_once(self, fake, done, external, move):
        assert move.after(report(external), Delivered.SENT) == ""
        assert stored(fake, done).stage == "Legal Check"
        assert move.after(report(external), Delivered.ALREADY) is None
        assert fake.calls["request_movestages"] == 1

    def test_the_answer_to_an_access_request_moves_nothing(self, fake, done, external, move):
        """It still has to reach the person, which people at OneTrust see to."""
        answered = replace(report(external), kind=RequestKind.ACCESS)
        assert move.after(answered, Delivered.SENT) is None
        assert fake.calls["request_movestages"] == 0

    def test_one_that_somebody_moved_on_is_not_moved_back(self, fake, done, external, move):
        stored(fake, done).stage = "Complete"
        assert move.after(report(external), Delivered.ALREADY) is None
        assert stored(fake, done).stage == "Complete"

    @pytest.mark.parametrize("told", [{"status": "In Progress"}, {"status": None}, {}])
    def test_one_whose_subtask_tells_no_stage_is_not_moved(self, api, fake, done, external, move, monkeypatch, told):
        """It could have been rejected, or closed, by a person meanwhile."""
        read = api.subtask
        monkeypatch.setattr(api, "subtask", lambda *given: replace(read(*given), stage=""))
        monkeypatch.setattr(api, "request", lambda *_given: told)
        assert move.after(report(external), Delivered.SENT) is None
        assert fake.calls["request_movestages"] == 0

    @pytest.mark.parametrize("stage", ["Complete", "Rejected"])
    def test_one_that_is_closed_is_never_opened_again(self, fake, done, external, move, stage):
        stored(fake, done).stage = fake.subtask(done.subtask_id).stage = stage
        assert move.after(report(external), Delivered.SENT) is None
        assert stored(fake, done).stage == stage

    @pytest.mark.parametrize(("required", "moved"), [(True, False), (False, True)])
    def test_another_required_subtask_keeps_it(self, fake, done, external, move, required, moved):
        first = fake.subtask(done.subtask_id)
        other = "b6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b33"
        fake.desk.add_subtask(replace(first, id=other, status="OPEN", required=required))
        move.after(report(external), Delivered.SENT)
        assert (stored(fake, done).stage == "Legal Check", fake.calls["request_movestages"]) == (moved, int(moved))

    @pytest.mark.parametrize(
        ("status", "delivered"),
        [
            (SourceStatus.FAILED, Delivered.SENT),
            (SourceStatus.IN_PROGRESS, Delivered.SENT),
            (SourceStatus.REJECTED, Delivered.SENT),
            (SourceStatus.COMPLETED, Delivered.CONFLICT),
        ],
    )
    def test_only_a_completion_moves_it(self, fake, done, external, move, status, delivered):
        assert move.after(report(external, status), delivered) is None
        assert fake.calls["request_movestages"] == 0

    def test_a_refusal_is_told(self, fake, done, external, move):
        fake.faults.turn_on("scope_missing", operation="request_movestages")
        with pytest.raises(Misconfigured):
            move.after(report(external), Delivered.SENT)


class TestConflictComment:
    @pytest.fixture
    def comment(self, api):
        return ConflictComment(api)

    def test_the_result_is_told_once_and_internally(self, fake, asked, external, comment):
        fake.person_sets(asked.subtask_id, "REJECTED")
        assert comment.after(report(external), Delivered.CONFLICT) == ""
        assert comment.after(report(external), Delivered.CONFLICT) is None
        (said,) = stored(fake, asked).comments
        assert "Erasure &lt;finished&gt;." in said["comment"]
        assert said["isInternalComment"] is True
        assert fake.history(asked.subtask_id)[-1]["by"] == "person"

    def test_a_comment_whose_answer_was_lost_is_not_made_twice(self, fake, asked, external, comment):
        fake.faults.turn_on("drop_after", operation="request_comment", times=1)
        with pytest.raises(Temporary):
            comment.after(report(external), Delivered.CONFLICT)
        assert comment.after(report(external), Delivered.CONFLICT) is None
        assert len(stored(fake, asked).comments) == 1

    @pytest.mark.parametrize(
        ("status", "delivered"),
        [(SourceStatus.COMPLETED, Delivered.SENT), (SourceStatus.IN_PROGRESS, Delivered.CONFLICT)],
    )
    def test_there_is_nothing_to_say_otherwise(self, fake, external, comment, status, delivered):
        assert comment.after(report(external, status), delivered) is None
        assert fake.calls["request_comment"] == 0


class TestCommenter:
    def test_a_comment_is_internal_by_both_of_its_flags(self, api, fake, asked, external, monkeypatch):
        sent = []
        send = api.send
        monkeypatch.setattr(api, "send", lambda *a, **k: sent.append(k.get("json")) or send(*a, **k))
        assert OneTrustCommenter(api).comment(external, "1 <deleted>")
        (said,) = stored(fake, asked).comments
        assert said["comment"] == "1 &lt;deleted&gt;"
        assert sent[-1]["internalComment"] is sent[-1]["isInternalComment"] is True

    def test_a_subtask_that_was_ended_is_left_in_peace(self, api, fake, asked, external):
        fake.person_sets(asked.subtask_id, "COMPLETED")
        assert not OneTrustCommenter(api).comment(external, "still at it")
        assert stored(fake, asked).comments == []


class TestWebhook:
    @pytest.fixture
    def webhook(self, fake_http):
        return WorkflowWebhook(fake_http, GUID, Secret(ONETRUST_API_KEY, "env:W"))

    def test_a_call_holds_ids_status_and_counts(self, fake, asked, external, webhook):
        their_id = webhook.after(report(external), Delivered.SENT)
        (taken,) = fake.desk.inbound
        assert (taken["guid"], taken["requestId"]) == (GUID, their_id)
        assert taken["payload"] == {
            "schema": "consent-connector-report/v1",
            "eventId": "report-1",
            "jobId": "job-1",
            "kind": "erasure",
            "subTaskId": asked.subtask_id,
            "requestQueueRefId": asked.ref_id,
            "requestQueueId": asked.queue_id,
            "status": "COMPLETED",
            "counts": COUNTS,
        }

    def test_the_token_is_in_no_address(self, fake, external, webhook):
        webhook.after(report(external), Delivered.SENT)
        assert [url for _, url in fake.access_log if "webhook" in url] == [f"/integrationmanager/api/v1/webhook/{GUID}"]

    def test_after_a_conflict_the_workflow_is_told_nothing(self, fake, external, webhook):
        assert webhook.after(report(external), Delivered.CONFLICT) is None
        assert fake.desk.inbound == []

    def test_a_repeat_can_be_told_by_its_event(self, fake, external, webhook):
        fake.faults.turn_on("drop_after", operation="inbound_webhook", times=1)
        with pytest.raises(Temporary):
            webhook.post(report(external))
        webhook.post(report(external))
        assert [one["payload"]["eventId"] for one in fake.desk.inbound] == ["report-1"] * 2

    def test_any_success_counts_as_taken_but_a_login_page_does_not(self, fake, external, webhook):
        fake.faults.turn_on("empty_answer", operation="inbound_webhook", times=1)
        assert webhook.after(report(external), Delivered.SENT) == ""
        fake.faults.turn_on("html_page", operation="inbound_webhook", times=1)
        with pytest.raises(Temporary):
            webhook.after(report(external), Delivered.SENT)

    def test_a_wrong_token_is_an_operators_matter(self, fake, fake_http, external):
        wrong = WorkflowWebhook(fake_http, GUID, Secret("another-key-0123456789", "env:W"))
        with pytest.raises(Misconfigured):
            wrong.post(report(external))
        assert fake.desk.inbound == []

    def test_it_is_led_nowhere_else(self, tenant, http, external):
        elsewhere = {"Location": "http://169.254.169.254/latest"}
        http.post(f"{BASE}/integrationmanager/api/v1/webhook/{GUID}", status=307, headers=elsewhere)
        tenant.failure(WorkflowWebhook(tenant.client(), GUID, Secret("k" * 20, "env:W")).post, report(external))
        assert len(http.calls) == 1

    @pytest.mark.parametrize("said", [{"requestId": "ana@example.com"}, {"requestId": 7}, ["x"], None])
    def test_what_is_no_id_of_theirs_is_not_passed_on_to_the_log(self, tenant, http, external, said):
        http.post(f"{BASE}/integrationmanager/api/v1/webhook/{GUID}", status=202, json=said)
        assert WorkflowWebhook(tenant.client(), GUID, Secret("k" * 20, "env:W")).post(report(external)) == ""


class TestWorkflowInstead:
    @pytest.fixture
    def reporter(self, fake_http, api):
        return WorkflowReporter(WorkflowWebhook(fake_http, GUID, Secret(ONETRUST_API_KEY, "env:W")), api)

    def test_the_subtask_is_left_alone(self, fake, asked, external, reporter):
        assert reporter.deliver(report(external)) is Delivered.SENT
        assert (len(fake.desk.inbound), fake.history(asked.subtask_id)) == (1, [])

    @pytest.mark.parametrize("status", ["REJECTED", "DELETED"])
    def test_what_a_person_decided_the_workflow_is_not_asked_to_write_over(
        self, fake, asked, external, reporter, status
    ):
        fake.person_sets(asked.subtask_id, status)
        assert reporter.deliver(report(external)) is Delivered.CONFLICT
        assert fake.desk.inbound == []

    @pytest.mark.parametrize("status", [SourceStatus.COMPLETED, SourceStatus.FAILED])
    def test_a_subtask_that_our_answer_to_the_callback_completed_is_told_of_all_the_same(
        self, fake, asked, external, reporter, status
    ):
        fake.subtask(asked.subtask_id).write_status("COMPLETED", at=fake.now(), by="workflow")
        assert reporter.deliver(report(external, status)) is Delivered.SENT
        assert [one["payload"]["status"] for one in fake.desk.inbound] == [status.value]

    def test_a_refusal_that_the_workflow_has_carried_out_may_be_told_again(self, fake, asked, external, reporter):
        fake.subtask(asked.subtask_id).write_status("REJECTED", at=fake.now(), by="workflow")
        assert reporter.deliver(report(external, SourceStatus.REJECTED)) is Delivered.SENT

    def test_a_callback_without_a_subtask_is_told_of_by_its_request(self, fake, asked, reporter):
        assert reporter.deliver(report({"request_ref": asked.ref_id})) is Delivered.SENT
        assert fake.calls["subtask_get"] == 0
        assert fake.desk.inbound[0]["payload"]["requestQueueRefId"] == asked.ref_id


class TestResolutions:
    def test_a_good_one_an_unknown_one_and_one_of_requests_are_told_apart(self, api):
        configured = {
            "completed": "1F6B7D40-8a49-4c1b-9a55-0b4b1a7d5a90",
            "nothing_held": "9f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90",
            "rejected": "4f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90",
        }
        faults = OneTrustResolutions(api, configured).faults()
        assert faults == {"nothing_held": "not_listed", "rejected": "not_of_subtasks"}

    def test_nothing_is_asked_where_nothing_is_configured(self, api, fake):
        assert OneTrustResolutions(api, {"completed": ""}).faults() == {}
        assert fake.calls["resolutions"] == 0

    def test_an_outage_is_an_error_and_no_fault(self, api, fake):
        fake.faults.turn_on("server_error", operation="resolutions")
        with pytest.raises(Temporary):
            OneTrustResolutions(api, {"completed": GUID}).faults()


def test_a_subtask_without_its_requests_reference_has_nothing_to_hang_on(api, fake, asked, monkeypatch):
    read = api.subtask
    monkeypatch.setattr(api, "subtask", lambda *given: replace(read(*given), request_ref=""))
    with pytest.raises(Refused):
        CustomFields(api, {"Erased": "deleted"}).after(report({"subtask_id": asked.subtask_id}), Delivered.SENT)
