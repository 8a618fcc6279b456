"""Nothing is submitted to a field that the account lacks; a schema that cannot be read keeps nobody from working."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, Temporary
from connector.services.rules import SchemaRule
from connector.services.schema import SchemaFault, Wrong, check_schemas, find_wrong, mapped_fields
from tests.support.site import Bench

GOOD = {"email": True, "loyalty_id": True, "city": False}
WANTED = {("user", "email"), ("user", "loyalty_id")}


class Fields:
    """A schema that is what it is told to be; an error in place of one is raised."""

    def __init__(self, tables: Mapping[str, Mapping[str, bool]] | ConnectorError) -> None:
        self.tables = tables
        self.asked: list[str] = []

    def identity_fields(self, table: str) -> Mapping[str, bool]:
        self.asked.append(table)
        if isinstance(self.tables, ConnectorError):
            raise self.tables
        if table not in self.tables:
            raise Misconfigured(Code.REMOTE_NAME_UNKNOWN)
        return self.tables[table]


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def fields() -> Fields:
    return Fields({"user": GOOD})


@pytest.fixture
def guarded(bench: Bench, fields: Fields) -> Iterator[Bench]:
    bench.with_account(schema=fields)
    bench.deliver()
    return bench


def test_the_rules_of_its_sources_name_an_account_s_fields(bench: Bench) -> None:
    assert mapped_fields(bench.site, "main") == WANTED
    assert mapped_fields(bench.site, "another") == set()


@pytest.mark.parametrize(
    ("tables", "wrong"),
    [
        ({"user": GOOD}, []),
        ({"user": {"email": True}}, [Wrong("user", "loyalty_id", SchemaFault.NO_FIELD)]),
        ({"user": GOOD | {"email": False}}, [Wrong("user", "email", SchemaFault.NO_IDENTITY)]),
        ({}, [Wrong("user", "", SchemaFault.NO_TABLE)]),
        ({"user": {}}, []),
    ],
)
def test_what_is_certainly_wrong_is_named(tables: Mapping[str, Mapping[str, bool]], wrong: list[Wrong]) -> None:
    schema = Fields(tables)
    assert find_wrong(schema, WANTED) == wrong
    assert schema.asked == ["user"]


def test_a_refused_token_is_no_missing_table() -> None:
    with pytest.raises(Misconfigured):
        find_wrong(Fields(Misconfigured(Code.TOKEN_REFUSED)), WANTED)


def test_nothing_is_submitted_until_the_schema_is_mended_and_nobody_is_burned(guarded: Bench, fields: Fields) -> None:
    fields.tables = {"user": {"email": False, "loyalty_id": True}}
    guarded.run_to_end(passes=6)
    assert (guarded.state(), guarded.target_states()) == ("queued", ["queued"])
    assert guarded.lytics.calls == []
    record = dict(guarded.log.records)["schema_wrong"]
    assert (record["table"], record["field"], record["reason"]) == ("user", "email", "no_identity")
    assert len(fields.asked) == 2
    fields.tables = {"user": GOOD}
    guarded.run_to_end(passes=12)
    assert guarded.state() == "completed"


def test_it_may_only_be_said_or_not_be_looked_at(guarded: Bench, fields: Fields) -> None:
    fields.tables = {"user": {}, "other": GOOD}
    guarded.with_account(schema=fields, schema_rule=SchemaRule.OFF)
    guarded.run_to_end(passes=3)
    assert fields.asked == []
    fields.tables = {"user": {"loyalty_id": True}}
    guarded.with_account(schema_rule=SchemaRule.WARN)
    guarded.deliver("s2")
    guarded.run_to_end()
    assert "schema_wrong" in guarded.log.actions
    assert guarded.state("s2") == "completed"


@pytest.mark.parametrize(
    "error",
    [Temporary(Code.REMOTE_FAULT), Misconfigured(Code.PERMISSION_MISSING), NotFound(Code.REMOTE_NOT_FOUND)],
)
def test_one_that_cannot_be_read_keeps_nobody_from_working(
    guarded: Bench, fields: Fields, error: ConnectorError
) -> None:
    fields.tables = error
    guarded.run_to_end()
    assert guarded.state() == "completed"
    assert dict(guarded.log.records)["schema_not_checked"]["code"] == error.code
    assert len(fields.asked) == 1


def test_it_is_read_again_after_a_day(guarded: Bench, fields: Fields) -> None:
    guarded.run_to_end()
    guarded.deliver("s2")
    guarded.run_to_end(passes=3)
    assert len(fields.asked) == 1
    guarded.clock.advance(days=1)
    guarded.deliver("s3")
    guarded.run_to_end(passes=3)
    assert len(fields.asked) == 2


def test_a_start_says_it_at_once(guarded: Bench, fields: Fields) -> None:
    fields.tables = {"user": {"email": True}}
    check_schemas(guarded.site)
    assert "schema_wrong" in guarded.log.actions
    guarded.site.stop.set()
    fields.asked.clear()
    check_schemas(guarded.site)
    assert fields.asked == []
