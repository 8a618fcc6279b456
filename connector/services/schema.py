"""Before anything is submitted: are the fields that the mapping names there in the account, as identities?

A typing error in a field's name makes Lytics refuse every value of every call, one by one: all of them would be burned
as refused. So an account whose schema certainly lacks a mapped field submits nothing until one of the two is mended;
its requests wait, queued. A schema that cannot be read proves nothing, and keeps nobody from working. Nothing is judged
by `idconfig`, which says something else (vendor page: OpenAPI description, version 2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured
from connector.ports import Schema
from connector.services.remote import call_each
from connector.services.rules import SchemaRule
from connector.services.site import AccountWork, Site

# How long what was found counts. A field does not vanish from one hour to the next; a wrong one is mended in minutes.
_WELL_FOR: Final = timedelta(days=1)
_UNKNOWN_FOR: Final = timedelta(hours=1)
_WRONG_FOR: Final = timedelta(minutes=5)


class SchemaFault(StrEnum):
    """What is wrong with a mapped field."""

    NO_TABLE = "no_table"
    NO_FIELD = "no_field"
    NO_IDENTITY = "no_identity"  # the field is there, and identifies nobody


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mapped field that the account does not have as an identity; no field for a table that is not there."""

    table: str
    field: str
    fault: SchemaFault


def mapped_fields(site: Site, account: str) -> set[tuple[str, str]]:
    """Return every (table, field) that the rules of an account's sources name."""
    rules = (rule for source in site.sources.values() if source.account == account for rule in source.rules.rules)
    return {(target.table, target.field) for rule in rules for target in rule.targets}


def find_wrong(schema: Schema, wanted: Collection[tuple[str, str]]) -> list[Wrong]:
    """Return what is certainly wrong; one call for each table.

    Raises:
        ConnectorError: the schema cannot be read, which proves nothing.
    """
    fields_of: dict[str, list[str]] = defaultdict(list)
    for table, field in sorted(wanted):
        fields_of[table].append(field)
    return [one for table, fields in fields_of.items() for one in _wrong_in(schema, table, fields)]


def _wrong_in(schema: Schema, table: str, fields: Collection[str]) -> Iterator[Wrong]:
    try:
        known = schema.identity_fields(table)
    except Misconfigured as error:
        if error.code is not Code.REMOTE_NAME_UNKNOWN:
            raise
        yield Wrong(table, "", SchemaFault.NO_TABLE)
        return
    # A table without any field is no answer, whatever it means.
    for field in fields if known else ():
        if field not in known:
            yield Wrong(table, field, SchemaFault.NO_FIELD)
        elif not known[field]:
            yield Wrong(table, field, SchemaFault.NO_IDENTITY)


def allows(site: Site, account: AccountWork) -> bool:
    """Say whether an account's schema lets something be submitted; asks Lytics when what is known is too old."""
    if account.schema is None or account.schema_rule is SchemaRule.OFF:
        return True
    now, well, wrong = site.clock.now(), f"schema_well:{account.name}", f"schema_wrong:{account.name}"
    if site.pauses.hold(wrong, now):
        return False
    if site.pauses.hold(well, now):
        return True
    found = _look(site, account, account.schema)
    if not isinstance(found, list):
        if found is not None:
            site.log.warning("schema_not_checked", account=account.name, code=found.code)
        site.pauses.set(well, now + _UNKNOWN_FOR)
        return True
    for one in found:
        site.log.error("schema_wrong", account=account.name, table=one.table, field=one.field, reason=one.fault)
    if found and account.schema_rule is SchemaRule.REQUIRE:
        site.pauses.set(wrong, now + _WRONG_FOR)
        return False
    site.pauses.set(well, now + _WELL_FOR)
    return True


def check_schemas(site: Site) -> None:
    """Look at every account once, so that a fault is said when a worker starts and not at its first submission."""
    for account in site.accounts.values():
        if not site.stop.is_set():
            allows(site, account)


def _look(site: Site, account: AccountWork, schema: Schema) -> list[Wrong] | ConnectorError | None:
    """Return what is wrong, or why that cannot be told; None if nobody was asked."""
    wanted = mapped_fields(site, account.name)
    answers = call_each([wanted], lambda one: find_wrong(schema, one), 1, site.stop, site.calls_to(account))
    return answers[0][1] if answers else None
