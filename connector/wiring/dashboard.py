"""Joins the dashboard; it shares the store with the receiver and the worker, and needs neither to run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from connector.codes import Code
from connector.config import Config
from connector.config.dashboard import DashboardSettings
from connector.errors import Misconfigured
from connector.services.site import Site
from connector.services.users import UserFile
from connector.web.app import Flask
from connector.web.dashboard.app import create_dashboard


def settings_of(config: Config) -> DashboardSettings:
    """Return the dashboard's table. Raises `Misconfigured` if there is none, or if its port is the receiver's."""
    if config.dashboard is None:
        raise Misconfigured(Code.CONFIG_INVALID, "dashboard: there is no such table; [dashboard] may be empty")
    if config.dashboard.port == config.server.port:
        raise Misconfigured(Code.CONFIG_INVALID, "dashboard.port: it is server.port, where senders call")
    return config.dashboard


def users_of(config: Config) -> UserFile:
    return UserFile(Path(settings_of(config).users_file))


def dashboard_app(config: Config, site: Site) -> Flask:
    """Build the dashboard."""
    given = settings_of(config)
    return create_dashboard(
        site,
        users_of(config),
        idle=timedelta(minutes=given.idle_minutes),
        longest=timedelta(hours=given.longest_hours),
        sign_ins_per_minute=given.max_sign_ins_per_minute,
    )
