"""The one place where objects are built and joined: configuration in, a working site out."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from connector.clock import Clock, SystemClock
from connector.codes import Code
from connector.config import Config, load
from connector.config.checks import key_addresses, media_types, verifier_of
from connector.config.described_report import DescribedReportSettings
from connector.config.generic import GenericSettings
from connector.config.models import AccountSettings, SourceSettings
from connector.config.onetrust import ReportSettings
from connector.crypto.pseudonym import Pseudonymiser
from connector.dialect.reply import Replies
from connector.engine.schedule import FIRST_STEP
from connector.errors import Misconfigured, Temporary
from connector.hosts import AllowedHost
from connector.lytics.account import DeletionApiName, open_account
from connector.lytics.identity_delete import BodyKeys
from connector.lytics.lookup import LookUpCall
from connector.lytics.pace import Pace, RateLimit
from connector.mapping.rules import RuleSet, compile_rules
from connector.model import SourceStatus
from connector.observe.log import configure
from connector.outbound import Client, Limits
from connector.outbound.guarded import Guarded
from connector.policy.polling import PollPolicy
from connector.policy.retry import RetryPolicy
from connector.ports import Documents, Log, Reporter, Source
from connector.private import Private
from connector.published import PublishedDocuments
from connector.services.map import plain
from connector.services.site import AccountWork, Budgets, LookUp, Scope, Site, SourceWork, wake_nobody
from connector.sources.generic.report import (
    Addressee,
    GenericReporter,
    Header,
    NoReporter,
    ToCallback,
    ToConfigured,
)
from connector.sources.onetrust.api import OneTrustApi
from connector.sources.onetrust.reporter import OneTrustReporter
from connector.sources.onetrust.token import TokenSource, base_url_of
from connector.sources.registry import PLATFORMS
from connector.stops import stopper
from connector.store.database import Database
from connector.store.jobs import Wake
from connector.web.app import Flask, create_app

# Overrides given on the command line reach child processes through this variable, as a JSON list.
OVERRIDES_VARIABLE: Final = "CONNECTOR_SET"
DEFAULT_CONFIG: Final = "config/connector.toml"

# How a failed call is tried again. Waits in seconds.
_LYTICS_RETRY = RetryPolicy(first_s=2.0, max_s=300.0, misconfigured_s=300.0)
_REPORT_CONCURRENCY = 4
_LONGEST_CONFIRM_S = 3600.0
_REPORT_RETRY = RetryPolicy(first_s=5.0, max_s=3600.0, give_up_after=100, misconfigured_s=300.0)


def load_config(environ: Mapping[str, str]) -> Config:
    """Load the configuration that the environment names."""
    path = Path(environ.get("CONNECTOR_CONFIG", DEFAULT_CONFIG))
    return load(path, environ, overrides_of(environ), PLATFORMS)


def overrides_of(environ: Mapping[str, str]) -> list[str]:
    """Return the overrides that the environment carries, `PATH=VALUE` each."""
    try:
        found = json.loads(environ.get(OVERRIDES_VARIABLE, "[]"))
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        expected = 'expected a JSON list of texts, such as ["server.port=8081"]'
        raise Misconfigured(Code.CONFIG_INVALID, f"{OVERRIDES_VARIABLE}: {expected}")
    return found


def open_database(config: Config) -> Database:
    """Open the store; nothing is read or written yet."""
    return Database(config.store.url.reveal(), pool_size=config.server.threads + 4)


def build_site(config: Config, role: str, clock: Clock | None = None) -> Site:
    """Build everything that steps and views work with.

    Args:
        role: which process this is, for the log: web, worker or cli.
    """
    clock = clock or SystemClock()
    stop = threading.Event()
    engine = config.engine
    log = configure(role, config.log.level, config.log.format)
    http = guarded_client(config, clock)
    documents = published_documents(http, log)
    database = open_database(config)
    return Site(
        database=database,
        clock=clock,
        pseudonymiser=Pseudonymiser(config.store.pseudonym_key),
        sources={name: _source(config, name, clock, stop, documents) for name in config.sources},
        accounts={name: _account(name, one, clock, stop) for name, one in config.accounts.items()},
        log=log,
        rng=random.random,
        report_retry=_REPORT_RETRY,
        budgets=Budgets(engine.map_budget, engine.lookup_budget, engine.poll_budget, engine.report_budget),
        stop=stop,
        reached=stopper(os.environ),
        confirm=partial(_confirm, http),
        wake=wake_nobody if database.is_sqlite else Wake(FIRST_STEP),
    )


def guarded_client(config: Config, clock: Clock) -> Guarded:
    """Return the client for addresses that a sender names: hosts of `[outbound]`, and of key addresses in checks."""
    named = (AllowedHost.parse(one) for one in config.outbound.allowed_hosts)
    addresses = (one for source in config.sources.values() for one in key_addresses(source.verify))
    implied = (host for one in addresses if (host := AllowedHost.of_url(one.url)) is not None)
    return Guarded(dict.fromkeys((*named, *implied)), clock=clock, rehearsal=config.outbound.rehearsal)


def published_documents(http: Guarded, log: Log) -> PublishedDocuments:
    """Return the keeper of keys that senders publish; it fetches them when they are first asked for."""
    return PublishedDocuments(lambda url, headers: http.request("GET", url, headers=headers), log)


def _confirm(http: Guarded, url: Private) -> None:
    answer = http.request("GET", url.reveal())
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - the successes
        raise Temporary(Code.REMOTE_FAULT, f"status {answer.status}")


def web_app(config: Config, site: Site) -> Flask:
    """Build the receiver."""
    limits = {name: one.max_deliveries_per_minute for name, one in config.sources.items()}
    return create_app(site, config.server.max_body_bytes, limits)


def reading_of(settings: SourceSettings) -> tuple[Source, RuleSet, Scope]:
    """Build what reads a source's payloads and decides about them; it needs neither store nor network."""
    rules = compile_rules([one.rule() for one in settings.mapping], settings.ignore_kinds, settings.default_region)
    scope = Scope(frozenset(plain(one) for one in settings.deletion_types), settings.allow_test_requests)
    described = settings.generic.description() if settings.generic is not None else None
    return PLATFORMS[settings.platform](described), rules, scope


