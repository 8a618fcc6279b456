"""A workflow's own webhook at OneTrust as a channel for reports: the workflow decides what an outcome means.

The path has no `/api` in front, unlike OneTrust's REST API. What it answers is only that the call was queued, with an
id. A call whose answer was lost is made again, with the same `eventId`.
"""

from __future__ import annotations

from typing import Final

from connector.errors import Temporary
from connector.model import Delivered, Report
from connector.outbound import Client, json_of, path_of
from connector.private import Secret
from connector.sources.onetrust.api import CLOSED, OneTrustApi, is_uuid, require_written
from connector.sources.onetrust.ours import Ours

SCHEMA: Final = "consent-connector-report/v1"
# What only a person, or a workflow, decides. A subtask that is completed may be so by our own answer to its callback.
_DECIDED: Final = CLOSED - {"COMPLETED"}
_IDS: Final = {"subTaskId": "subtask_id", "requestQueueRefId": "request_ref", "requestQueueId": "request_id"}


class WorkflowWebhook:
    """Fulfils `ports.FollowUp`.

    Args:
        http: a client for the tenant's host.
        webhook_id: the last part of the address that OneTrust shows for the trigger.
        token: sent as the bearer token, never in the address.
    """

    name = "webhook"

    def __init__(self, http: Client, webhook_id: str, token: Secret) -> None:
        self._http = http
        self._path = path_of("integrationmanager", "api", "v1", "webhook", webhook_id)
        self._token = token

    def after(self, report: Report, delivered: Delivered) -> str | None:
        """Tell the workflow what the subtask was told."""
        if delivered not in (Delivered.SENT, Delivered.ALREADY):
            return None
        return self.post(report)

    def post(self, report: Report) -> str:
        """Hand a report to the workflow; return OneTrust's id of the call, empty if it gave none.

        Raises:
            ConnectorError: as `OneTrustApi`.
        """
        body = {
            "schema": SCHEMA,
            "eventId": report.report_id,
            "jobId": report.job_id,
            "kind": report.kind.value,
            "status": report.status.value,
            "counts": dict(report.counts),
            **{name: report.external.get(one, "") for name, one in _IDS.items()},
        }
        headers = {"Authorization": f"Bearer {self._token.reveal()}"}
        answer = require_written(self._http.request("POST", self._path, headers=headers, json=body))
        try:
            said = json_of(answer)
        except Temporary:
            # Any success counts as taken; the id is only for questions to their support.
            return ""
        request_id = said.get("requestId") if isinstance(said, dict) else None
        # It goes into the log, where only what is surely an id may stand.
        return request_id if isinstance(request_id, str) and is_uuid(request_id) else ""


class WorkflowReporter:
    """Fulfils `ports.Reporter` where the subtask itself is left to a workflow.

    Args:
        subtask_name: as for `OneTrustReporter`; without it, and without the id of a subtask, none is looked at.
    """

    reads_first = False

    def __init__(self, webhook: WorkflowWebhook, api: OneTrustApi, *, subtask_name: str = "") -> None:
        self._webhook = webhook
        self._ours = Ours(api, subtask_name)

    def deliver(self, report: Report) -> Delivered:
        """Hand a report to the workflow, unless somebody rejected or deleted the subtask meanwhile.

        Raises:
            ConnectorError: as `OneTrustReporter`.
        """
        if self._is_known(report):
            status = self._ours.read(report.external).status
            if status in _DECIDED and status != report.status:
                return Delivered.CONFLICT
        self._webhook.post(report)
        return Delivered.SENT

    def _is_known(self, report: Report) -> bool:
        return bool(report.external.get("subtask_id", "") or self._ours.subtask_name)
