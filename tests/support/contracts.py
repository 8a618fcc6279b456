"""What we send, held against the vendors' published descriptions: tests/contract/vendors, one file for each vendor.

Every call that reaches a fake while `checked` is entered is read, and each that no operation of the files describes is
a fault. The files say what we use, in our own words; where the vendor publishes less than we send, its page is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from jsonschema import Draft202012Validator
from werkzeug.wrappers import Request

from connector.sandbox.fake import Fake
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust

VENDORS = Path(__file__).parent.parent / "contract" / "vendors"
# Segments are one percent-encoded piece each.
_SEGMENT = r"[^/?#]+"


@dataclass(frozen=True)
class Operation:
    """One call that a vendor describes, as we may make it."""

    said: Mapping[str, Any]
    headers: Mapping[str, str]
    query: Mapping[str, Any]

    def matches(self, method: str, path: str) -> bool:
        return method == self.said["method"] and re.fullmatch(self._pattern(), path) is not None

    def _pattern(self) -> str:
        kinds = self.said.get("segments", {})
        pieces = re.split(r"\{(\w+)\}", self.said["path"])
        return "".join(
            f"(?:{kinds.get(piece, _SEGMENT)})" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)
        )

    def faults(self, request: Request) -> Iterator[str]:
        for name, pattern in self.headers.items():
            if re.fullmatch(pattern, request.headers.get(name, "")) is None:
                yield f"header {name}"
        for name, value in request.args.items(multi=True):
            schema = self.query.get(name)
            if schema is None or not Draft202012Validator(schema).is_valid(value):
                yield f"parameter {name}"
        yield from self._faults_in_body(request)

    def _faults_in_body(self, request: Request) -> Iterator[str]:
        body = request.get_data(cache=True)
        if "json" in self.said:
            if request.mimetype != "application/json":
                yield "media type"
            yield from _faults_in(self.said["json"], body)
        elif "form" in self.said:
            fields = request.form.to_dict()
            if set(fields) != set(self.said["form"]) or set(request.files) != set(self.said.get("files", ())):
                yield "form fields"
            for name, pattern in self.said["form"].items():
                if pattern == "json":
                    yield from _faults_in(self.said["form_json"], fields.get(name, "").encode())
                elif re.fullmatch(pattern, fields.get(name, "")) is None:
                    yield f"form field {name}"
        elif body:
            yield "a body where none is described"


def _faults_in(schema: Any, body: bytes) -> Iterator[str]:
    try:
        said = json.loads(body)
    except ValueError:
        yield "body is no JSON"
        return
    for error in Draft202012Validator(schema).iter_errors(said):
        # Never the value: it may be anybody's.
        yield f"body at /{'/'.join(map(str, error.absolute_path))}: {error.validator}"


class Contract:
    """The operations of one vendor."""

    def __init__(self, path: Path) -> None:
        self.said = json.loads(path.read_text(encoding="utf-8"))
        headers, query = self.said.get("headers", {}), self.said.get("query", {})
        self.operations = [
            Operation(one, headers | one.get("headers", {}), query | one.get("query", {}))
            for one in self.said["operations"]
        ]

    def faults(self, request: Request) -> list[str]:
        """Say what is wrong with a call; that it is none of the operations counts as well."""
        raw = str(request.environ.get("REQUEST_URI", request.path)).partition("?")[0]
        found = [one for one in self.operations if one.matches(request.method, raw)]
        if not found:
            return ["described nowhere"]
        return min((list(one.faults(request)) for one in found), key=len)


CONTRACTS: Mapping[type[Fake], Contract] = {
    FakeLytics: Contract(VENDORS / "lytics.json"),
    FakeOneTrust: Contract(VENDORS / "onetrust.json"),
}


@contextmanager
def checked() -> Iterator[list[str]]:
    """Check every call that the fakes of this process get; raise at the end if one was not as described.

    Yields the calls that were checked, each as method and operation.
    """
    seen: list[str] = []
    faults: list[str] = []
    entered = Fake._entered

    def watched(fake: Fake, request: Request, operation: str) -> None:
        if (contract := CONTRACTS.get(type(fake))) is not None:
            seen.append(f"{request.method} {operation}")
            faults.extend(f"{request.method} {operation}: {one}" for one in contract.faults(request))
        entered(fake, request, operation)

    with mock.patch.object(Fake, "_entered", watched):
        yield seen
    assert not faults, f"calls that the vendor does not describe: {sorted(set(faults))}"


@pytest.fixture(autouse=True)
def as_the_vendors_describe() -> Iterator[None]:
    """For a conftest: whatever the tests beside it let the product send is checked."""
    with checked():
        yield
