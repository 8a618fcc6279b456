"""The WSGI entry point for any server.

`granian --interface wsgi --factory connector.wsgi:create_app`, or `gunicorn "connector.wsgi:create_app()"`.
The configuration file is named by the environment variable CONNECTOR_CONFIG (default `config/connector.toml`).
"""

from __future__ import annotations

import os

from flask import Flask

from connector.observe.uncaught import log_uncaught
from connector.wiring import build_site, load_config, web_app
from connector.wiring.dashboard import dashboard_app


def create_app() -> Flask:
    """Build the receiver from the configuration that the environment names."""
    config = load_config(os.environ)
    site = build_site(config, role="web")
    log_uncaught(site.log)
    return web_app(config, site)


def create_dashboard() -> Flask:
    """Build the dashboard from the same configuration. One process serves it, since sessions are kept there."""
    config = load_config(os.environ)
    site = build_site(config, role="dashboard")
    log_uncaught(site.log)
    return dashboard_app(config, site)
