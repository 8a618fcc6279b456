"""A described platform in the file: what loads, and what is refused at start with its place and its mend."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connector.config import Config, load
from connector.dialect.reply import Replies
from connector.errors import Misconfigured
from connector.model import Purpose, SourceStatus
from connector.sources.registry import PLATFORMS
from connector.wiring import build_site
from tests.docs.pages import ROOT
from tests.unit.config.trial import BASE, ENVIRON, GONE, Place, spoilt, toml
from tests.unit.observe.logging_state import logging_restored

SOURCE: Place = ("sources", "shop")
GENERIC: Place = (*SOURCE, "generic")
REPORT: Place = (*GENERIC, "report")
DESCRIBED: dict[str, Any] = {
    **BASE,
    "sources": {
        "shop": {
            "platform": "generic",
            "account": "main",
            "deletion_types": ["erase"],
            "verify": [{"check": "header", "name": "X-Key", "secrets": ["env:WEBHOOK_SECRET"]}],
            "mapping": [{"kinds": ["email"], "targets": [{"table": "user", "field": "email", "steps": ["lower"]}]}],
            "generic": {
                "request_id": "id",
                "type": "type",
                "identities": [{"kind": "email", "at": "user.email"}],
                "keep": {"ticket": "ticket.number"},
                "report": {
                    "to": "configured",
                    "base_url": "https://api.example.com",
                    "path": "/v1/{request_id}/{ticket}",
                    "headers": [{"name": "Authorization", "value": "env:CLIENT_SECRET", "prefix": "Bearer "}],
                    "body": {"state": "{status}"},
                    "statuses": {"completed": "done"},
                },
            },
        }
    },
}


def loaded(folder: Path, *changes: tuple[Place, Any]) -> Config:
    file = folder / "trial.toml"
    file.write_text(toml(spoilt(*changes, base=DESCRIBED)), encoding="utf-8")
    return load(file, ENVIRON, (), PLATFORMS)


def lines(folder: Path, *changes: tuple[Place, Any]) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        loaded(folder, *changes)
    return [one.strip() for one in str(caught.value).split("\n")[1:-1]]


def test_a_description_loads_and_can_be_built(tmp_path: Path) -> None:
    config = loaded(tmp_path, (("store", "url"), f"sqlite:///{tmp_path / 'store.db'}"))
    with logging_restored():
        site = build_site(config, "cli")
        site.database.close()
    source = site.sources["shop"]
    assert source.media_types == {"application/json"}
    assert source.replies == Replies()
    assert config.describe()["sources"]["shop"]["generic"]["report"]["headers"][0]["value"] == "env:CLIENT_SECRET"
    assert "canary" not in repr(config.describe()) + repr(config) + repr(source.reporter)


def test_a_form_comes_as_a_form_alone(tmp_path: Path) -> None:
    settings = ((*GENERIC, "payload"), "form"), ((*GENERIC, "media_types"), ["text/plain"])
    config = loaded(tmp_path, *settings)
    generic = config.sources["shop"].generic
    assert generic is not None
    assert generic.content_types == {"application/x-www-form-urlencoded", "text/plain"}


def test_a_ping_is_answered_as_a_request_is_unless_it_has_an_answer_of_its_own(tmp_path: Path) -> None:
    def status(*changes: tuple[Place, Any]) -> tuple[int, int]:
        generic = loaded(tmp_path, *changes).sources["shop"].generic
        assert generic is not None
        told = [generic.replies().to(one, {}, "", duplicate=False).status for one in (Purpose.REQUEST, Purpose.PING)]
        return told[0], told[1]

    reply, ping = ((*GENERIC, "reply"), {"status": 201}), ((*GENERIC, "ping_reply"), {"status": 204})
    is_ping = ((*GENERIC, "ping"), "test")
    assert status() == (202, 200)
    assert status(reply) == (201, 201)
    assert status(ping, is_ping) == (202, 204)
    assert status(reply, ping, is_ping) == (201, 204)


def test_only_named_statuses_are_reported(tmp_path: Path) -> None:
    generic = loaded(tmp_path).sources["shop"].generic
    assert generic is not None
    assert generic.report is not None
    assert generic.report.statuses.words() == {SourceStatus.COMPLETED: "done"}


WRONG_GENERIC: list[tuple[str, Any, str, str]] = [
    ("request_id", "user.email", "sources.shop.generic", "request_id reads what identities[0].at reads"),
    ("request_id", "/user/email", "sources.shop.generic", "request_id reads what identities[0].at reads"),
    ("request_id", "customer-id", "sources.shop.generic.request_id", "double quotation marks"),
    ("type", "header:X-Topic", "sources.shop.generic", "only request_id and event_id may stand in a header"),
    ("type", GONE, "sources.shop.generic", "either where the request's type stands (type), or only_erasures = true"),
    ("only_erasures", True, "sources.shop.generic", "either where the request's type stands"),
    ("deadline", "nosuch(x)", "sources.shop.generic.deadline", "a function that JMESPath does not have"),
    ("when", "a ==", "sources.shop.generic.when", "not a JMESPath expression"),
    ("identities", [], "sources.shop.generic", "say where identities stand"),
    ("identities", [{"kind": "", "at": "x"}], "sources.shop.generic.identities[0].kind", "at least one character"),
    ("identities", [{"kind": "x", "at": ""}], "sources.shop.generic.identities[0].at", "not a JMESPath expression"),
    ("identities", [{"kind": "x", "at": "y", "knd": "z"}], "sources.shop.generic.identities[0].knd", "mean kind?"),
    ("keep", {"who": "user.email", "ticket": "t"}, "sources.shop.generic", "keep.who reads what identities[0].at"),
    ("keep", {"status": "x", "ticket": "t"}, "sources.shop.generic", "keep: a name has"),
    ("keep", {"ticket": "a["}, "sources.shop.generic.keep.ticket", "not a JMESPath expression"),
    ("ping_reply", {"status": 204}, "sources.shop.generic", "would never be sent"),
    ("deadline_unit", "unix_seconds", "sources.shop.generic", "belongs to a deadline"),
    ("callback_url", "url", "sources.shop.generic", "would be kept for nothing"),
    ("payload", "xml", "sources.shop.generic.payload", "expected 'json' or 'form'; found 'xml'"),
    ("media_types", ["Text/Plain; charset=x"], "sources.shop.generic.media_types[0]", "expected a media type"),
    ("reply", {"status": 302}, "sources.shop.generic.reply.status", "expected at most 299"),
    ("reply", {"body": {"x": "{email}"}}, "sources.shop.generic", "{duplicate}, {job_id}, {request_id}, {ticket}"),
    ("reply", {"body": "{"}, "sources.shop.generic", "not doubled"),
    ("reply", {"status": 204, "body": {}}, "sources.shop.generic.reply", "has no body"),
    ("reply", {"content_type": "text/plain"}, "sources.shop.generic.reply", "content_type without a body"),
    ("reply", {"body": 5}, "sources.shop.generic.reply.body", "expected a table or a text"),
    ("reply", {"body": ["x"]}, "sources.shop.generic.reply.body", "expected a table or a text"),
    ("reply", {"body": "x", "content_type": "a\nb"}, "sources.shop.generic.reply.content_type", "a media type"),
]
WRONG_REPORT: list[tuple[str, Any, str, str]] = [
    ("to", "callback", "sources.shop.generic.report", 'base_url belongs to to = "configured"'),
    ("base_url", "http://api.example.com", "sources.shop.generic.report.base_url", "expected https://HOST"),
    ("base_url", GONE, "sources.shop.generic.report", 'base_url belongs to to = "configured"'),
    ("hosts", ["api.example.com"], "sources.shop.generic.report", 'hosts belongs to to = "callback"'),
    ("path", "v1", "sources.shop.generic", "a path that begins with /"),
    ("path", "/v1?x={request_id}", "sources.shop.generic", "without a query"),
    ("path", "/v1/../{request_id}", "sources.shop.generic", "lead to another path"),
    ("path", "/v1/.", "sources.shop.generic", "lead to another path"),
    ("path", "/v1/{comment}", "sources.shop.generic", "{job_id}, {request_id}, {ticket}"),
    ("body", {"x": "{email}"}, "sources.shop.generic", "{comment}, {job_id}, {request_id}, {status}, {ticket}, {time}"),
    ("body", {}, "sources.shop.generic.report.body", "at least one entry"),
    ("statuses", {}, "sources.shop.generic.report", "name at least one"),
    ("statuses", {"done": "x"}, "sources.shop.generic.report.statuses.done", "unknown key"),
    ("final", [401], "sources.shop.generic.report", "say something about us"),
    ("final", [200], "sources.shop.generic.report.final[0]", "at least 400"),
    ("method", "GET", "sources.shop.generic.report.method", "expected 'POST', 'PUT' or 'PATCH'; found 'GET'"),
    ("headers", [{"name": "Host", "value": "x"}], "sources.shop.generic.report.headers[0]", "by the client itself"),
    ("headers", [{"name": "X-Api-Key", "value": "canary-1"}], "sources.shop.generic.report.headers[0]", "a reference"),
    ("headers", [{"name": "X-Auth", "value": "canary-1"}], "sources.shop.generic.report.headers[0]", "a reference"),
    ("headers", [{"name": "X-Pass", "value": "canary-1"}], "sources.shop.generic.report.headers[0]", "a reference"),
    ("headers", [{"name": "X-A", "value": "a\nb"}], "sources.shop.generic.report.headers[0]", "cannot travel"),
    ("headers", [{"name": "X-A", "value": "1"}] * 2, "sources.shop.generic.report", "one is given twice"),
]


@pytest.mark.parametrize(
    ("place", "value", "where", "told"),
    [
        *(((*GENERIC, name), value, where, told) for name, value, where, told in WRONG_GENERIC),
        *(((*REPORT, name), value, where, told) for name, value, where, told in WRONG_REPORT),
    ],
)
def test_what_cannot_work_or_protect_is_refused_at_start(
    tmp_path: Path, place: Place, value: Any, where: str, told: str
) -> None:
    (line,) = lines(tmp_path, (place, value))
    assert line.startswith(f"{where}: ")
    assert told in line
    assert "canary" not in line


def test_a_callback_needs_a_place_for_its_address_and_the_hosts_that_may_be_called(tmp_path: Path) -> None:
    to_callback = {"to": "callback", "body": {"s": "{status}"}, "statuses": {"completed": "done"}}
    (line,) = lines(tmp_path, (REPORT, to_callback))
    assert "who may be called" in line
    (line,) = lines(tmp_path, (REPORT, {**to_callback, "hosts": ["*.example.com"]}))
    assert "callback_url" in line
    (line,) = lines(tmp_path, (REPORT, {**to_callback, "hosts": ["*"]}))
    assert "expected a host name" in line
    address: tuple[Place, Any] = ((*GENERIC, "callback_url"), "url")
    (line,) = lines(tmp_path, (REPORT, {**to_callback, "hosts": ["*.example.com"], "timeout_s": 3.0}), address)
    assert "timeout_s belongs to" in line
    config = loaded(tmp_path, (REPORT, {**to_callback, "hosts": ["*.example.com"]}), address)
    assert config.sources["shop"].generic is not None


def test_an_id_that_is_not_read_cannot_be_reported(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, ((*GENERIC, "request_id"), GONE))
    assert "the placeholders here are {job_id}, {ticket}" in line


def test_the_words_for_erasure_have_to_be_the_platforms_own(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, ((*SOURCE, "deletion_types"), GONE))
    assert line.startswith("sources.shop: set deletion_types")


def test_and_are_not_given_where_nobody_would_look_at_them(tmp_path: Path) -> None:
    everything = ((*GENERIC, "type"), GONE), ((*GENERIC, "only_erasures"), True)
    (line,) = lines(tmp_path, *everything)
    assert line.startswith("sources.shop: deletion_types would not be looked at")
    assert loaded(tmp_path, *everything, ((*SOURCE, "deletion_types"), GONE)).sources["shop"].generic is not None


def test_the_tables_on_the_page_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs/generic.md").read_text(encoding="utf-8")
    shown = [tomllib.loads(one) for one in re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]
    tables = [one["sources"]["NAME"]["generic"] for one in shown]
    assert [set(one) for one in tables] == [{"reply", "report"}, {"reply"}, {"report"}]
    report = tables[2]["report"]
    assert report["headers"][0].pop("value") == "env:PLATFORM_TOKEN"
    report["headers"][0]["value"] = "env:CLIENT_SECRET"
    loaded(tmp_path, ((*GENERIC, "reply"), tables[1]["reply"]), (REPORT, report))


KEYS_URLS = [
    "https://10.0.0.1/keys",
    "https://[::1]/keys",
    "https://idp/keys",
    "https://2130706433/keys",
    "https://keys.example.com/keys#1",
]


def by_keys_at(url: str) -> tuple[Place, Any]:
    token = {"check": "jws", "place": "bearer", "algorithms": ["RS256"], "body": "unsigned", "audiences": ["shop"]}
    return (*SOURCE, "verify"), [
        {**token, "issuers": ["https://login.example.com"], "keys_from": "jwks", "keys_url": url}
    ]


class TestPublishedKeys:
    @pytest.mark.parametrize("url", KEYS_URLS)
    def test_an_address_that_is_never_called_is_refused_at_start(self, tmp_path: Path, url: str) -> None:
        (line,) = lines(tmp_path, by_keys_at(url))
        assert line.startswith("sources.shop: a check reads keys from an address that is never called")
        assert url not in line

    def test_keys_over_http_are_for_a_rehearsal(self, tmp_path: Path) -> None:
        keys = by_keys_at("http://127.0.0.1:8099/keys")
        (line,) = lines(tmp_path, keys)
        assert "sources.shop: a check reads keys over http" in line
        assert loaded(tmp_path, keys, (("outbound",), {"rehearsal": True})).outbound.rehearsal

    def test_a_host_by_its_name_is_fine(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, by_keys_at("https://keys.example.com:8443/keys?v=1")).sources["shop"].enabled


class TestTables:
    def test_each_platform_needs_its_own_table(self, tmp_path: Path) -> None:
        assert lines(tmp_path, (GENERIC, GONE)) == ["sources.shop.generic: missing"]
        onetrust = ((*SOURCE, "platform"), "onetrust")
        assert lines(tmp_path, onetrust, (GENERIC, GONE)) == ["sources.shop.report: missing"]

    def test_and_takes_no_other(self, tmp_path: Path) -> None:
        report = BASE["sources"]["onetrust"]["report"]
        onetrust = ((*SOURCE, "platform"), "onetrust")
        refused = "does not belong to platform onetrust; leave it out"
        assert lines(tmp_path, onetrust, ((*SOURCE, "report"), report)) == [f"sources.shop.generic: {refused}"]
        refused = "does not belong to platform generic; leave it out"
        assert lines(tmp_path, ((*SOURCE, "report"), report)) == [f"sources.shop.report: {refused}"]
