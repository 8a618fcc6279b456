"""What both fakes share: routing, clock, transport faults, evidence of who called what, and the `/_sandbox` routes."""

from __future__ import annotations

import json
import threading
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from connector.sandbox.faults import Faults, Switch, UnknownFaultError
from connector.sandbox.server import CUT_BODY, TRICKLE, DropConnection, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TRANSPORT_SWITCHES: Final[dict[str, Switch]] = {
    "latency": Switch("Waits before the call is handled. Value: seconds, default 1.", 1.0),
    "drop_before": Switch("Closes the connection without an answer; nothing was done."),
    "drop_after": Switch("Does the work, then closes the connection without an answer."),
    "server_error": Switch(
        "Answers with an error of the server; nothing was done. Value: 500 (default), 501, 503 or 504.",
        500,
        (500, 501, 503, 504),
    ),
    "server_error_after": Switch("Does the work, then answers 500."),
    "bad_gateway": Switch("Answers 502 with an HTML page; nothing was done."),
    "html_page": Switch("Answers 200 with an HTML page, as a login page in between does; nothing was done."),
    "rate_limited": Switch("Answers 429. Value: seconds for Retry-After, `date` for an HTTP date, default no header."),
    "empty_answer": Switch("Does the work, then answers 204 without a body."),
    "truncated_json": Switch("Does the work; the JSON of the answer breaks off in the middle."),
    "short_body": Switch("Does the work; the connection ends before the promised Content-Length."),
    "slow_answer": Switch(
        "Does the work; the answer comes byte by byte. Value: seconds between two bytes, default 0.2.", 0.2
    ),
    "clock_off": Switch(
        "This fake's clock is wrong while it is on, and so is the header Date. Value: seconds, default 3600; below 0 "
        "it is behind.",
        3600.0,
    ),
}


@dataclass(frozen=True, slots=True)
class Route:
    """One call that a fake answers; `operation` is the name used by switches and evidence."""

    method: str
    rule: str
    operation: str
    handler: Callable[..., Response]


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON answer."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(text, status=status, headers=dict(headers or {}), content_type="application/json")


def body_json(request: Request) -> Any:
    """Parse the body as JSON, whatever its content type; `ValueError` when it is none."""
    return json.loads(request.get_data())


