"""Look-ups, schema and the older v1 calls of the fake Lytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.sandbox.fake import Route, body_json
from connector.sandbox.lytics_state import Profile, timestamp
from connector.sandbox.lytics_wire import Api, Refused, v1, v2

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response


class ProfileApi(Api):
    """Is this person still there, and which fields are identities?"""

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/identity/lookup", "lookup_post", self.lookup_post),
            Route("GET", "/v2/identity/<table>/<name>/<path:value>", "lookup_get", self.lookup_get),
            Route("GET", "/v2/schema/<table>/field", "schema_fields", self.schema_fields),
            Route("GET", "/v2/schema/<table>/field/<name>", "schema_field", self.schema_field),
            Route("GET", "/v2/schema/<table>/fieldnames", "schema_fieldnames", self.schema_fieldnames),
            Route("GET", "/v2/schema/<table>/rank", "schema_rank", self.schema_rank),
            Route("GET", "/v2/schema/<table>/idconfig", "schema_idconfig", self.schema_idconfig),
            Route("DELETE", "/api/entity/<table>/<name>/<path:value>", "v1_delete", self.v1_delete),
            Route("GET", "/api/entity/deletestatus/<deletion_id>", "v1_status", self.v1_status),
            Route("GET", "/api/entity/<table>/<name>/<path:value>", "v1_lookup", self.v1_lookup),
        ]

    def lookup_post(self, request: Request) -> Response:
        try:
            body = body_json(request)
        except ValueError:
            raise Refused(400, "the body is not JSON", "JSON-BADREQ-025") from None
        wanted = body if isinstance(body, dict) else {}
        table, name, value = wanted.get("table"), wanted.get("key", wanted.get("field")), wanted.get("value")
        if not (isinstance(table, str) and isinstance(name, str) and isinstance(value, str)):
            raise Refused(400, "table, key and value are required")
        return self._found(table, name, value, "lookup_post")

    def lookup_get(self, _request: Request, table: str, name: str, value: str) -> Response:
        return self._found(table, name, value, "lookup_get")

    def _found(self, table: str, name: str, value: str, operation: str) -> Response:
        self.require_table(table)
        profile = self.world.find(table, name, value)
        if profile is None and (fault := self.faults.take("v1_not_found", operation)) is not None:
            return v1({"segments": ["not_found", "all"]}, str(fault.value))
        if profile is None:
            raise Refused(404, "entity not found", "ENTITY-NOTFOUND-012")
        if self.faults.take("identifiers_hidden", operation):
            return v2(200, {"entity": {"_id": profile.id}, "keys": [], "fragments": []})
        if (fault := self.faults.take("pii_redacted", operation)) is not None:
            return v2(200, self._redacted(profile, marked=fault.value == "marked"))
        return v2(200, self._identity_object(profile, self._strangers(profile, operation)))

    def _strangers(self, profile: Profile, operation: str) -> list[tuple[str, str]]:
        """Return the identities that a switch invents on a profile."""
        if (fault := self.faults.take("tangled", operation)) is None:
            return []
        names = [name for name in profile.fields if self.world.is_identity(profile.table, name)]
        return [(name, f"stranger-{number}@example.org") for name in names for number in range(int(fault.value))]

    def _redacted(self, profile: Profile, *, marked: bool) -> dict[str, Any]:
        """Return a profile as a token sees it that may view profiles, and no personal fields."""
        shown = {name: value for name, value in profile.fields.items() if not self._is_pii(profile.table, name)}
        hidden = {name: "[REDACTED]" for name in profile.fields if name not in shown} if marked else {}
        return {"entity": {"_id": profile.id, **shown, **hidden}, "keys": [], "fragments": []}

    def _is_pii(self, table: str, name: str) -> bool:
        return _field(name, self.world.is_identity(table, name))["is_pii"] is True

    def _identity_object(self, profile: Profile, more: list[tuple[str, str]]) -> dict[str, Any]:
        tied = [*profile.identities(), *more]
        keys = [{"key": n, "value": v} for n, v in tied if self.world.is_identity(profile.table, n)]
        moment = timestamp(profile.created_at)
        fragment = {"keys": keys, "neighbors": [], "streams": ["default"], "created": moment, "modified": moment}
        return {"entity": {"_id": profile.id, **profile.fields}, "keys": keys, "fragments": [fragment]}

    def schema_fields(self, _request: Request, table: str) -> Response:
        return v2(200, [_field(name, is_id) for name, is_id in self._schema_of(table, "schema_fields").items()])

    def schema_field(self, _request: Request, table: str, name: str) -> Response:
        known = self._schema_of(table, "schema_field")
        if name not in known:
            raise Refused(404, "field not found")
        return v2(200, _field(name, known[name]))

    def schema_fieldnames(self, _request: Request, table: str) -> Response:
        return v2(200, list(self._schema_of(table, "schema_fieldnames")))

    def schema_rank(self, _request: Request, table: str) -> Response:
        known = self._schema_of(table, "schema_rank")
        return v2(200, {"fields": [name for name, is_id in known.items() if is_id]})

    def schema_idconfig(self, _request: Request, table: str) -> Response:
        self._schema_of(table, "schema_idconfig")
        if not self.faults.take("idconfig_set", "schema_idconfig"):
            raise Refused(404, "rank settings not found")
        return v2(200, [{"field": "_uid", "compact_over": 30, "compact_after_days": 90, "many_to": []}])

    def _schema_of(self, table: str, operation: str) -> dict[str, bool]:
        """Return the fields of a table and whether each is an identity, as the switches let it be seen."""
        if table not in self.world.schema or self.faults.take("table_unknown", operation):
            raise Refused(404, "schema not found", "SCHEMA-NOTFOUND-010")
        known = dict(self.world.schema[table])
        if (fault := self.faults.take("field_unknown", operation)) is not None:
            known.pop(str(fault.value), None)
        if (fault := self.faults.take("field_no_identity", operation)) is not None and str(fault.value) in known:
            known[str(fault.value)] = False
        return known

    def v1_delete(self, _request: Request, table: str, name: str, value: str) -> Response:
        with self.world.lock:
            deletion = self.world.submit("v1", table, name, [value], self.decide_fate("v1_delete"))
            self.world.record("v1", table, name, {value: deletion.id})
        return v1({"request_id": deletion.id, "complete": False}, "delete request received")

    def v1_status(self, _request: Request, deletion_id: str) -> Response:
        with self.world.lock:
            self.world.settle()
            deletion = self.world.deletions.get(deletion_id)
            if deletion is None or deletion.api != "v1" or not self.known_id("v1_status", deletion_id):
                return v1(None, "Not Found", 404)
            return v1({"request_id": deletion.id, "complete": deletion.settled})

    def v1_lookup(self, _request: Request, table: str, name: str, value: str) -> Response:
        profile = self.world.find(table, name, value)
        if profile is None:
            return v1({"segments": ["not_found", "all"]}, "Not Found")
        return v1({**profile.fields, "segments": ["all"]})


def _field(name: str, is_identifier: bool) -> dict[str, Any]:
    return {
        "id": name,
        "type": "string",
        "is_identifier": is_identifier,
        "is_pii": is_identifier or name.endswith("name"),
        "shortdesc": name.replace("_", " ").strip(),
    }
