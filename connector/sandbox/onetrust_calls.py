"""Which calls one event turns into: bodies, and the ways in which a switch bends them. Pure, no network."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.faults import Switch
from connector.sandbox.onetrust_state import iso
from connector.sandbox.onetrust_template import default_template, render, unescaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.sandbox.onetrust_state import DsarRequest, Subtask

#: Bend the outbound call. They may be given to one firing as knobs, or be turned on like any switch.
KNOBS: Final[dict[str, Switch]] = {
    "client_timeout": Switch("The workflow gives up waiting for the receiver. Value: seconds, default 0.5.", 0.5),
    "retries": Switch("The workflow repeats a call that failed. Value: 0 to 3, default 1.", 1, (0, 1, 2, 3)),
    "duplicate": Switch("The same event is delivered several times. Value: how often in all, default 2.", 2),
    "apply_each": Switch(
        "One call per identifier. Value: `same` (default) event id for all, or each its `own`.", "same", ("same", "own")
    ),
    "out_of_order": Switch("Several callbacks fired together go out in reverse order."),
    "dead_letter": Switch("The call is parked, not sent, until dead letters are replayed."),
    "unescaped_quote": Switch(
        "A value holds a quotation mark that the template does not escape, so the body is no valid JSON."
    ),
    "unrendered_placeholder": Switch(
        "A placeholder is left unrendered. Value: the identifier, default email.", "email"
    ),
    "wrong_secret": Switch("The credential uses a wrong secret."),
    "missing_header": Switch("The credential's headers are left out."),
    "old_timestamp": Switch("The signature is this old. Value: seconds, default 3600.", 3600.0),
    "future_timestamp": Switch("The signature comes from the future. Value: seconds, default 3600.", 3600.0),
    "replayed_body": Switch("An attacker sends a recorded call again: same bytes, same headers."),
    "oversized_body": Switch("The body is too large. Value: KiB, default 300.", 300),
    "text_plain": Switch("The content type is text/plain."),
    "tampered_body": Switch("The body is changed after it was signed."),
    "doubled_event_id": Switch("A second call has the same event id and other content."),
}


@dataclass(slots=True)
class Call:
    """One body to be sent, and why it is sent."""

    subtask_id: str
    ref_id: str
    event_id: str
    body: bytes
    kind: str = "event"
    knobs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """What the trigger knows about one subtask."""

    request: DsarRequest
    subtask: Subtask
    at: float

    def identifiers(self) -> dict[str, str]:
        email = {"email": self.request.email} if self.request.email else {}
        return email | self.request.identifiers

    def data(self, event_id: str, identifiers: Mapping[str, str]) -> dict[str, Any]:
        """Return the tree that the template reads."""
        payload = {
            "requestQueueRefId": self.request.ref_id,
            "requestQueueId": self.request.queue_id,
            "subTaskId": self.subtask.id,
            "requestTypes": self.request.request_types,
            "countryCode": self.request.country_code,
            "deadline": iso(self.request.deadline),
            "testRequest": self.request.test_request,
            "firstName": self.request.first_name,
            "lastName": self.request.last_name,
            "identifiers": dict(identifiers),
        }
        return {"event": {"eventId": event_id, "eventTime": iso(self.at), "payload": payload}}


def calls_for(event: Event, template: str | None, labels: Iterable[str], knobs: Mapping[str, Any]) -> list[Call]:
    """Return the calls of one event, in the order in which they are sent."""
    event_id = str(uuid.uuid4())
    everything = event.identifiers()
    text = template or default_template(dict.fromkeys([*labels, *everything]))
    if "unescaped_quote" in knobs:
        text = unescaped(text)

    def call(identifiers: Mapping[str, str], kind: str, own_id: str = event_id) -> Call:
        body = _bent(render(text, event.data(own_id, _spoiled(identifiers, knobs))), knobs)
        return Call(event.subtask.id, event.request.ref_id, own_id, body, kind, dict(knobs))

    if "apply_each" in knobs:
        own = knobs["apply_each"] == "own"
        calls = [
            call({label: value}, "apply_each", str(uuid.uuid4()) if own else event_id)
            for label, value in everything.items()
        ]
    else:
        calls = [call(everything, "event")]
    calls += [call(everything, "duplicate") for _ in range(int(knobs.get("duplicate", 1)) - 1)]
    if "doubled_event_id" in knobs:
        calls.append(call({label: f"other.{value}" for label, value in everything.items()}, "doubled"))
    return calls


def tampered(body: bytes) -> bytes:
    """Change the content while it stays valid JSON."""
    return body.replace(b"{", b'{"tampered": true,', 1)


def _spoiled(identifiers: Mapping[str, str], knobs: Mapping[str, Any]) -> dict[str, str]:
    spoiled = dict(identifiers)
    if "unescaped_quote" in knobs and spoiled:
        first = next(iter(spoiled))
        spoiled[first] = f'Jo "the cat" {spoiled[first]}'
    if "unrendered_placeholder" in knobs:
        label = str(knobs["unrendered_placeholder"])
        spoiled[label] = f'${{(event.payload.identifiers["{label}"])!}}'.replace('"', "'")
    return spoiled


def _bent(body: str, knobs: Mapping[str, Any]) -> bytes:
    if "oversized_body" in knobs:
        padding = "x" * (int(knobs["oversized_body"]) * 1024)
        body = body.replace("{", '{"padding": "' + padding + '",', 1)
    return body.encode()
