"""The page about the sandbox names every switch, operation and run-time route."""

from pathlib import Path

import pytest

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.time_authority import FakeTimeAuthority

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
FAKES = [FakeLytics(), FakeOneTrust(), FakeTimeAuthority()]


@pytest.mark.parametrize("fake", FAKES, ids=["lytics", "onetrust", "time-authority"])
def test_every_switch_and_operation_is_documented(fake):
    for name, explanation in fake.faults.catalogue.items():
        assert f"| `{name}` |" in PAGE, name
        assert explanation in PAGE, name
    for operation in fake.faults.operations:
        assert f"`{operation}`" in PAGE, operation


@pytest.mark.parametrize("fake", FAKES, ids=["lytics", "onetrust", "time-authority"])
def test_every_run_time_route_is_documented(fake):
    for rule in fake._urls.map.iter_rules():
        if rule.rule.startswith("/_sandbox/"):
            assert f"`{rule.endpoint.method} {rule.rule}`" in PAGE, rule.rule
