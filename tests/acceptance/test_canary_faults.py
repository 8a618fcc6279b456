"""Whatever goes wrong at a vendor or on the way, nobody is named: every switch of the sandbox, with marked people.

Both fakes repeat the marked person in every error that they answer. The switches come from the sandbox's own lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.fake import Fake
from connector.sandbox.faults import Switch
from connector.sandbox.lytics import SWITCHES as LYTICS
from connector.sandbox.onetrust import SWITCHES as ONETRUST
from connector.sandbox.onetrust_calls import KNOBS
from tests.acceptance.canary import NAMES, Watched, watched
from tests.acceptance.canary_features import EMAIL
from tests.support.canary import value_of

Capture = pytest.CaptureFixture[str]
EVIDENCE = ('sources.onetrust.report.complete_with="complete"', "sources.onetrust.report.evidence.enabled=true")
IMPATIENT = ("accounts.main.timeout_s=0.3", "sources.onetrust.report.timeout_s=0.3")
QUICK = (
    "accounts.main.confirm_for_s=3000",
    'sources.onetrust.access.types=["Data Access"]',
    'sources.onetrust.access.delivery="attach"',
    *EVIDENCE,
)
# They cost real time.
SLOW = frozenset({"latency", "slow_answer", "client_timeout"})
# They are looked at and not used up, so that nothing would go on.
LASTING = frozenset({"clock_off", "scope_missing"})
# Values that are not one of a list, where the default would not do anything here.
VALUES: Mapping[str, Any] = {"latency": 1.0, "slow_answer": 0.05, "client_timeout": 0.0001, "too_large": 1}
CASES = [(where, name) for where, switches in (("lytics", LYTICS), ("onetrust", ONETRUST)) for name in switches]

# Those that act only in an account with the other deletion API.
QUEUE = [name for name, one in LYTICS.items() if one.explanation.startswith("identity-queue")]


def fake_of(watch: Watched, where: str) -> Fake:
    return watch.life.lytics if where == "lytics" else watch.life.onetrust


def values(where: str, name: str) -> list[Any]:
    switch: Switch = (LYTICS if where == "lytics" else ONETRUST)[name]
    return list(switch.choices) or [VALUES.get(name)]


def a_life(watch: Watched, passes: int = 6) -> None:
    """Let two people ask for erasure, and one for their data."""
    known = {"loyalty_id": value_of("loyalty id"), "phone": value_of("telephone"), **NAMES}
    watch.life.knows(EMAIL.lower(), **known)
    watch.life.knows(value_of("second email"))
    asked = [watch.ask(), watch.ask(value_of("second email"), identifiers={})]
    asked.append(watch.ask(request_types=("Data Access",)))
    watch.life.fire(*asked)
    watch.life.run_for(passes, seconds=400)
    watch.life.fire(*asked)
    watch.life.run_for(2, seconds=4000)


@pytest.mark.parametrize("api", ["identity-delete", "identity-queue"])
def test_one_fault_after_the_other_names_nobody(api: str, tmp_path: Path, capfd: Capture) -> None:
    """Every switch acts once, wherever the life is just then."""
    settings = (*QUICK, f'accounts.main.deletion_api="{api}"')
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd, *settings) as watch:
        onetrust = watch.life.onetrust
        for name in set(KNOBS) - SLOW:
            for one in values("onetrust", name):
                onetrust.faults.turn_on(name, one, times=1)
                watch.life.fire(watch.ask(value_of("second email"), identifiers={}))
        for where, name in CASES:
            if name not in SLOW | LASTING | set(KNOBS):
                for one in values(where, name):
                    fake_of(watch, where).faults.turn_on(name, one, times=1)
        for _ in range(6):
            a_life(watch, passes=8)
        used = {(where, name) for where in ("lytics", "onetrust") for name in fake_of(watch, where).faults.used}
        # The rest has no occasion in this account, or lasts: the longer test tries them one by one.
        assert len(used) > len(CASES) / 2
        watch.require_nothing_seen()


@pytest.mark.soak
@pytest.mark.parametrize(("where", "name"), CASES)
def test_a_fault_that_lasts_names_nobody(where: str, name: str, tmp_path: Path, capfd: Capture) -> None:
    settings = (*QUICK, *(IMPATIENT if name in SLOW else ()))
    for number, one in enumerate(values(where, name)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with watched(f"sqlite:///{folder / 'store.db'}", folder, capfd, *settings) as watch:
            # What costs real time lasts for a few calls only.
            fake_of(watch, where).faults.turn_on(name, one, times=6 if name in SLOW else None)
            a_life(watch)
            fake_of(watch, where).faults.turn_off()
            watch.life.lytics.release_stuck()
            a_life(watch, passes=8)
            watch.require_nothing_seen()


@pytest.mark.soak
@pytest.mark.parametrize("name", QUEUE)
def test_nor_does_it_with_the_other_deletion_api(name: str, tmp_path: Path, capfd: Capture) -> None:
    settings = (*QUICK, 'accounts.main.deletion_api="identity-queue"')
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd, *settings) as watch:
        watch.life.lytics.faults.turn_on(name)
        a_life(watch)
        watch.life.lytics.faults.turn_off()
        a_life(watch, passes=8)
        watch.require_nothing_seen()
