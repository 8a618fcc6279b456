"""Alerts, joined: what is told to whom, from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from connector.alerting import Channel
from connector.channels.mail import Encryption, Mail, Server
from connector.channels.webhook import SignedWebhook, SlackWebhook
from connector.clock import Clock
from connector.config import Config
from connector.config.alerts import MailChannelSettings
from connector.hosts import AllowedHost
from connector.observe.meters import Meters
from connector.outbound.guarded import Guarded
from connector.private import Secret
from connector.services.alarms import Alarms
from connector.wiring.meters import key_ends, told_by


def alarms_of(config: Config, clock: Clock, meters: Meters | None = None) -> Alarms:
    """Build what the step works with that tells operators."""
    of = config.alerts
    return Alarms(
        channels=tuple(_channels(config, clock, meters)),
        interval=timedelta(minutes=of.interval_minutes),
        at_risk=timedelta(days=of.at_risk_days),
        silent_after=timedelta(hours=of.silent_after_hours) if of.silent_after_hours else None,
        key_ends_within=timedelta(days=of.key_ends_within_days),
        key_ends=key_ends(config),
    )


def _channels(config: Config, clock: Clock, meters: Meters | None) -> Iterator[Channel]:
    def client(name: str, url: Secret) -> Guarded:
        # Of each channel its own host alone.
        host = AllowedHost.of_url(url.reveal())
        told = told_by(meters, "alert", name)
        return Guarded([host] if host else [], clock=clock, rehearsal=config.outbound.rehearsal, told=told)

    of = config.alerts
    for webhook in of.webhooks:
        http = client(webhook.name, webhook.url)
        yield SignedWebhook(webhook.name, webhook.kinds, http, webhook.url, webhook.secrets, clock)
    for slack in of.slack:
        yield SlackWebhook(slack.name, slack.kinds, client(slack.name, slack.url), slack.url)
    yield from map(_mail, of.mail)


def _mail(of: MailChannelSettings) -> Mail:
    server = Server(of.host, of.port, Encryption(of.encryption), of.user, of.password)
    return Mail(of.name, of.kinds, server, of.sender, of.to)
