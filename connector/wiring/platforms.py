"""A source's far side: where its requests are reported, and what it is asked about them."""

from __future__ import annotations

import threading
from datetime import timedelta

from connector.clock import Clock
from connector.config.described_report import DescribedReportSettings
from connector.config.generic import GenericSettings
from connector.config.models import SourceSettings
from connector.config.onetrust import ReportSettings
from connector.hosts import AllowedHost
from connector.lytics.pace import Pace, RateLimit
from connector.model import SourceStatus
from connector.outbound import Client, Limits
from connector.outbound.guarded import Guarded
from connector.policy.polling import PollPolicy
from connector.ports import Reporter
from connector.services.site import BackstopRules, ListingRules
from connector.sources.generic.report import (
    Addressee,
    GenericReporter,
    Header,
    NoReporter,
    ToCallback,
    ToConfigured,
)
from connector.sources.onetrust.api import OneTrustApi, normalised
from connector.sources.onetrust.listing import OneTrustListing
from connector.sources.onetrust.reporter import OneTrustReporter
from connector.sources.onetrust.roll import OneTrustRoll
from connector.sources.onetrust.token import TokenSource, base_url_of

_REPORT_CONCURRENCY = 4
# For requests that are held because their source does not list them as they came.
_ASK_AGAIN = PollPolicy(first_s=900.0, factor=2.0, max_s=21_600.0)


def reporter(
    settings: SourceSettings, api: OneTrustApi | None, clock: Clock, stop: threading.Event, *, rehearsal: bool
) -> Reporter:
    """Build what tells a source what became of its requests."""
    if settings.report is not None and api is not None:
        return _onetrust_reporter(settings.report, api)
    generic = settings.generic
    if generic is None or generic.report is None:
        return NoReporter()
    return _generic_reporter(generic, generic.report, clock, stop, rehearsal=rehearsal)


def _generic_reporter(
    generic: GenericSettings, settings: DescribedReportSettings, clock: Clock, stop: threading.Event, *, rehearsal: bool
) -> Reporter:
    pace = Pace(RateLimit(settings.requests_per_second, stop=stop), _REPORT_CONCURRENCY, stop=stop)
    names = generic.description().names
    to: Addressee
    if settings.base_url is not None:
        http = Client(settings.base_url, clock=clock, limits=limits_of(settings.timeout_s), slot=pace.slot)
        to = ToConfigured(http, settings.segments(names))
    else:
        # A client of its own: a credential among the headers goes to no host but this platform's.
        allowed = tuple(AllowedHost.parse(one) for one in settings.hosts)
        to = ToCallback(Guarded(allowed, clock=clock, rehearsal=rehearsal), pace.slot)
    return GenericReporter(
        to,
        settings.method,
        tuple(Header(one.name, one.value, one.prefix) for one in settings.headers),
        settings.template(names),
        settings.statuses.words(),
        frozenset(settings.final),
        clock,
    )


def onetrust_api(settings: ReportSettings, clock: Clock, stop: threading.Event) -> OneTrustApi:
    """Build the one client of a tenant: reports and questions share its pace and its token."""
    pace = Pace(RateLimit(settings.requests_per_second, stop=stop), _REPORT_CONCURRENCY, stop=stop)
    http = Client(
        base_url_of(settings.host, settings.base_url), clock=clock, limits=limits_of(settings.timeout_s), slot=pace.slot
    )
    tokens = TokenSource(
        http,
        settings.client_id.reveal(),
        settings.client_secret,
        clock=clock,
        as_form=settings.token_encoding == "form",  # noqa: S105 - an encoding
    )
    return OneTrustApi(http, tokens)


def _onetrust_reporter(settings: ReportSettings, api: OneTrustApi) -> Reporter:
    resolutions = {
        SourceStatus.COMPLETED: settings.resolutions.completed,
        SourceStatus.REJECTED: settings.resolutions.rejected,
    }
    return OneTrustReporter(
        api,
        subtask_name=settings.subtask_name,
        resolutions={status: one for status, one in resolutions.items() if one},
    )


def read_back(settings: SourceSettings, api: OneTrustApi | None) -> ListingRules | None:
    """Build what a source is asked about a request; None if it is not asked."""
    wanted, report = settings.read_back, settings.report
    if wanted is None or report is None or api is None or not wanted.enabled:
        return None
    return ListingRules(
        reader=OneTrustListing(api, subtask_name=report.subtask_name, workflow_id=wanted.workflow_id),
        refused_stages=frozenset(normalised(one) for one in wanted.refused_stages),
        closed_is_fine=wanted.closed_subtask == "allow",
        visible_within=timedelta(seconds=wanted.visible_within_s),
        again=_ASK_AGAIN,
        every=timedelta(hours=wanted.every_hours),
    )


def backstop_of(settings: SourceSettings, api: OneTrustApi | None) -> BackstopRules | None:
    """Build what looks for deliveries that never came; None if nobody does."""
    wanted = settings.backstop
    if wanted is None or api is None or settings.read_back is None:
        return None
    return BackstopRules(
        roll=OneTrustRoll(api, wanted.system_name, workflow_id=settings.read_back.workflow_id),
        every=timedelta(minutes=wanted.every_minutes),
        overlap=timedelta(hours=wanted.overlap_hours),
        first=timedelta(days=wanted.first_days),
    )


def limits_of(timeout_s: float) -> Limits:
    """Return the time limits of a call; the whole of it may take twice as long as its slowest part."""
    return Limits(connect_s=min(timeout_s, 10.0), read_s=timeout_s, total_s=timeout_s * 2)
