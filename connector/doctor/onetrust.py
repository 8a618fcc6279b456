"""What OneTrust says to the credential of one source: reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from connector.clock import Clock
from connector.codes import Code
from connector.config.models import SourceSettings
from connector.config.onetrust import ReportSettings
from connector.doctor.findings import Finding, told
from connector.doctor.watch import Watched
from connector.errors import ConnectorError, Misconfigured, Refused
from connector.outbound import Answer, json_of
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.resolutions import OneTrustResolutions
from connector.sources.onetrust.token import TokenSource, base_url_of

# One of each has to be there. `DSAR` is the coarser one that holds both.
_NEEDED: Final = (("DSAR_READ", "DSAR_WRITE", "DSAR"), ("DSAR_WRITE", "DSAR"))
_FOR_FILES: Final = ("ATTACHMENT",)
_SCOPE: Final = re.compile(r"[A-Z][A-Z_]*")
# As far back as the list of subtasks is looked through for one of the system.
_BACK: Final = timedelta(days=365)


def source(name: str, settings: SourceSettings, clock: Clock) -> Iterator[Finding]:
    """Look at one source's credential; nothing for a platform that is not OneTrust."""
    if settings.report is None:
        return
    report = settings.report
    http = Watched(base_url_of(report.host, report.base_url), clock)
    as_form = report.token_encoding == "form"  # noqa: S105 - an encoding
    tokens = TokenSource(http, report.client_id.reveal(), report.client_secret, clock=clock, as_form=as_form)
    try:
        tokens.token()
    except ConnectorError as error:
        yield _no_token(name, error)
        yield from _clock(name, http)
        return
    yield Finding("onetrust_fine", name)
    yield from _clock(name, http)
    yield Finding("onetrust_token_fine", name)
    yield _scopes(name, report, http.last)
    api = OneTrustApi(http, tokens)
    yield from _read(name, settings, api, clock)
    yield from _resolutions(name, report, api)


def _no_token(name: str, error: ConnectorError) -> Finding:
    if error.code is Code.TOKEN_REFUSED:
        return Finding("onetrust_credential_refused", name)
    if error.code is Code.PERMISSION_MISSING:
        return Finding("onetrust_address_refused", name)
    return _trouble(name, error)


def _trouble(name: str, error: ConnectorError) -> Finding:
    if error.code in (Code.REMOTE_ANSWER_UNREADABLE, Code.REMOTE_NAME_UNKNOWN, Code.REMOTE_REFUSED):
        return Finding("onetrust_not_itself", name, told(error))
    if error.code in (Code.REMOTE_FAULT, Code.REMOTE_RATE_LIMITED):
        return Finding("onetrust_troubled", name, told(error))
    return Finding("onetrust_unreachable", name, told(error))


def _clock(name: str, http: Watched) -> Iterator[Finding]:
    if http.is_off and http.skew is not None:
        yield Finding("onetrust_clock_off", name, f"{http.skew.total_seconds():+.0f} s")


def _needed(report: ReportSettings) -> Iterator[tuple[str, ...]]:
    """Return the scopes of which one each is needed for what is configured."""
    yield from _NEEDED
    if report.evidence.enabled:
        yield _FOR_FILES


def _scopes(name: str, report: ReportSettings, answer: Answer | None) -> Finding:
    """Read the scopes that the answer to a token's request names, under either of its two spellings."""
    body = json_of(answer) if answer is not None else {}
    named = next((body[key] for key in ("ot-scopes", "ot_scopes") if isinstance(body.get(key), str)), "")
    scopes = set(_SCOPE.findall(named))
    if not scopes:
        return Finding("onetrust_scopes_untold", name)
    missing = [" or ".join(sorted(one)) for one in _needed(report) if scopes.isdisjoint(one)]
    if missing:
        return Finding("onetrust_scope_missing", name, "; ".join(missing))
    return Finding("onetrust_scopes_fine", name)


def _read(name: str, settings: SourceSettings, api: OneTrustApi, clock: Clock) -> Iterator[Finding]:
    """Read the list of systems' subtasks: of our system where it is named, else of any; both prove the right."""
    since = clock.now() - _BACK
    filters: dict[str, object] = {
        "SubtaskType": "system",
        "SubtaskDateUpdated": {"StartDate": f"{since:%Y-%m-%dT%H:%M:%S}.000Z"},
        "language": "en-us",
    }
    if settings.backstop is not None:
        filters |= {"SystemName": settings.backstop.system_name, "ExactSystemNameMatch": True}
    try:
        listed, _ = api.filtered_subtasks(filters, 0)
    except (Misconfigured, Refused) as error:
        yield Finding("onetrust_read_refused", name, told(error))
        return
    except ConnectorError as error:
        yield _trouble(name, error)
        return
    yield Finding("onetrust_read_fine", name)
    if not listed:
        yield Finding("onetrust_nothing_listed", name)


def _resolutions(name: str, report: ReportSettings, api: OneTrustApi) -> Iterator[Finding]:
    configured = report.resolutions.model_dump()
    if not any(configured.values()):
        return
    try:
        faults = OneTrustResolutions(api, configured).faults()
    except ConnectorError as error:
        yield Finding("resolutions_untold", name, told(error))
        return
    for setting, fault in faults.items():
        yield Finding("resolution_unknown", name, f"resolutions.{setting}: {fault}")
    if not faults:
        yield Finding("resolutions_fine", name)
