"""Calls to addresses that a sender names, as they are wired: which hosts, for keys and for confirmations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from connector.clock import FixedClock
from connector.codes import Code
from connector.config import Config
from connector.config.checks.base import CheckSection
from connector.errors import ConnectorError, Refused, Temporary
from connector.model import KeyAddress
from connector.ports import Documents
from connector.private import Private, Secret
from connector.sandbox.server import LoopbackServer
from connector.services.site import Site
from connector.verify.shared import Bearer
from connector.wiring import build_site, guarded_client, published_documents
from tests.acceptance.journey import START, load_shipped, logging_as_it_was
from tests.support.site import RecordingLog


class Published(CheckSection):
    """A check whose keys are published."""

    check: Literal["published"] = "published"
    addresses: tuple[str, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        return ()

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return tuple(KeyAddress(one) for one in self.addresses)

    def verifier(self, documents: Documents) -> Bearer:
        return Bearer((Secret("s" * 16, "test:secret"),))


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f'store.url="sqlite:///{tmp_path / "store.db"}"'


def with_check(config: Config, *addresses: str) -> Config:
    source = config.sources["onetrust"].model_copy(update={"verify": (Published(addresses=addresses),)})
    return config.model_copy(update={"sources": {"onetrust": source}})


@contextmanager
def built(*settings: str) -> Iterator[Site]:
    with logging_as_it_was():
        site = build_site(load_shipped(settings), "cli", FixedClock(START))
        try:
            yield site
        finally:
            site.database.close()


def allows(config: Config, url: str) -> bool:
    try:
        guarded_client(config, FixedClock(START)).vet(url)
    except Refused:
        return False
    return True


def test_hosts_of_the_table_and_of_key_addresses_may_be_called_and_no_others(store: str) -> None:
    config = load_shipped([store, 'outbound.allowed_hosts=["*.example.org"]'])
    config = with_check(config, "https://keys.example.com:8443/jwks", "http://127.0.0.1:9/jwks", "https://10.0.0.1/")
    assert allows(config, "https://a.example.org/callback")
    assert allows(config, "https://keys.example.com:8443/another")
    assert not allows(config, "https://keys.example.com/jwks")
    assert not allows(config, "https://example.com/")
    assert not allows(config, "http://127.0.0.1:9/jwks")
    assert not allows(config, "https://10.0.0.1/")


def test_as_shipped_nobody_may_be_called(store: str) -> None:
    assert not allows(load_shipped([store]), "https://keys.example.com/")


def test_published_keys_are_fetched_with_the_guarded_client(store: str) -> None:
    seen: list[str] = []

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ.get('HTTP_X_API_KEY')}")
        start_response("200 OK", [("Cache-Control", "max-age=600")])  # type: ignore[operator]
        return [b'{"keys": []}']

    with LoopbackServer(app) as server:
        address = KeyAddress(f"{server.url}/jwks", (("X-Api-Key", Secret("canary", "env:KEY")),))
        for rehearsal in ("true", "false"):
            config = load_shipped([store, f"outbound.rehearsal={rehearsal}"])
            documents = published_documents(guarded_client(config, FixedClock(START)), RecordingLog())
            if rehearsal == "true":
                assert documents.get(address, START).body == b'{"keys": []}'
            else:
                with pytest.raises(ConnectorError) as caught:
                    documents.get(address, START)
                assert caught.value.code is Code.KEY_UNKNOWN
    assert seen == ["GET /jwks canary"]


@pytest.mark.parametrize(("status", "error"), [("200 OK", None), ("204 No", None), ("403 No", Temporary)])
def test_a_confirmation_is_one_get_that_has_to_succeed(
    store: str, status: str, error: type[ConnectorError] | None, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    caplog.set_level(logging.DEBUG)

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}")
        start_response(status, [])  # type: ignore[operator]
        return [b""]

    with LoopbackServer(app) as server, built(store, "outbound.rehearsal=true") as site:
        url = Private(f"{server.url}/?Token=canary")
        if error is None:
            site.confirm(url)
        else:
            with pytest.raises(error) as caught:
                site.confirm(url)
            assert "canary" not in str(caught.value)
    assert seen == ["GET /?Token=canary"]
    assert "canary" not in caplog.text


def test_a_confirmation_goes_to_allowed_hosts_only(store: str) -> None:
    with built(store) as site, pytest.raises(Refused) as caught:
        site.confirm(Private("https://sns.example.com/?Token=canary"))
    assert caught.value.code is Code.ADDRESS_REFUSED
    assert "canary" not in str(caught.value)
