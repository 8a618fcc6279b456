"""What one Lytics account says: reads only. Nothing here can delete anybody, whatever the token may do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from connector.clock import Clock
from connector.codes import Code
from connector.config.account import AccountSettings
from connector.doctor.findings import Finding, told
from connector.doctor.watch import Watched
from connector.errors import ConnectorError
from connector.lytics.account import Account, DeletionApiName
from connector.services.schema import SchemaFault, find_wrong
from connector.wiring.accounts import lytics_account

# As published: `at.<id>.<secret>`.
_TOKEN: Final = re.compile(r"at\.[^.\s]+\.\S+")
_WORDS: Final = {
    SchemaFault.NO_TABLE: "schema_lacks_table",
    SchemaFault.NO_FIELD: "schema_lacks_field",
    SchemaFault.NO_IDENTITY: "schema_no_identity",
}


def account(
    name: str, settings: AccountSettings, mapped: Collection[tuple[str, str]], clock: Clock
) -> Iterator[Finding]:
    """Look at one account.

    Args:
        mapped: every (table, field) that its sources' rules name.
    """
    if not mapped:
        yield Finding("account_unused", name)
    if not _TOKEN.fullmatch(settings.token.reveal()):
        yield Finding("lytics_token_kind", name)
    http = Watched(settings.base_url, clock)
    opened = lytics_account(name, settings, http)
    try:
        answers = opened.probe()
    except ConnectorError as error:
        yield _refusal(name, error)
        yield from _clock(name, http)
        # The schema needs another right, so it may still be readable.
        if error.code is Code.PERMISSION_MISSING:
            yield from _schema(name, opened, mapped)
        return
    yield Finding("lytics_fine", name)
    yield from _clock(name, http)
    yield Finding("lytics_token_fine", name)
    yield _api(name, DeletionApiName(settings.deletion_api), answers)
    yield from _schema(name, opened, mapped)


def _clock(name: str, http: Watched) -> Iterator[Finding]:
    if http.is_off and http.skew is not None:
        yield Finding("lytics_clock_off", name, f"{http.skew.total_seconds():+.0f} s")


def _refusal(name: str, error: ConnectorError) -> Finding:
    if error.code is Code.TOKEN_REFUSED:
        return Finding("lytics_token_expired" if "expired" in error.detail else "lytics_token_refused", name)
    if error.code is Code.PERMISSION_MISSING:
        return Finding("lytics_permission_missing", name, "it may not follow deletions")
    if error.code is Code.REMOTE_NAME_UNKNOWN:
        return Finding("lytics_account_unknown", name)
    if error.code in (Code.REMOTE_ANSWER_UNREADABLE, Code.REMOTE_REFUSED):
        return Finding("lytics_not_itself", name, told(error))
    if error.code in (Code.REMOTE_FAULT, Code.REMOTE_RATE_LIMITED):
        return Finding("lytics_troubled", name, told(error))
    return Finding("lytics_unreachable", name, told(error))


def _api(name: str, wanted: DeletionApiName, answers: dict[DeletionApiName, bool | None]) -> Finding:
    others = [one for one, answered in answers.items() if answered and one is not wanted]
    if answers[wanted]:
        return Finding("deletion_api_fine", name, wanted)
    if answers[wanted] is None:
        return Finding("deletion_api_untold", name, wanted)
    if others:
        return Finding("deletion_api_other", name, f"it answers {others[0]}, not {wanted}")
    untold = any(answered is None for answered in answers.values())
    return Finding("deletion_api_untold" if untold else "deletion_api_none", name, f"not {wanted}")


def _schema(name: str, opened: Account, mapped: Collection[tuple[str, str]]) -> Iterator[Finding]:
    if not mapped:
        return
    try:
        wrong = find_wrong(opened, mapped)
    except ConnectorError as error:
        yield Finding("schema_untold", name, told(error))
        return
    for one in wrong:
        yield Finding(_WORDS[one.fault], name, f"{one.table}.{one.field}" if one.field else one.table)
    if not wrong:
        yield Finding("schema_fine", name, f"{len(mapped)} fields")
