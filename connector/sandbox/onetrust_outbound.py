"""The calling side of the fake OneTrust: one workflow, fired for subtasks, with retries, dead letters and a record."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import requests

from connector.sandbox.onetrust_calls import KNOBS, Call, Event, calls_for, tampered

if TYPE_CHECKING:
    from connector.sandbox.faults import Faults
    from connector.sandbox.onetrust_credentials import Credential
    from connector.sandbox.onetrust_state import Desk

OPERATION: Final = "outbound"
_WORTH_RETRYING: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(slots=True)
class Workflow:
    """An integration workflow as an administrator draws it.

    `template` None means the default one with a line per identifier label. `on_success` and `on_failure` are the
    statuses that the workflow itself gives the subtask; what the original does is not published, so neither is set.
    """

    url: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    credentials: tuple[Credential, ...] = ()
    template: str | None = None
    labels: tuple[str, ...] = ("email",)
    timeout_s: float = 10.0
    retries: int = 0
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(slots=True)
class Delivery:
    """What became of one call. `status` None means that no answer came; `error` then says why."""

    subtask_id: str
    ref_id: str
    event_id: str
    kind: str
    knobs: dict[str, Any]
    at: float
    attempts: int = 0
    status: int | None = None
    answer: Any = None
    error: str = ""
    elapsed_s: float = 0.0

    @property
    def is_accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class _Recorded:
    """Bytes and headers as they went over the wire."""

    headers: dict[str, str]
    body: bytes
    call: Call


class Outbound:
    """Fires the workflow and remembers every call."""

    def __init__(self, desk: Desk, faults: Faults, workflow: Workflow | None) -> None:
        self.workflow = workflow
        self.deliveries: list[Delivery] = []
        self.dead_letters: list[Call] = []
        self._desk = desk
        self._faults = faults
        self._recorded: dict[str, _Recorded] = {}
        self._lock = threading.Lock()

    def fire(
        self, subtask_ids: Iterable[str], *, threads: int = 1, knobs: Mapping[str, Any] | Iterable[str] = ()
    ) -> list[Delivery]:
        """Send the callback of each subtask with up to `threads` at once; returns when all are answered."""
        wanted = _checked(knobs)
        work = list(subtask_ids)
        if unknown := [subtask_id for subtask_id in work if subtask_id not in self._desk.subtasks]:
            raise ValueError(f"no such subtask: {unknown[0]}")
        workflow = self._require_workflow()
        if "out_of_order" in wanted or self._faults.take("out_of_order", OPERATION):
            work.reverse()
        return self._spread(
            work, threads, lambda subtask_id, session: self._event(workflow, subtask_id, wanted, session)
        )

    def replay_dead_letters(self, *, threads: int = 1) -> list[Delivery]:
        """Send parked calls again, same event, signed afresh; those that fail again are parked again."""
        workflow = self._require_workflow()
        with self._lock:
            parked, self.dead_letters = self.dead_letters, []
        for call in parked:
            call.kind, call.knobs = "dead_letter", {}
        return self._spread(parked, threads, lambda call, session: [self._deliver(workflow, call, session)])

    def snapshot(self) -> dict[str, Any]:
        with self._lock:
            return {
                "deliveries": [asdict(delivery) for delivery in self.deliveries],
                "dead_letters": [{"subtask_id": c.subtask_id, "event_id": c.event_id} for c in self.dead_letters],
            }

    def _require_workflow(self) -> Workflow:
        if self.workflow is None:
            raise ValueError("no workflow is set; give one with the receiver's URL")
        return self.workflow

    def _spread(self, work: list[Any], threads: int, send: Any) -> list[Delivery]:
        """Share the work among threads; each call borrows one of `threads` keep-alive sessions."""
        sessions: queue.SimpleQueue[requests.Session] = queue.SimpleQueue()
        for _ in range(max(1, threads)):
            session = requests.Session()
            session.trust_env = False
            sessions.put(session)

        def one(item: Any) -> list[Delivery]:
            session = sessions.get()
            try:
                return list(send(item, session))
            finally:
                sessions.put(session)

        try:
            if threads <= 1:
                return [delivery for item in work for delivery in one(item)]
            with ThreadPoolExecutor(threads, thread_name_prefix="sandbox-fire") as pool:
                return [delivery for group in pool.map(one, work) for delivery in group]
        finally:
            while not sessions.empty():
                sessions.get().close()

    def _event(
        self, workflow: Workflow, subtask_id: str, knobs: Mapping[str, Any], session: requests.Session
    ) -> list[Delivery]:
        in_force = dict(knobs)
        for name in KNOBS:
            if name != "out_of_order" and (fault := self._faults.take(name, OPERATION)) is not None:
                in_force[name] = fault.value
        if "replayed_body" in in_force and (recorded := self._recorded.get(subtask_id)) is not None:
            return [self._replay(workflow, recorded, session)]
        with self._desk.lock:
            subtask = self._desk.subtasks[subtask_id]
            event = Event(self._desk.requests[subtask.ref_id], subtask, self._desk.now())
            calls = calls_for(event, workflow.template, workflow.labels, in_force)
        if "dead_letter" in in_force:
            with self._lock:
                self.dead_letters += calls
            return []
        deliveries = [self._deliver(workflow, call, session) for call in calls]
        if "replayed_body" in in_force:
            deliveries.append(self._replay(workflow, self._recorded[subtask_id], session))
        return deliveries

    def _deliver(self, workflow: Workflow, call: Call, session: requests.Session) -> Delivery:
        delivery = Delivery(call.subtask_id, call.ref_id, call.event_id, call.kind, call.knobs, self._desk.now())
        for _ in range(1 + int(call.knobs.get("retries", workflow.retries))):
            headers, body = self._dressed(workflow, call, session, delivery)
            if headers is not None:
                self._recorded[call.subtask_id] = _Recorded(headers, body, call)
                self._send(workflow, delivery, headers, body, session)
            if delivery.status is not None and delivery.status not in _WORTH_RETRYING:
                break
        self._conclude(workflow, call, delivery)
        return delivery

    def _replay(self, workflow: Workflow, recorded: _Recorded, session: requests.Session) -> Delivery:
        call = recorded.call
        delivery = Delivery(call.subtask_id, call.ref_id, call.event_id, "replay", {}, self._desk.now())
        self._send(workflow, delivery, recorded.headers, recorded.body, session)
        with self._lock:
            self.deliveries.append(delivery)
        return delivery

    def _dressed(
        self, workflow: Workflow, call: Call, session: requests.Session, delivery: Delivery
    ) -> tuple[dict[str, str] | None, bytes]:
        """Return headers and body; headers are None when a token for the call could not be had."""
        knobs = call.knobs
        content_type = "text/plain" if "text_plain" in knobs else "application/json"
        headers = {"Content-Type": content_type, **workflow.headers}
        signed_at = self._desk.now() - knobs.get("old_timestamp", 0) + knobs.get("future_timestamp", 0)
        if "missing_header" not in knobs:
            for credential in workflow.credentials:
                try:
                    headers |= credential.headers(call.body, signed_at, session, spoil="wrong_secret" in knobs)
                except (requests.RequestException, ValueError, KeyError) as exc:
                    delivery.attempts += 1
                    delivery.error = f"no token: {type(exc).__name__}"
                    return None, call.body
        return headers, tampered(call.body) if "tampered_body" in knobs else call.body

    def _send(
        self, workflow: Workflow, delivery: Delivery, headers: dict[str, str], body: bytes, session: requests.Session
    ) -> None:
        timeout_s = float(delivery.knobs.get("client_timeout", workflow.timeout_s))
        delivery.attempts += 1
        started = time.perf_counter()
        try:
            response = session.request(
                workflow.method, workflow.url, data=body, headers=headers, timeout=timeout_s, allow_redirects=False
            )
        except requests.RequestException as exc:
            delivery.status, delivery.answer, delivery.error = None, None, type(exc).__name__
        else:
            delivery.status, delivery.answer, delivery.error = response.status_code, _json_or_text(response), ""
        delivery.elapsed_s = time.perf_counter() - started

    def _conclude(self, workflow: Workflow, call: Call, delivery: Delivery) -> None:
        with self._lock:
            self.deliveries.append(delivery)
            if not delivery.is_accepted:
                self.dead_letters.append(call)
        status = workflow.on_success if delivery.is_accepted else workflow.on_failure
        if status is not None:
            with self._desk.lock:
                self._desk.subtasks[call.subtask_id].write_status(status, at=self._desk.now(), by="workflow")


def _checked(knobs: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """Return each knob with its value; what is not in the catalogue is refused."""
    given = dict(knobs) if isinstance(knobs, Mapping) else dict.fromkeys(knobs)
    if unknown := set(given) - set(KNOBS):
        raise ValueError(f"no knob {sorted(unknown)}; there are: {sorted(KNOBS)}")
    return {name: KNOBS[name].checked(name, value) for name, value in given.items()}


def _json_or_text(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]
