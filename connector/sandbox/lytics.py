"""A fake Lytics: both published deletion APIs, look-up, schema, and the ways in which they go wrong.

It imitates what the vendor publishes and marks nothing as certain that the vendor leaves open; the switches cover the
open places. It deletes by its own clock, counts every submission, and never talks to anybody.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.defaults import LYTICS_EXPIRED_TOKEN, LYTICS_READ_ONLY_TOKEN, LYTICS_TOKEN
from connector.sandbox.fake import TRANSPORT_SWITCHES, Fake, Route, answer, body_json
from connector.sandbox.faults import Switch
from connector.sandbox.lytics_delete import DeleteApi
from connector.sandbox.lytics_profiles import ProfileApi
from connector.sandbox.lytics_queue import QueueApi
from connector.sandbox.lytics_state import DEFAULT_SCHEMA, Profile, World
from connector.sandbox.lytics_wire import SUBMITS, Refused, v1, v2_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from werkzeug.wrappers import Request, Response

APIS: Final = ("identity-delete", "identity-queue")
SWITCHES: Final[dict[str, Switch]] = TRANSPORT_SWITCHES | {
    "token_expired": Switch("Every token is answered 401 `Expired Token`, in the v1 shape."),
    "address_refused": Switch("The account's list of addresses does not hold the caller's: 401, whatever the token."),
    "forbidden": Switch("Answers 403 FORBIDDEN-026: on deletion calls, or on the operation named."),
    "refuse_in_values": Switch("identity-queue: a token without permission gives a 202 with every value in `errors`."),
    "identity_delete_off": Switch(
        "The account does not answer identity-delete. Value: 404 (default) or 405.", 404, (404, 405)
    ),
    "identity_queue_off": Switch(
        "The account does not answer identity-queue. Value: 404 (default) or 405.", 404, (404, 405)
    ),
    "too_large": Switch("Answers 413 above this number of values in one call. Value: the number, default 100.", 100),
    "body_dropped": Switch("identity-queue: a proxy has removed the body of the DELETE, so the answer is 400."),
    "data_null": Switch("`data` is null in the answer; the work was done."),
    "deletion_failed": Switch("The deletion submitted now will end as `failed`; nobody is removed."),
    "stuck": Switch("The deletion submitted now never finishes, until `/_sandbox/release`."),
    "deleted_fewer": Switch(
        "The deletion submitted now leaves profiles and counts fewer. Value: how many, default 1.", 1
    ),
    "still_present": Switch(
        "The deletion submitted now is reported done, but look-up finds it. Value: one identity, default all."
    ),
    "comes_back": Switch(
        "The person deleted now returns as a new profile. Value: seconds after the end, default 3600.", 3600.0
    ),
    "lookup_lags": Switch(
        "Look-up finds the deleted profile for a while. Value: seconds after the end, default 60.", 60.0
    ),
    "tangled": Switch(
        "Look-up shows identities of other people on the profile. Value: how many in each identity field, default 3.", 3
    ),
    "identifiers_hidden": Switch("Look-up shows that there is a profile and none of its identities: no v2_pii_view."),
    "unknown_state": Switch("Status reads give a state word nobody knows. Value: the word.", "rebalancing"),
    "no_counts": Switch("identity-delete: status without the counts requested and deleted."),
    "id_forgotten": Switch("Status reads answer 404 for an id that was given out."),
    "submit_shape": Switch(
        "identity-delete: another shape of the answer to a submission. Value: which one.",
        "string",
        ("string", "requestId", "id", "delete_request_id", "top_level", "maps", "no_id"),
    ),
    "status_shape": Switch(
        "identity-delete: other key names in the status. Value: `profiles` or `state`.",
        "profiles",
        ("profiles", "state"),
    ),
    "list_shape": Switch(
        "Status lists come wrapped, as a map, or not at all. Value: `wrapped`, `map`, `missing`.",
        "wrapped",
        ("wrapped", "map", "missing"),
    ),
    "value_lost": Switch(
        "identity-queue: a value is in neither map and is not queued. Value: which, default the first."
    ),
    "value_in_both": Switch("identity-queue: a value is in both maps. Value: which, default the first."),
    "keys_lowercased": Switch("identity-queue: the maps come back with lower-case keys."),
    "error_objects": Switch("identity-queue: entries of `errors` are objects, not text."),
    "completed_without_done": Switch("identity-queue: `completed` is true while the state says `secondary`."),
    "old_id_after_return": Switch(
        "identity-queue: a person who came back gets the old, completed id; nothing is deleted."
    ),
    "pii_redacted": Switch(
        "Look-up finds a profile without its personal fields, as for a token that may not see them. Value: `absent` "
        "(default), or `marked`.",
        "absent",
        ("absent", "marked"),
    ),
    "v1_not_found": Switch(
        "Look-up answers 200 with the older API's filler instead of 404. Value: its message, default `Not Found`.",
        "Not Found",
        ("Not Found", "Timed out"),
    ),
    "idconfig_set": Switch("`/idconfig` answers 200 instead of the usual 404."),
    "table_unknown": Switch("The schema lacks every table."),
    "field_unknown": Switch("The schema lacks a field. Value: which, default email.", "email"),
    "field_no_identity": Switch("A field of the schema is no identity. Value: which, default email.", "email"),
}


class FakeLytics(Fake):
    """The fake. Use as a context manager, or `start()` and `stop()`.

    `finish_after_s`: how long a deletion takes on the fake's clock. `api`: which deletion APIs are answered.
    `account_id`: when given, any other `account_id` in a query is not found. `schema`: table -> field -> is identity.
    """

    def __init__(
        self,
        port: int = 0,
        token: str = LYTICS_TOKEN,
        finish_after_s: float = 0.0,
        clock: Callable[[], float] = time.time,
        api: Collection[str] = APIS,
        *,
        account_id: str | None = None,
        schema: Mapping[str, Mapping[str, bool]] = DEFAULT_SCHEMA,
    ) -> None:
        super().__init__(port, clock, SWITCHES)
        if unknown := set(api) - set(APIS):
            raise ValueError(f"no deletion API {sorted(unknown)}; there are: {list(APIS)}")
        self.token = token
        self.account_id = account_id
        self.world = World(self.now, finish_after_s, schema)
        control = [
            Route("POST", "/_sandbox/seed", "_seed", self._seed),
            Route("POST", "/_sandbox/release", "_release", self._release),
        ]
        groups = (
            DeleteApi(self.world, self.faults),
            QueueApi(self.world, self.faults),
            ProfileApi(self.world, self.faults),
        )
        answered = [
            Route(r.method, r.rule, r.operation, self._refusing(r.handler)) for group in groups for r in group.routes()
        ]
        self.mount([*control, *answered])
        for name in set(APIS) - set(api):
            self.faults.turn_on(name.replace("-", "_") + "_off")

    @property
    def profiles(self) -> list[Profile]:
        """The profiles that exist now."""
        with self.world.lock:
            self.world.settle()
            return list(self.world.profiles.values())

    @property
    def finish_after_s(self) -> float:
        """How long a deletion submitted from now on takes."""
        return self.world.finish_after_s

    @finish_after_s.setter
    def finish_after_s(self, seconds: float) -> None:
        self.world.finish_after_s = seconds

    def seed(self, table: str, field: str, value: str, **more_fields: str) -> Profile:
        """Create a profile, or add fields to the one found by this identity."""
        return self.world.seed(table, field, value, more_fields)

    def tangle(self, table: str, field: str, value: str, **others: Collection[str]) -> Profile:
        """Tie identities of other people to the profile found by this identity, which is created if there is none."""
        profile = self.seed(table, field, value)
        self.world.tangle(profile, others)
        return profile

    def has(self, table: str, field: str, value: str) -> bool:
        """Say whether this identity finds a profile now."""
        return self.world.find(table, field, value) is not None

    def times_submitted(self, table: str, field: str, value: str) -> int:
        """In how many accepted deletion calls this identity was."""
        with self.world.lock:
            return self.world.times_submitted[(table, field, value)]

    def release_stuck(self) -> int:
        """Let stuck deletions run on."""
        return self.world.release_stuck()

    def snapshot(self) -> dict[str, Any]:
        return super().snapshot() | self.world.snapshot()

    def summary(self) -> dict[str, Any]:
        return super().summary() | self.world.summary()

    def guard(self, request: Request, operation: str) -> Response | None:
        token = request.headers.get("Authorization", "")
        if token == LYTICS_EXPIRED_TOKEN or self.faults.take("token_expired", operation):
            return answer(401, {"message": "Expired Token", "status": 401})
        known = token in {self.token, LYTICS_READ_ONLY_TOKEN}
        if not known or self.faults.take("address_refused", operation):
            return answer(401, {"message": "Not authorized", "status": 401})
        wanted = request.args.get("account_id")
        if self.account_id is not None and wanted not in {None, self.account_id}:
            return v2_error(404, "account not found", self.now(), "ACCOUNT-NOTFOUND-021")
        if self.faults.take("forbidden", operation, unless_named=SUBMITS):
            return v2_error(403, "permission denied", self.now())
        if token == LYTICS_READ_ONLY_TOKEN and operation in SUBMITS:
            return v2_error(403, "permission denied", self.now())
        return None

    def error(self, status: int, message: str, operation: str) -> Response:  # noqa: ARG002 (one shape for all)
        return v2_error(status, message, self.now())

    def rate_limited(self, value: Any, operation: str) -> Response:  # noqa: ARG002 (one shape for all)
        response = v2_error(429, "too many requests", self.now())
        if value == "date":
            response.headers["Retry-After"] = formatdate(self.now() + 60, usegmt=True)
        elif value is not None:
            response.headers["Retry-After"] = str(value)
        return response

    def finished(self, operation: str, response: Response) -> Response:
        if self.faults and response.status_code < 400 and self.faults.take("data_null", operation):  # noqa: PLR2004
            body = response.get_json()
            return answer(response.status_code, body | {"data": None})
        return response

    def _refusing(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        def handled(request: Request, **arguments: str) -> Response:
            try:
                return handler(request, **arguments)
            except Refused as refusal:
                if request.path.startswith("/api/"):
                    return v1(None, refusal.message, refusal.status)
                return v2_error(refusal.status, refusal.message, self.now(), refusal.code)

        return handled

    def _seed(self, request: Request) -> Response:
        body = body_json(request)
        for item in body.get("profiles", [body]):
            self.seed(item["table"], item["field"], item["value"], **item.get("fields", {}))
            if "others" in item:
                self.tangle(item["table"], item["field"], item["value"], **item["others"])
        return answer(200, {"profiles": len(self.profiles)})

    def _release(self, _request: Request) -> Response:
        return answer(200, {"released": self.release_stuck()})