def _source(config: Config, name: str, clock: Clock, stop: threading.Event, documents: Documents) -> SourceWork:
    settings = config.sources[name]
    dialect, rules, scope = reading_of(settings)
    content_types = settings.generic.content_types if settings.generic is not None else {"application/json"}
    return SourceWork(
        name=name,
        account=settings.account,
        enabled=settings.enabled,
        verifier=verifier_of(settings.verify, documents),
        url=settings.url,
        media_types=media_types(settings.verify) | content_types,
        dialect=dialect,
        reporter=_reporter(settings, clock, stop, rehearsal=config.outbound.rehearsal),
        rules=rules,
        scope=scope,
        regulation=settings.regulation,
        replies=settings.generic.replies() if settings.generic is not None else Replies(),
    )


def _reporter(settings: SourceSettings, clock: Clock, stop: threading.Event, *, rehearsal: bool) -> Reporter:
    if settings.report is not None:
        return _onetrust_reporter(settings.report, clock, stop)
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
        http = Client(settings.base_url, clock=clock, limits=_limits(settings.timeout_s), slot=pace.slot)
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


def _onetrust_reporter(settings: ReportSettings, clock: Clock, stop: threading.Event) -> Reporter:
    pace = Pace(RateLimit(settings.requests_per_second, stop=stop), _REPORT_CONCURRENCY, stop=stop)
    http = Client(
        base_url_of(settings.host, settings.base_url), clock=clock, limits=_limits(settings.timeout_s), slot=pace.slot
    )
    tokens = TokenSource(
        http,
        settings.client_id.reveal(),
        settings.client_secret,
        clock=clock,
        as_form=settings.token_encoding == "form",  # noqa: S105 - an encoding
    )
    resolutions = {
        SourceStatus.COMPLETED: settings.resolutions.completed,
        SourceStatus.REJECTED: settings.resolutions.rejected,
    }
    return OneTrustReporter(
        OneTrustApi(http, tokens),
        subtask_name=settings.subtask_name,
        resolutions={status: one for status, one in resolutions.items() if one},
    )


def _account(name: str, settings: AccountSettings, clock: Clock, stop: threading.Event) -> AccountWork:
    pace = Pace(RateLimit(settings.requests_per_second, stop=stop), settings.concurrency, stop=stop)
    http = Client(settings.base_url, clock=clock, limits=_limits(settings.timeout_s), slot=pace.slot)
    body = settings.body
    account = open_account(
        name,
        http,
        settings.token,
        DeletionApiName(settings.deletion_api),
        account_id=settings.account_id,
        body_keys=BodyKeys(body.table_key, body.field_key, body.values_key),
        look_up_call=LookUpCall(settings.look_up_call),
    )
    return AccountWork(
        name=name,
        api_name=settings.deletion_api,
        api=account.api,
        profiles=account.profiles,
        look_up=LookUp(settings.look_up),
        concurrency=settings.concurrency,
        batch_max_values=settings.batch_max_values,
        batch_max_bytes=settings.batch_max_bytes,
        batch_wait_s=settings.batch_wait_s,
        polling=PollPolicy(settings.poll_first_s, settings.poll_factor, settings.poll_max_s),
        confirming=PollPolicy(settings.confirm_first_s, 2.0, _LONGEST_CONFIRM_S),
        confirm_for_s=settings.confirm_for_s,
        warn_after=timedelta(days=settings.warn_after_days),
        # A call ends before this, whatever happens to it: its time limits add up to less.
        stale_intent_s=settings.timeout_s * 4 + 60,
        unknown_wait_s=settings.unknown_wait_s,
        retry=_LYTICS_RETRY,
    )


def _limits(timeout_s: float) -> Limits:
    return Limits(connect_s=min(timeout_s, 10.0), read_s=timeout_s, total_s=timeout_s * 2)


def loopback_client(base_url: str) -> Client:
    """Return a client for a process on this machine."""
    return Client(base_url, clock=SystemClock())
