"""The whole examination: every part by itself, so that what fails in one is no reason not to look at the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

from connector.clock import Clock
from connector.config import Config
from connector.doctor import here, lytics, onetrust, pseudonyms, stamps
from connector.doctor.findings import Finding
from connector.store import checkup
from connector.wiring import keeping_of, open_database, pseudonymiser_of, reading_of

Part: TypeAlias = Callable[[], Iterable[Finding]]


def examine(config: Config, clock: Clock) -> list[Finding]:
    """Look at everything that a usable configuration names, remote systems at the same time; in a fixed order."""
    parts: list[Part] = [partial(here.secrets, config, clock.now()), partial(_store, config, clock)]
    for name, account in config.accounts.items():
        parts.append(partial(lytics.account, name, account, _mapped(config, name), clock))
    parts += [partial(onetrust.source, name, one, clock) for name, one in config.sources.items()]
    parts.append(partial(stamps.authority, config, clock))
    with ThreadPoolExecutor(8, thread_name_prefix="doctor") as pool:
        return [one for found in pool.map(_safely, parts) for one in found]


def _safely(part: Part) -> list[Finding]:
    found: list[Finding] = []
    try:
        # One by one: what was found before a defect stays found.
        for one in part():
            found.append(one)  # noqa: PERF402 - a list at once would lose them
    except Exception as error:  # noqa: BLE001 - a defect of the doctor's hides nothing that others find
        # The class alone: its text may quote a secret.
        found.append(Finding("crashed", found=type(error).__name__))
    return found


def _store(config: Config, clock: Clock) -> Iterator[Finding]:
    if not checkup.is_there(config.store.url.reveal()):
        yield Finding("store_absent")
        return
    with open_database(config) as database:
        yield from here.store(database, clock.now())
        yield from pseudonyms.keys(database, pseudonymiser_of(config), keeping_of(config))


def _mapped(config: Config, account: str) -> set[tuple[str, str]]:
    rules = (rule for one in config.sources.values() if one.account == account for rule in reading_of(one)[1].rules)
    return {(target.table, target.field) for rule in rules for target in rule.targets}
