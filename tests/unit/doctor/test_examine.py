"""The doctor as a whole: no part stops another, whatever happens to it; and what the remote clocks say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from connector.clock import FixedClock, SystemClock
from connector.doctor import examine, lytics, onetrust
from connector.doctor.findings import KINDS, Finding, Level
from connector.doctor.watch import Watched
from connector.sandbox.lytics import FakeLytics
from tests.support.site import START
from tests.unit.doctor.test_here import configured

BASE = "https://api.example.com"


def test_a_part_that_raises_keeps_what_it_found_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: Any) -> Iterator[Finding]:
        yield Finding("lytics_fine", "main")
        raise RuntimeError("canary-secret")

    monkeypatch.setattr(lytics, "account", raising)
    monkeypatch.setattr(onetrust, "source", lambda *_: iter([Finding("onetrust_fine", "onetrust")]))
    found = examine.examine(configured(tmp_path), SystemClock())
    assert [one.id for one in found] == ["secrets_fine", "store_absent", "lytics_fine", "crashed", "onetrust_fine"]
    assert found[3].found == "RuntimeError"
    assert "canary" not in str(found)


def test_whatever_is_not_well_has_a_mend() -> None:
    assert [name for name, kind in KINDS.items() if kind.level is not Level.OK and not kind.mend] == []


def test_what_does_not_look_like_a_token_of_lytics_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    with FakeLytics() as fake:
        config = configured(
            tmp_path, f'accounts.main.token="file:{tmp_path / "token"}"', f'accounts.main.base_url="{fake.url}"'
        )
        found = [one.id for one in lytics.account("main", config.accounts["main"], {("user", "email")}, SystemClock())]
    assert found == ["lytics_token_kind", "lytics_token_refused"]


def test_an_account_that_no_source_uses_is_told(tmp_path: Path) -> None:
    with FakeLytics() as fake:
        config = configured(tmp_path, f'accounts.main.base_url="{fake.url}"')
        found = [one.id for one in lytics.account("main", config.accounts["main"], (), SystemClock())]
    assert found == ["account_unused", "lytics_fine", "lytics_token_fine", "deletion_api_fine"]


def test_a_source_that_is_not_onetrust_is_not_asked(tmp_path: Path) -> None:
    settings = configured(tmp_path).sources["onetrust"].model_copy(update={"report": None})
    assert [*onetrust.source("shop", settings, SystemClock())] == []


@pytest.mark.parametrize(
    ("told", "off"),
    [
        ("Mon, 02 Nov 2026 09:00:30 GMT", False),
        ("Mon, 02 Nov 2026 09:00:31 GMT", True),
        ("Mon, 02 Nov 2026 08:59:29 GMT", True),
        ("yesterday", False),
        ("Mon, 02 Nov 2026 10:00:00 -0000", False),
        ("", False),
    ],
)
@responses.activate
def test_a_clock_is_off_by_more_than_half_a_minute(told: str, off: bool) -> None:
    responses.get(f"{BASE}/x", json={}, headers={"Date": told} if told else {})
    http = Watched(BASE, FixedClock(START))
    assert http.skew is None
    http.request("GET", "/x")
    assert http.is_off is off
    if off:
        assert abs(http.skew or timedelta()) == timedelta(seconds=31)