class Fake(LoopbackServer, ABC):
    """A fake service. Subclasses mount routes and say how they guard calls and shape errors."""

    def __init__(self, port: int, clock: Callable[[], float], switches: Mapping[str, Switch]) -> None:
        super().__init__(self._wsgi, port)
        self.faults = Faults(switches)
        #: (method, path with query) of every call outside `/_sandbox`, in order.
        self.access_log: list[tuple[str, str]] = []
        self.calls: Counter[str] = Counter()
        self.max_concurrency = 0
        self.max_concurrency_by_operation: dict[str, int] = {}
        self._in_flight: Counter[str] = Counter()
        self._clock = clock
        self._offset_s = 0.0
        self._evidence_lock = threading.Lock()
        control = [
            Route("GET", "/_sandbox/state", "_state", lambda _request: answer(200, self.snapshot())),
            Route("GET", "/_sandbox/summary", "_summary", lambda _request: answer(200, self.summary())),
            Route("GET", "/_sandbox/faults", "_faults", self._list_faults),
            Route("POST", "/_sandbox/faults", "_faults_on", self._turn_on),
            Route("DELETE", "/_sandbox/faults", "_faults_off", self._turn_off),
            Route("POST", "/_sandbox/advance", "_advance", self._advance),
        ]
        self._routes: list[Route] = control

    def mount(self, routes: Iterable[Route]) -> None:
        """Set the routes; their operations become known to the switches."""
        self._routes += routes
        rules = [Rule(r.rule, methods=[r.method], endpoint=r) for r in self._routes]
        self._urls = Map(rules, strict_slashes=False, merge_slashes=False).bind("127.0.0.1")
        self.faults.operations |= {r.operation for r in self._routes if not r.operation.startswith("_")}

    def now(self) -> float:
        """Seconds since the epoch on this fake's clock."""
        return self._clock() + self._offset_s + float(self.faults.value_of("clock_off", 0.0))

    def advance(self, seconds: float) -> float:
        """Move this fake's clock on and return the new time."""
        self._offset_s += seconds
        return self.now()

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain data."""
        with self._evidence_lock:
            return {
                "now": self.now(),
                "faults": self.faults.listed(),
                "calls": dict(self.calls),
                "access_log": [list(entry) for entry in self.access_log],
                "max_concurrency": self.max_concurrency,
                "max_concurrency_by_operation": dict(self.max_concurrency_by_operation),
            }

    def summary(self) -> dict[str, Any]:
        """The evidence, counted: where there is too much of it to be read as a whole."""
        with self._evidence_lock:
            return {"calls": dict(self.calls), "faults_used": dict(self.faults.used)}

    @abstractmethod
    def guard(self, request: Request, operation: str) -> Response | None:
        """Return a refusal, or None when the call may pass."""

    @abstractmethod
    def error(self, status: int, message: str, operation: str) -> Response:
        """Shape an error the way this service does."""

    @abstractmethod
    def rate_limited(self, value: Any, operation: str) -> Response:
        """Shape a 429 the way this service does."""

    def finished(self, operation: str, response: Response) -> Response:  # noqa: ARG002 (a hook)
        """Last change to a good answer; nothing by default."""
        return response

    def _wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._dispatch(request)
        except DropConnection:
            raise
        except Exception:  # noqa: BLE001 (a defect of the fake must be seen by whoever rehearses)
            response = answer(500, {"sandbox_defect": traceback.format_exc()})
        finally:
            request.close()
        # Every answer tells the time, as those of real servers do; RFC 9110 §6.6.1.
        response.headers["Date"] = formatdate(self.now(), usegmt=True)
        return response(environ, start_response)

    def _dispatch(self, request: Request) -> Response:
        route: Route | None = None
        arguments: Mapping[str, Any] = {}
        failure = 404
        try:
            route, arguments = self._urls.match(request.path, request.method)
        except HTTPException as exc:
            failure = exc.code or 404
        if request.path.startswith("/_sandbox/"):
            return self._control(request, route, arguments, failure)
        operation = route.operation if route is not None else "unrouted"
        self._entered(request, operation)
        try:
            return self._observed(request, operation, route, arguments, failure)
        finally:
            with self._evidence_lock:
                self._in_flight[operation] -= 1

    def _control(self, request: Request, route: Route | None, arguments: Mapping[str, Any], failure: int) -> Response:
        if "Origin" in request.headers or request.host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
            # These routes have no login, so a page open in a browser must not reach them.
            return answer(403, {"error": "sandbox routes are not for browsers"})
        if route is None:
            return answer(failure, {"error": "no such sandbox route"})
        try:
            return route.handler(request, **arguments)
        except (ValueError, TypeError, KeyError) as exc:
            return answer(400, {"error": f"{type(exc).__name__}: {exc}"})

    def _entered(self, request: Request, operation: str) -> None:
        with self._evidence_lock:
            self.access_log.append((request.method, str(request.environ.get("REQUEST_URI", request.full_path))))
            self.calls[operation] += 1
            self._in_flight[operation] += 1
            self.max_concurrency = max(self.max_concurrency, self._in_flight.total())
            best = self.max_concurrency_by_operation.get(operation, 0)
            self.max_concurrency_by_operation[operation] = max(best, self._in_flight[operation])

    def _observed(
        self, request: Request, operation: str, route: Route | None, arguments: Mapping[str, Any], failure: int
    ) -> Response:
        refusal = self._fault_before(operation) or self.guard(request, operation)
        if refusal is not None:
            return refusal
        if route is None:
            return self.error(failure, "method not allowed" if failure == 405 else "no such route", operation)  # noqa: PLR2004
        response = self.finished(operation, route.handler(request, **arguments))
        return self._fault_after(operation, request, response) if self.faults else response

    def _fault_before(self, operation: str) -> Response | None:
        if not self.faults:
            return None
        if (fault := self.faults.take("latency", operation)) is not None:
            self.stopping.wait(float(fault.value))
        if self.faults.take("drop_before", operation):
            raise DropConnection
        if (fault := self.faults.take("rate_limited", operation)) is not None:
            return self.rate_limited(fault.value, operation)
        if (fault := self.faults.take("server_error", operation)) is not None:
            return self.error(int(fault.value), "an internal error, switched on", operation)
        if self.faults.take("bad_gateway", operation):
            page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
            return Response(page, status=502, content_type="text/html")
        if self.faults.take("html_page", operation):
            page = "<!doctype html><html><body><form>Please log in</form></body></html>"
            return Response(page, status=200, content_type="text/html")
        return None

    def _fault_after(self, operation: str, request: Request, response: Response) -> Response:
        if self.faults.take("drop_after", operation):
            raise DropConnection
        if self.faults.take("server_error_after", operation):
            return self.error(500, "an internal error after the work was done, switched on", operation)
        if self.faults.take("empty_answer", operation):
            return Response(b"", status=204)
        if self.faults.take("truncated_json", operation):
            whole = response.get_data()
            response.set_data(whole[: max(1, len(whole) // 2)])
        if self.faults.take("short_body", operation):
            request.environ[CUT_BODY] = True
        if (fault := self.faults.take("slow_answer", operation)) is not None:
            request.environ[TRICKLE] = float(fault.value)
        return response

    def _list_faults(self, _request: Request) -> Response:
        return answer(
            200,
            {
                "on": self.faults.listed(),
                "catalogue": self.faults.catalogue,
                "operations": sorted(self.faults.operations),
            },
        )

    def _turn_on(self, request: Request) -> Response:
        wanted = body_json(request)
        unknown = set(wanted) - {"name", "value", "times", "operation", "after", "share"}
        if unknown:
            raise UnknownFaultError(f"unknown keys: {sorted(unknown)}")
        self.faults.turn_on(wanted.pop("name"), wanted.pop("value", None), **wanted)
        return answer(200, {"on": self.faults.listed()})

    def _turn_off(self, request: Request) -> Response:
        removed = self.faults.turn_off(request.args.get("name"))
        return answer(200, {"turned_off": removed, "on": self.faults.listed()})

    def _advance(self, request: Request) -> Response:
        return answer(200, {"now": self.advance(float(body_json(request)["seconds"]))})
