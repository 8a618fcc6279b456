"""A source's far side: where its requests are reported, and what it is asked about them."""

from __future__ import annotations

from datetime import timedelta

from connector.clock import Clock
from connector.config.described_report import DescribedReportSettings
from connector.config.generic import GenericSettings
from connector.config.models import SourceSettings
from connector.hosts import AllowedHost
from connector.lease import Lease
from connector.outbound import Client, Told, tell_nobody
from connector.outbound.guarded import Guarded
from connector.policy.polling import PollPolicy
from connector.ports import Reporter
from connector.services.rules import BackstopRules, ListingRules
from connector.sources.generic.report import (
    Addressee,
    GenericReporter,
    Header,
    NoReporter,
    ToCallback,
    ToConfigured,
)
from connector.sources.onetrust.api import normalised
from connector.sources.onetrust.listing import OneTrustListing
from connector.sources.onetrust.roll import OneTrustRoll
from connector.wiring.limits import REPORT_CONCURRENCY, limits_of, pace_of
from connector.wiring.onetrust import Tenant

# For requests that are held because their source does not list them as they came.
_ASK_AGAIN = PollPolicy(first_s=900.0, factor=2.0, max_s=21_600.0)


def reporter(
    settings: SourceSettings,
    onetrust: Tenant | None,
    clock: Clock,
    lease: Lease,
    *,
    rehearsal: bool,
    told: Told = tell_nobody,
) -> Reporter:
    """Build what tells a source what became of its requests."""
    if onetrust is not None:
        return onetrust.reporter()
    generic = settings.generic
    if generic is None or generic.report is None:
        return NoReporter()
    return _generic_reporter(generic, generic.report, clock, lease, rehearsal=rehearsal, told=told)


def _generic_reporter(
    generic: GenericSettings,
    settings: DescribedReportSettings,
    clock: Clock,
    lease: Lease,
    *,
    rehearsal: bool,
    told: Told,
) -> Reporter:
    pace = pace_of(settings.requests_per_second, REPORT_CONCURRENCY, lease)
    names = generic.description().names
    to: Addressee
    if settings.base_url is not None:
        http = Client(settings.base_url, clock=clock, limits=limits_of(settings.timeout_s), slot=pace.slot, told=told)
        to = ToConfigured(http, settings.segments(names))
    else:
        # A client of its own: a credential among the headers goes to no host but this platform's.
        allowed = tuple(AllowedHost.parse(one) for one in settings.hosts)
        to = ToCallback(Guarded(allowed, clock=clock, rehearsal=rehearsal, told=told), pace.slot)
    return GenericReporter(
        to,
        settings.method,
        tuple(Header(one.name, one.value, one.prefix) for one in settings.headers),
        settings.template(names),
        settings.statuses.words(),
        frozenset(settings.final),
        clock,
    )


def read_back(settings: SourceSettings, onetrust: Tenant | None) -> ListingRules | None:
    """Build what a source is asked about a request; None if it is not asked."""
    wanted, report = settings.read_back, settings.report
    if wanted is None or report is None or onetrust is None or not wanted.enabled:
        return None
    return ListingRules(
        reader=OneTrustListing(onetrust.api, subtask_name=report.subtask_name, workflow_id=wanted.workflow_id),
        refused_stages=frozenset(normalised(one) for one in wanted.refused_stages),
        closed_is_fine=wanted.closed_subtask == "allow",
        visible_within=timedelta(seconds=wanted.visible_within_s),
        again=_ASK_AGAIN,
        every=timedelta(hours=wanted.every_hours),
    )


def backstop_of(settings: SourceSettings, onetrust: Tenant | None) -> BackstopRules | None:
    """Build what looks for deliveries that never came; None if nobody does."""
    wanted = settings.backstop
    if wanted is None or onetrust is None or settings.read_back is None:
        return None
    return BackstopRules(
        roll=OneTrustRoll(onetrust.api, wanted.system_name, workflow_id=settings.read_back.workflow_id),
        every=timedelta(minutes=wanted.every_minutes),
        overlap=timedelta(hours=wanted.overlap_hours),
        first=timedelta(days=wanted.first_days),
    )
