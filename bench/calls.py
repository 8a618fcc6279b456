"""The floor of the pipeline: the remote calls that the work needs, and nothing else.

A minimal loop over the standard library's HTTP client: no store, no mapping, no retries, no limits. It makes the same
calls with the same concurrency as the product, phase by phase.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from bench.stage import BenchError

_TIMEOUT_S: Final = 30.0
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Person:
    """One erasure request and the subtask to report on, and the identities to delete, as (field, value)."""

    request_ref: str
    subtask_id: str
    identities: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Line:
    """Calls one fake, over one kept connection per thread."""

    port: int
    headers: dict[str, str]
    _local: threading.local = field(default_factory=threading.local)

    def call(self, method: str, path: str, body: object = None, expected: tuple[int, ...] = (200, 201, 202)) -> Any:
        """Make a call and return the JSON of its answer."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        headers, data = dict(self.headers), None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in expected:
            raise BenchError(f"{method} {path.partition('?')[0]} was answered {answer.status}")
        return json.loads(text)


def onetrust_line(port: int, client_id: str, client_secret: str) -> Line:
    """Fetch a token and return the line that carries it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/api/access/v1/oauth/token", urlencode(form), headers)
    token = json.loads(connection.getresponse().read())["access_token"]
    connection.close()
    return Line(port, {"Authorization": f"Bearer {token}"})


@dataclass(frozen=True, slots=True)
class BareLoop:
    """Carries out erasure requests with the fewest calls that can do it."""

    lytics: Line
    onetrust: Line
    deletion_api: str
    concurrency: int
    report_concurrency: int
    batch_max_values: int

    def run(self, people: Sequence[Person]) -> None:
        identities = [one for person in people for one in person.identities]
        each(self._read_back, people, self.report_concurrency)
        each(self._report("IN_PROGRESS"), people, self.report_concurrency)
        each(self._look_up, identities, self.concurrency)
        operations = [remote_id for batch in self._batches(identities) for remote_id in self._submit(*batch)]
        each(self._follow, operations, self.concurrency)
        each(self._look_up, identities, self.concurrency)
        each(self._report("COMPLETED"), people, self.report_concurrency)

    def _read_back(self, person: Person) -> None:
        self.onetrust.call("GET", f"/api/datasubject/v2/subtasks/{person.subtask_id}")
        self.onetrust.call("GET", f"/api/datasubject/v2/requestqueues/{person.request_ref}/language/en-us")

    def _look_up(self, identity: tuple[str, str]) -> None:
        name, value = identity
        body = {"table": "user", "key": name, "field": name, "value": value}
        self.lytics.call("POST", "/v2/identity/lookup", body, (200, 404))

    def _batches(self, identities: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
        by_field: dict[str, list[str]] = {}
        for name, value in identities:
            by_field.setdefault(name, []).append(value)
        for name, values in by_field.items():
            for start in range(0, len(values), self.batch_max_values):
                yield name, values[start : start + self.batch_max_values]

    def _submit(self, name: str, values: list[str]) -> list[str]:
        if self.deletion_api == "identity-delete":
            body: Mapping[str, object] = {"table": "user", "field": name, "values": values}
            return [self.lytics.call("POST", "/v2/identity/delete", body)["data"]["request_id"]]
        answer = self.lytics.call("DELETE", f"/v2/identity/queue/bulk/user/{name}", {"values": values})
        return list(answer["data"]["successes"].values())

    def _follow(self, remote_id: str) -> None:
        place = "delete/status" if self.deletion_api == "identity-delete" else "deletestatus"
        data = self.lytics.call("GET", f"/v2/identity/{place}/{remote_id}")["data"]
        if data.get("status") != "completed" and data.get("completed") is not True:
            raise BenchError("a deletion was not finished at once")

    def _report(self, status: str) -> Callable[[Person], None]:
        def one(person: Person) -> None:
            path = f"/api/datasubject/v2/subtasks/{person.subtask_id}"
            self.onetrust.call("GET", path)
            self.onetrust.call("PUT", f"{path}/status", {"status": status, "comment": "x" * 200})

        return one


def each(call: Callable[[Item], Result], items: Iterable[Item], concurrency: int) -> list[Result]:
    """Make one call per item, a few at a time."""
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(call, items))
