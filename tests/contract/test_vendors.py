"""The contract files say what the vendors publish, and the check that uses them sees what is not as described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from tests.acceptance.journey import journey
from tests.support.contracts import CONTRACTS, checked

OPERATIONS = [(one.said["vendor"], op) for one in CONTRACTS.values() for op in one.said["operations"]]
SUBTASK = "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"
STATUS = f"/api/datasubject/v2/subtasks/{SUBTASK}/status"
LOOKUP = {"table": "user", "key": "email", "field": "email", "value": "ana@example.com"}


@pytest.mark.parametrize(
    "operation", [op for _, op in OPERATIONS], ids=[f"{who}: {op['name']}" for who, op in OPERATIONS]
)
def test_an_operation_names_its_page_and_a_schema_that_is_one(operation: dict[str, Any]) -> None:
    pages = {name for one in CONTRACTS.values() for name in one.said["pages"]}
    assert operation["page"] in pages
    for schema in (operation[name] for name in ("json", "form_json") if name in operation):
        Draft202012Validator.check_schema(schema)


def call(fake: type[Any], method: str, path: str, **given: Any) -> str:
    """Make one call, and return the fault that the check found; empty if none."""
    headers = {"Authorization": "at.1.secret" if fake is FakeLytics else "Bearer token"} | given.pop("headers", {})
    with fake() as running, requests.Session() as session:
        try:
            with checked():
                session.request(method, running.url + path, headers=headers, timeout=20, **given)
        except AssertionError as fault:
            return str(fault)
    return ""


@pytest.mark.parametrize(
    ("method", "path", "given", "fault"),
    [
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"json": {"values": ["a@example.com"]}}, ""),
        ("DELETE", "/v2/identity/queue/bulk/user/email?account_id=1", {"json": {"values": ["a"]}}, ""),
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"json": ["a@example.com"]}, "body at /: type"),
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"json": {"values": []}}, "body at /values: minItems"),
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"json": {"values": [7]}}, "body at /values/0: type"),
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"json": {"values": ["a", "a"]}}, "uniqueItems"),
        ("DELETE", "/v2/identity/queue/bulk/user/email", {"data": "{"}, "body is no JSON"),
        ("DELETE", "/v2/identity/queue/bulk/user/email?soft=true", {"json": {"values": ["a"]}}, "parameter soft"),
        ("POST", "/v2/identity/lookup", {"json": LOOKUP}, ""),
        ("POST", "/v2/identity/lookup", {"json": LOOKUP, "headers": {"Authorization": "Bearer at.1.s"}}, "header Auth"),
        ("POST", "/v2/identity/lookup", {"data": LOOKUP}, "media type"),
        ("GET", "/v2/identity/deletestatus/x", {"json": {}}, "a body where none is described"),
        ("DELETE", "/api/entity/softdelete/user/email/a@example.com", {}, "described nowhere"),
    ],
)
def test_a_call_to_lytics_that_is_not_as_described_is_seen(
    method: str, path: str, given: dict[str, Any], fault: str
) -> None:
    found = call(FakeLytics, method, path, **given)
    assert fault in found
    assert bool(fault) == bool(found)
    assert "example.com" not in found


@pytest.mark.parametrize(
    ("method", "path", "given", "fault"),
    [
        ("PUT", STATUS, {"json": {"status": "COMPLETED", "comment": "done", "resolutionId": SUBTASK}}, ""),
        ("PUT", STATUS, {"json": {"status": "FAILED", "resolutionId": SUBTASK}}, "body at /: not"),
        ("PUT", STATUS, {"json": {"status": "OPEN"}}, "body at /status: enum"),
        ("PUT", STATUS, {"data": {"status": "COMPLETED"}}, "media type"),
        ("PUT", STATUS, {"json": {"status": "FAILED"}, "headers": {"Authorization": "APIKey x"}}, "header Auth"),
        ("PUT", STATUS.replace(SUBTASK, "K7Q2M9XW4D"), {"json": {"status": "FAILED"}}, "described nowhere"),
        ("GET", "/api/datasubject/v2/requestqueues/K7Q2M9XW4D/subtasks?size=500", {}, "parameter size"),
        ("POST", "/api/datasubject/v3/subtasks", {"json": {"SystemName": "x"}}, "body at /: required"),
        ("POST", "/api/access/v1/oauth/token", {"json": {"grant_type": "client_credentials"}}, "form fields"),
        (
            "POST",
            "/api/document/v2/attachments",
            {"files": {"file": ("e.csv", b"x"), "attachment": (None, '{"FileName":"e.json"}')}},
            "body at /: required",
        ),
    ],
)
def test_a_call_to_onetrust_that_is_not_as_described_is_seen(
    method: str, path: str, given: dict[str, Any], fault: str
) -> None:
    found = call(FakeOneTrust, method, path, **given)
    assert fault in found
    assert bool(fault) == bool(found)


def test_the_calls_of_a_whole_life_are_checked(tmp_path: Path) -> None:
    with checked() as seen, journey(f"sqlite:///{tmp_path / 'store.db'}") as life:
        life.knows("ana@example.com")
        asked = life.ask("ana@example.com")
        life.accept(asked)
        life.run_until_told(asked)
    assert {"POST token", "GET subtask_get", "GET request_get", "PUT subtask_status"} <= set(seen)
    assert {"POST lookup_post", "POST delete_submit", "GET delete_status"} <= set(seen)
