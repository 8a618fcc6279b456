"""The WSGI entry point."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import Misconfigured
from connector.wsgi import create_app
from tests.acceptance.journey import ROOT, logging_as_it_was


def test_the_application_is_built_from_the_configuration_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(ROOT / "config/connector.toml"))
    monkeypatch.setenv(
        "CONNECTOR_SET", f'["store.url=\\"sqlite:///{tmp_path}/store.db\\"", "server.max_body_bytes=1024"]'
    )
    with logging_as_it_was():
        client = create_app().test_client()
        assert client.get("/health/live").get_json() == {"live": True}
        assert client.get("/health/ready").get_json()["code"] == "store_outdated"
        assert client.post("/webhooks/onetrust", data=b"x" * 1025).status_code == 413


def test_a_configuration_that_is_none_ends_the_server_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", "/nowhere/connector.toml")
    with pytest.raises(Misconfigured):
        create_app()
