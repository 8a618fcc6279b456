"""A OneTrust tenant: one client for everything that it is asked and told, and what is configured to be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector.clock import Clock
from connector.config.onetrust import ReportSettings
from connector.lease import Lease
from connector.model import SourceStatus
from connector.outbound import Client, Told, tell_nobody
from connector.ports import Filing, FollowUp, Reporter
from connector.services.extras import Evidence, Extras
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.filing import OneTrustFiling
from connector.sources.onetrust.follow_ups import ConflictComment, CustomFields, OneTrustCommenter, StageMove
from connector.sources.onetrust.reporter import OneTrustReporter
from connector.sources.onetrust.resolutions import OneTrustResolutions
from connector.sources.onetrust.token import TokenSource, base_url_of
from connector.sources.onetrust.webhook import WorkflowReporter, WorkflowWebhook
from connector.wiring.limits import REPORT_CONCURRENCY, limits_of, pace_of

# From when on the log warns of a due date where nobody at the source is told.
_LOG_DAYS: Final = 7.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """Reports and questions share its pace and its token."""

    settings: ReportSettings
    http: Client
    api: OneTrustApi

    @classmethod
    def of(cls, settings: ReportSettings, clock: Clock, lease: Lease, told: Told = tell_nobody) -> Tenant:
        """Build the client of a tenant."""
        pace = pace_of(settings.requests_per_second, REPORT_CONCURRENCY, lease)
        base_url = base_url_of(settings.host, settings.base_url)
        http = Client(base_url, clock=clock, limits=limits_of(settings.timeout_s), slot=pace.slot, told=told)
        tokens = TokenSource(
            http,
            settings.client_id.reveal(),
            settings.client_secret,
            clock=clock,
            as_form=settings.token_encoding == "form",  # noqa: S105 - an encoding
        )
        return cls(settings, http, OneTrustApi(http, tokens))

    def reporter(self) -> Reporter:
        """Build what tells it how a request stands."""
        webhook = self._webhook()
        if webhook is not None and self.settings.webhook is not None and self.settings.webhook.instead:
            return WorkflowReporter(webhook, self.api, subtask_name=self.settings.subtask_name)
        of = self.settings.resolutions
        resolutions = {SourceStatus.COMPLETED: of.completed, SourceStatus.REJECTED: of.rejected}
        return OneTrustReporter(
            self.api,
            subtask_name=self.settings.subtask_name,
            resolutions={status: one for status, one in resolutions.items() if one},
            nothing_held=of.nothing_held,
            access=of.access,
            use_complete=self.settings.complete_with == "complete",
        )

    def extras(self) -> Extras:
        """Build what else it is told, as far as that is configured."""
        settings, name = self.settings, self.settings.subtask_name
        evidence = settings.evidence
        resolutions = settings.resolutions.model_dump()
        return Extras(
            filing=OneTrustFiling(self.api, subtask_name=name, extension=evidence.file_extension())
            if evidence.enabled
            else None,
            follow_ups=tuple(self._follow_ups()),
            commenter=OneTrustCommenter(self.api, subtask_name=name) if settings.progress_comments else None,
            warner=OneTrustCommenter(self.api, subtask_name=name) if settings.deadline_comment_days else None,
            warn_before=timedelta(days=settings.deadline_comment_days or _LOG_DAYS),
            resolutions=OneTrustResolutions(self.api, resolutions) if any(resolutions.values()) else None,
            evidence=Evidence(evidence.content),
        )

    def access_filing(self) -> Filing:
        """Build what takes the answers to access requests."""
        name, about = self.settings.subtask_name, "Data for an access request"
        return OneTrustFiling(self.api, subtask_name=name, extension="txt", about=about)

    def _follow_ups(self) -> Iterator[FollowUp]:
        """Give them in the order of the calls: the stage last, as a request that left it may take nothing more."""
        settings, name = self.settings, self.settings.subtask_name
        if settings.conflict_comments:
            yield ConflictComment(self.api, subtask_name=name)
        if settings.custom_fields:
            yield CustomFields(self.api, settings.custom_fields, subtask_name=name)
        webhook = self._webhook()
        if webhook is not None and settings.webhook is not None and not settings.webhook.instead:
            yield webhook
        if settings.next_stage:
            yield StageMove(self.api, settings.next_stage, subtask_name=name)

    def _webhook(self) -> WorkflowWebhook | None:
        of = self.settings.webhook
        return WorkflowWebhook(self.http, of.id, of.token) if of is not None else None
