"""The one place where objects are built and joined: configuration in, a working site out."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from connector.clock import Clock, SystemClock
from connector.codes import Code
from connector.config import Config, load
from connector.config.checks import key_addresses, media_types, token_clients, verifier_of
from connector.config.models import SourceSettings
from connector.crypto.keyring import Keyring
from connector.crypto.pseudonym import Pseudonymiser
from connector.crypto.share import ShareKey
from connector.dialect.reply import Replies
from connector.engine.schedule import MAP, READ_BACK
from connector.errors import Misconfigured, Temporary
from connector.hosts import AllowedHost
from connector.lease import Lease
from connector.mapping.rules import RuleSet, compile_rules
from connector.observe.log import configure
from connector.observe.meters import CountedLog
from connector.outbound import Client, Told, tell_nobody
from connector.outbound.guarded import Guarded
from connector.policy.needed_keys import Keeping
from connector.policy.retention import MONTH
from connector.policy.retry import RetryPolicy
from connector.ports import Documents, Log, Source
from connector.private import Private
from connector.published import PublishedDocuments
from connector.services.extras import AccessRules, Extras
from connector.services.kinds import plain
from connector.services.proofs import Proofs
from connector.services.rules import Scope
from connector.services.site import Budgets, Site, SourceWork, wake_nobody
from connector.services.tokens import Holder
from connector.services.watch_rules import Suppression
from connector.sources.onetrust.parse import OneTrustSource
from connector.sources.registry import PLATFORMS
from connector.stops import stopper
from connector.store.columns import Connection
from connector.store.database import Database
from connector.store.jobs import Wake
from connector.web import api, published, suppression, tokens
from connector.web.api import ApiClient
from connector.web.app import Flask, create_app
from connector.wiring.accounts import account_work, approval_of, fuse_policy
from connector.wiring.alarms import alarms_of
from connector.wiring.meters import open_meters, told_by
from connector.wiring.onetrust import Tenant
from connector.wiring.platforms import backstop_of, read_back, reporter
from connector.wiring.stamps import stamping_of

# Overrides given on the command line reach child processes through this variable, as a JSON list.
OVERRIDES_VARIABLE: Final = "CONNECTOR_SET"
DEFAULT_CONFIG: Final = "config/connector.toml"

# How a failed call is tried again. Waits in seconds.
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
    database = Database(config.store.url.reveal(), config.server.threads + 4, Keyring(config.store.sealing_keys))
    database.pseudonym_keys = pseudonymiser_of(config).ids
    return database


def pseudonymiser_of(config: Config) -> Pseudonymiser:
    """Return what hashes under the present pseudonym key, and recognises what was hashed under the others."""
    return Pseudonymiser(config.store.pseudonym_key, config.store.other_pseudonym_keys)


def build_site(config: Config, role: str, clock: Clock | None = None) -> Site:
    """Build everything that steps and views work with.

    Args:
        role: which process this is, for the log: web, worker or cli.
    """
    clock = clock or SystemClock()
    lease = Lease()
    engine = config.engine
    log = configure(role, config.log.level, config.log.format)
    meters = open_meters(config, role, log)
    if meters is not None:
        log = CountedLog(log, meters)
    http = guarded_client(config, clock, told_by(meters, "sender"))
    documents = published_documents(http, log)
    database = open_database(config)
    sources = {
        name: _source(config, name, clock, lease, documents, told_by(meters, "source", name)) for name in config.sources
    }
    return Site(
        database=database,
        clock=clock,
        pseudonymiser=pseudonymiser_of(config),
        sources=sources,
        accounts={
            name: account_work(name, one, clock, lease, told_by(meters, "lytics", name))
            for name, one in config.accounts.items()
        },
        log=log,
        rng=random.random,
        report_retry=_REPORT_RETRY,
        budgets=Budgets(engine.map_budget, engine.lookup_budget, engine.poll_budget, engine.report_budget),
        retention=config.retention.policy(),
        stop=lease.stop,
        lease=lease,
        reached=stopper(os.environ),
        alarms=alarms_of(config, clock, meters),
        proofs=proofs_of(config, clock),
        suppression=suppression_of(config),
        confirm=partial(_confirm, http),
        wake=wake_nobody if database.is_sqlite else _waking(sources),
    )


def suppression_of(config: Config) -> Suppression:
    """Return how long entries of the suppression list stay, and for whom they are hashed."""
    of = config.suppression
    share = ShareKey(of.share_key) if of.share_key is not None else None
    return Suppression(of.keep_months * MONTH if of.keep_months else None, share)


def keeping_of(config: Config) -> Keeping:
    """Return how long what is hashed is kept."""
    return Keeping(suppression_of(config).keep, config.retention.policy().records)


def proofs_of(config: Config, clock: Clock | None = None) -> Proofs:
    """Return under which name and with which keys the site proves what it did."""
    of = config.proof
    stamping = stamping_of(of.stamps, clock or SystemClock()) if of.stamps is not None else None
    return Proofs(of.origin, of.key(), of.former(), config.digest(), stamping)


def _waking(sources: Mapping[str, SourceWork]) -> Callable[[Connection, Collection[str]], None]:
    """Return what adds a job for the first step of a request's life, of each source that brought one."""
    mapping = Wake(MAP.name)
    first = {
        name: Wake(READ_BACK.name, name, READ_BACK.lock(name)) if one.read_back else mapping
        for name, one in sources.items()
    }

    def wake(connection: Connection, names: Collection[str]) -> None:
        # In one order, so that two processes do not wait for each other.
        for one in dict.fromkeys(first[name] for name in sorted(names)):
            one(connection)

    return wake


def guarded_client(config: Config, clock: Clock, told: Told = tell_nobody) -> Guarded:
    """Return the client for addresses that a sender names: hosts of `[outbound]`, and of key addresses in checks."""
    named = (AllowedHost.parse(one) for one in config.outbound.allowed_hosts)
    addresses = (one for source in config.sources.values() for one in key_addresses(source.verify))
    implied = (host for one in addresses if (host := AllowedHost.of_url(one.url)) is not None)
    return Guarded(dict.fromkeys((*named, *implied)), clock=clock, rehearsal=config.outbound.rehearsal, told=told)


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
    clients = {
        client.client_id: Holder(name, client)
        for name, one in config.sources.items()
        if one.enabled
        for client in token_clients(one.verify)
    }
    app = create_app(site, config.server.max_body_bytes, limits)
    published.install(app, site)
    tokens.install(app, site, clients, config.server.max_token_requests_per_minute)
    callers = [ApiClient(name, one.secrets, frozenset[str](one.scopes)) for name, one in config.api.clients.items()]
    api.install(app, site, callers, config.api.max_requests_per_minute)
    suppression.install(app, site, callers, config.api.max_requests_per_minute)
    return app


def reading_of(settings: SourceSettings) -> tuple[Source, RuleSet, Scope]:
    """Build what reads a source's payloads and decides about them; it needs neither store nor network."""
    rules = compile_rules([one.rule() for one in settings.mapping], settings.ignore_kinds, settings.default_region)
    access_types = settings.access.types if settings.access is not None else ()
    scope = Scope(
        frozenset(plain(one) for one in settings.deletion_types),
        settings.allow_test_requests,
        frozenset(plain(one) for one in access_types),
    )
    described = settings.generic.description() if settings.generic is not None else None
    if settings.read_back is not None and settings.read_back.enabled:
        # What a callback leaves out is read from OneTrust.
        return OneTrustSource(require_identity=False), rules, scope
    return PLATFORMS[settings.platform](described), rules, scope


def _source(config: Config, name: str, clock: Clock, lease: Lease, documents: Documents, told: Told) -> SourceWork:
    settings = config.sources[name]
    dialect, rules, scope = reading_of(settings)
    onetrust = Tenant.of(settings.report, clock, lease, told) if settings.report is not None else None
    content_types = settings.generic.content_types if settings.generic is not None else {"application/json"}
    return SourceWork(
        name=name,
        account=settings.account,
        enabled=settings.enabled,
        verifier=verifier_of(settings.verify, documents),
        url=settings.url,
        media_types=media_types(settings.verify) | content_types,
        dialect=dialect,
        reporter=reporter(settings, onetrust, clock, lease, rehearsal=config.outbound.rehearsal, told=told),
        rules=rules,
        scope=scope,
        regulation=settings.regulation,
        replies=settings.generic.replies() if settings.generic is not None else Replies(),
        read_back=read_back(settings, onetrust),
        backstop=backstop_of(settings, onetrust),
        extras=_extras(settings, onetrust),
        fuse=fuse_policy(settings.fuse),
        approval=approval_of(settings),
        watch=config.suppression.rule(settings.watch),
    )


def _extras(settings: SourceSettings, onetrust: Tenant | None) -> Extras:
    extras = onetrust.extras() if onetrust is not None else Extras()
    of = settings.access
    if of is None:
        return extras
    filing = onetrust.access_filing() if onetrust is not None and of.delivery == "attach" else None
    rules = AccessRules(filing, of.when_redacted == "hold", timedelta(days=of.keep_days), of.max_bytes)
    return replace(extras, access=rules)


def loopback_client(base_url: str) -> Client:
    """Return a client for a process on this machine."""
    return Client(base_url, clock=SystemClock())
