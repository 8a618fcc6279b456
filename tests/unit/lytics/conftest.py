"""An account at a made-up address whose answers are written out by each test."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime

import pytest
import responses

from connector.clock import FixedClock
from connector.errors import ConnectorError
from connector.lytics.account import DeletionApiName, open_account
from connector.outbound import Client
from connector.private import Private, Secret

BASE = "https://api.example.com"
TOKEN = "at.1234.very-secret"
ANA, BO = Private("Ana@Example.com"), Private("bo@example.com")


class Lytics:
    """Opens accounts, and catches errors after making sure that they show nobody and no secret."""

    base = BASE
    headers = {"Authorization": TOKEN}  # noqa: RUF012 - read only

    def account(self, name=DeletionApiName.IDENTITY_DELETE, **options):
        http = Client(BASE, clock=FixedClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC)))
        return open_account("main", http, Secret(TOKEN, "env:LYTICS_TOKEN"), name, **options)

    def failure(self, call, *arguments):
        with pytest.raises(ConnectorError) as caught:
            call(*arguments)
        text = ("".join(traceback.format_exception(caught.value)) + repr(caught.value)).lower()
        assert not [one for one in ("ana@", "ana%40", "bo@", "very-secret") if one in text]
        return caught.value


@pytest.fixture
def lytics():
    return Lytics()


@pytest.fixture
def http():
    """Answers, all of which must be used."""
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock
