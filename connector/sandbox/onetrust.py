"""A fake OneTrust: the REST side that takes our reports, and the calling side that sends signed callbacks.

It keeps every status write in a history per subtask, so that a test can prove that a report was made exactly once and
that no decision of a person was overwritten. What the vendor leaves open is a switch.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.defaults import ONETRUST_CLIENT_ID, ONETRUST_CLIENT_SECRET, SUBTASK_NAME, WORKFLOW_ID
from connector.sandbox.fake import TRANSPORT_SWITCHES, Fake, Route, answer, body_json
from connector.sandbox.faults import Switch
from connector.sandbox.onetrust_access import DEFAULT_SCOPES, Access
from connector.sandbox.onetrust_calls import KNOBS
from connector.sandbox.onetrust_credentials import build
from connector.sandbox.onetrust_outbound import OPERATION, Delivery, Outbound, Workflow
from connector.sandbox.onetrust_requests import RequestApi
from connector.sandbox.onetrust_state import DAY_S, Desk, DsarRequest, Subtask
from connector.sandbox.onetrust_subtasks import SubtaskApi
from connector.sandbox.onetrust_wire import Refused, error_in_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from werkzeug.wrappers import Request, Response

_SHAPES: Final = ("object", "string", "text", "html", "empty", "list")
SWITCHES: Final[dict[str, Switch]] = (
    TRANSPORT_SWITCHES
    | {
        "rate_limited": Switch(
            "Answers 429 with OneTrust's headers. Value: seconds to wait, default 30; 0: no Retry-After.", 30
        ),
        "retry_after_missing": Switch(
            "A 429 comes without Retry-After; `ot-period` says HOUR if that is over a minute."
        ),
        "token_refused": Switch("The token endpoint answers 401."),
        "address_refused": Switch("The credential's IP restriction does not hold the caller's address: 403."),
        "wrong_organization": Switch("The credential is of another organization: lists are empty, reads answer 404."),
        "scopes_untold": Switch("The token's answer does not name its scopes."),
        "token_expired": Switch("A token that was good is answered 401."),
        "token_short_lived": Switch("New tokens live this short. Value: seconds, default 30.", 30.0),
        "scope_missing": Switch("The credential lacks a scope: 403. Value: which, default those that the call needs."),
        "error_shape": Switch(
            "Shape of error bodies. Value: object, string, text, html, empty or list.", "text", _SHAPES
        ),
        "deprecation_warning": Switch("The answer carries `Warning: 299`."),
        "not_found": Switch("Reads and writes answer 404 for a request or subtask that exists."),
        "visibility_delay": Switch(
            "New requests are not seen at first. Value: seconds since creation, default 90.", 90.0
        ),
        "bare_array": Switch("Lists come as a bare array, not as a page object."),
        "date_format": Switch(
            "Dates come without milliseconds or with microseconds.", "seconds", ("seconds", "micros")
        ),
        "packed_types": Switch("All request types are packed into one string with commas."),
        "timer_as_number": Switch("`additionalStatuses` is a number, not a word."),
        "closed_conflict": Switch("Writing to a closed subtask answers 409; otherwise it is carried out and recorded."),
        "complete_refused": Switch(
            "`/complete` is refused. Value: 400, 403, 404, 405 (default) or 422.", 405, (400, 403, 404, 405, 422)
        ),
        "complete_comments_only": Switch("`/complete` answers 200 and adds the comment; the subtask stays as it is."),
        "extension_refused": Switch("The upload refuses this file extension. Value: which, default csv.", "csv"),
    }
    | KNOBS
)


class FakeOneTrust(Fake):
    """The fake. Use as a context manager, or `start()` and `stop()`. `outbound` holds the workflow and its record."""

    def __init__(
        self,
        port: int = 0,
        client_id: str = ONETRUST_CLIENT_ID,
        client_secret: str = ONETRUST_CLIENT_SECRET,
        clock: Callable[[], float] = time.time,
        *,
        scopes: Collection[str] = DEFAULT_SCOPES,
        token_lifetime_s: float = 3600.0,
        workflow: Workflow | None = None,
    ) -> None:
        super().__init__(port, clock, SWITCHES)
        self.desk = Desk(self.now)
        self.outbound = Outbound(self.desk, self.faults, workflow)
        self.access = Access(self.faults, self.now, (client_id, client_secret), scopes, token_lifetime_s)
        self.faults.operations.add(OPERATION)
        groups = (
            RequestApi(self.desk, self.faults).routes(),
            SubtaskApi(self.desk, self.faults, self._refire).routes(),
            self.access.routes(),
            [Route("POST", "/integrationmanager/api/v1/webhook/<guid>", "inbound_webhook", self._inbound)],
        )
        answered = [Route(r.method, r.rule, r.operation, self._refusing(r)) for g in groups for r in g]
        self.mount([*self._control_routes(), *answered])

    def add_request(
        self,
        email: str = "",
        *,
        identifiers: Mapping[str, str] | None = None,
        request_types: Sequence[str] = ("Data Deletion",),
        subject_types: Sequence[str] = ("Customer",),
        country_code: str = "DE",
        stage: str = "In Progress",
        deadline_days: float | None = 30,
        test_request: bool = False,
        first_name: str = "Jo",
        last_name: str = "Example",
        ref_id: str | None = None,
        queue_id: str | None = None,
        subtask_id: str | None = None,
        subtask_name: str = SUBTASK_NAME,
        subtask_type: str = "SYSTEM_TASK",
        subtask_status: str = "OPEN",
        required: bool = True,
        comment_required: bool = False,
        resolution_required: bool = False,
        workflow_id: str = WORKFLOW_ID,
    ) -> DsarRequest:
        """Create a request and its system subtask. `identifiers` are keyed by form label, without the e-mail."""
        now = self.now()
        request = DsarRequest(
            ref_id=ref_id or self.desk.new_ref_id(),
            queue_id=queue_id or str(uuid.uuid4()),
            email=email,
            first_name=first_name,
            last_name=last_name,
            stage=stage,
            request_types=list(request_types),
            subject_types=list(subject_types),
            country_code=country_code,
            created_at=now,
            updated_at=now,
            deadline=None if deadline_days is None else now + deadline_days * DAY_S,
            test_request=test_request,
            identifiers=dict(identifiers or {}),
        )
        subtask = Subtask(
            id=subtask_id or str(uuid.uuid4()),
            ref_id=request.ref_id,
            name=subtask_name,
            type=subtask_type,
            stage=stage,
            created_at=now,
            updated_at=now,
            required=required,
            comment_required=comment_required,
            resolution_required=resolution_required,
            workflow_id=workflow_id,
            status=subtask_status,
        )
        self.desk.add(request, subtask)
        return request

    def subtask(self, subtask_id: str) -> Subtask:
        """The live subtask, with its history."""
        return self.desk.subtasks[subtask_id]

    def history(self, subtask_id: str) -> list[dict[str, Any]]:
        """Every status write on this subtask, in order: at, by (api, person, workflow), previous, status, comment."""
        with self.desk.lock:
            return [dict(entry) for entry in self.desk.subtasks[subtask_id].history]

    def person_sets(self, subtask_id: str, status: str, comment: str = "decided by hand") -> None:
        """Let a person complete, reject or otherwise set a subtask in the user interface."""
        with self.desk.lock:
            self.desk.subtasks[subtask_id].write_status(status, at=self.now(), by="person", comment=comment)

    def fire(
        self, subtask_ids: Iterable[str], *, threads: int = 1, knobs: Mapping[str, Any] | Iterable[str] = ()
    ) -> list[Delivery]:
        """Send the callbacks of these subtasks; see `Outbound.fire`."""
        return self.outbound.fire(subtask_ids, threads=threads, knobs=knobs)

    def snapshot(self) -> dict[str, Any]:
        tokens = {"tokens_issued": dict(self.access.tokens_issued)}
        return super().snapshot() | self.desk.snapshot() | self.outbound.snapshot() | tokens

    def summary(self) -> dict[str, Any]:
        return super().summary() | self.desk.summary()

    def guard(self, request: Request, operation: str) -> Response | None:
        refusal = self.access.refusal(request, operation)
        return None if refusal is None else self.error(*refusal, operation)

    def error(self, status: int, message: str, operation: str) -> Response:
        fault = self.faults.take("error_shape", operation)
        return error_in_shape("object" if fault is None else str(fault.value), status, message)

    def rate_limited(self, value: Any, operation: str) -> Response:
        response = self.error(429, "rate limit exceeded", operation)
        per_hour = value > 60  # noqa: PLR2004 (longer than a minute)
        if value and not self.faults.take("retry_after_missing", operation):
            response.headers["Retry-After"] = str(value)
        response.headers["ot-period"] = "HOUR" if per_hour else "MINUTE"
        response.headers["ot-requests-allowed"] = "200000" if per_hour else "1000"
        response.headers["ot-request-made"] = "200001" if per_hour else "1001"
        response.headers["ot-ratelimit-event-id"] = str(uuid.uuid4())
        return response

    def finished(self, operation: str, response: Response) -> Response:
        if self.faults and self.faults.take("deprecation_warning", operation):
            response.headers["Warning"] = '299 - "This endpoint is deprecated"'
        return response

    def _refire(self, subtask_id: str) -> None:
        if self.outbound.workflow is not None:
            self.outbound.fire([subtask_id])

    def _refusing(self, route: Route) -> Callable[..., Response]:
        def handled(request: Request, **arguments: str) -> Response:
            try:
                return route.handler(request, **arguments)
            except Refused as refusal:
                return self.error(refusal.status, refusal.message, route.operation)

        return handled

    def _inbound(self, request: Request, guid: str) -> Response:
        """The built-in webhook trigger: takes what a workflow author declared and queues it."""
        try:
            payload = json.loads(request.form["dataFields"]) if "dataFields" in request.form else body_json(request)
        except ValueError:
            raise Refused(400, "the body is not JSON") from None
        request_id = str(uuid.uuid4())
        with self.desk.lock:
            self.desk.inbound.append({"guid": guid, "requestId": request_id, "at": self.now(), "payload": payload})
        return answer(202, {"requestId": request_id})

    def _control_routes(self) -> list[Route]:
        return [
            Route("POST", "/_sandbox/requests", "_requests", self._add_requests),
            Route("POST", "/_sandbox/fire", "_fire", self._fire),
            Route("POST", "/_sandbox/replay", "_replay", self._replay),
            Route("POST", "/_sandbox/person", "_person", self._person),
            Route("POST", "/_sandbox/workflow", "_workflow", self._set_workflow),
        ]

    def _add_requests(self, request: Request) -> Response:
        body = body_json(request)
        made = [self.add_request(**item) for item in body.get("requests", [body])]
        names = ("ref_id", "queue_id", "subtask_id")
        return answer(201, {"requests": [{name: getattr(entry, name) for name in names} for entry in made]})

    def _fire(self, request: Request) -> Response:
        body = body_json(request)
        wanted = body.get("subTaskIds") or list(self.desk.subtasks)
        fired = self.fire(wanted, threads=int(body.get("threads", 1)), knobs=body.get("knobs", ()))
        return answer(200, {"deliveries": [asdict(delivery) for delivery in fired]})

    def _replay(self, request: Request) -> Response:
        threads = int((body_json(request) if request.get_data() else {}).get("threads", 1))
        fired = self.outbound.replay_dead_letters(threads=threads)
        return answer(200, {"deliveries": [asdict(delivery) for delivery in fired]})

    def _person(self, request: Request) -> Response:
        body = body_json(request)
        self.person_sets(body["subTaskId"], body["status"], body.get("comment", "decided by hand"))
        return answer(200, {"history": self.history(body["subTaskId"])})

    def _set_workflow(self, request: Request) -> Response:
        body = body_json(request)
        credentials = tuple(build(**settings) for settings in body.pop("credentials", []))
        labels = tuple(body.pop("labels", ("email",)))
        self.outbound.workflow = Workflow(**body, labels=labels, credentials=credentials)
        return answer(200, {"url": self.outbound.workflow.url, "credentials": len(credentials)})
