"""The short form of `bench soak`: processes are killed at random moments, and no promise is broken."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench import soak

pytestmark = [pytest.mark.process, pytest.mark.soak]

KILLS = 12


def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(store_url: str, tmp_path: Path) -> None:
    store = "sqlite" if store_url.startswith("sqlite") else "postgresql"
    seed = random.randrange(1_000_000)
    plan = soak.Plan(KILLS, store, random.Random(seed).choice(soak.APIS), seed, every_s=1.2)
    result = soak.torment(plan, store_url, tmp_path)
    assert (plan, result.complaints) == (plan, [])
    assert result.figures["receivers_killed"] + result.figures["workers_killed"] == KILLS
    assert result.figures["accepted"] == result.figures["callbacks"] > KILLS
