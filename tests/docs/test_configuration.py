from __future__ import annotations

import re
from typing import Any

import pytest

from connector.config import schema
from tests.docs.configuration_page import MARK, page
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def settings() -> list[tuple[str, str]]:
    whole = schema()
    return [(name, one) for name, table in whole["$defs"].items() for one in table.get("properties", {})]


def test_the_tables_are_those_that_the_models_make() -> None:
    assert page(PAGE) == PAGE, "run `make docs`"


@pytest.mark.parametrize(("table", "setting"), settings())
def test_each_setting_is_on_the_page_with_its_meaning(table: str, setting: str) -> None:
    described: dict[str, Any] = schema()["$defs"][table]["properties"][setting]
    rows = [line for line in PAGE.partition(MARK)[2].splitlines() if line.startswith(f"| `{setting}` | ")]
    assert [one for one in rows if described.get("description", "") in one]


def test_each_table_of_the_file_has_its_section() -> None:
    titles = re.findall(r"^## `(\[.+)`$", PAGE, re.MULTILINE)
    assert titles == [
        "[server]",
        "[store]",
        "[engine]",
        "[log]",
        "[metrics]",
        "[api]",
        "[api.clients.NAME]",
        "[dashboard]",
        "[outbound]",
        "[alerts]",
        "[[alerts.webhooks]]",
        "[[alerts.slack]]",
        "[[alerts.mail]]",
        "[proof]",
        "[proof.stamps]",
        "[retention]",
        "[suppression]",
        "[accounts.NAME]",
        "[accounts.NAME.fuse]",
        "[accounts.NAME.body]",
        "[sources.NAME]",
        "[sources.NAME.access]",
        '[[sources.NAME.verify]] check = "header"',
        '[[sources.NAME.verify]] check = "bearer"',
        '[[sources.NAME.verify]] check = "basic"',
        '[[sources.NAME.verify]] check = "query"',
        '[[sources.NAME.verify]] check = "scheme"',
        '[[sources.NAME.verify]] check = "signature"',
        '[[sources.NAME.verify]] check = "jws"',
        "[[sources.NAME.verify.keys_headers]]",
        "[[sources.NAME.verify.body_members]]",
        '[[sources.NAME.verify]] check = "issued-token"',
        '[[sources.NAME.verify]] check = "nacl-combined"',
        "[[sources.NAME.verify.agents]]",
        '[[sources.NAME.verify]] check = "http-message-signature"',
        "[[sources.NAME.verify.keys]]",
        '[[sources.NAME.verify]] check = "signed-request"',
        '[[sources.NAME.verify]] check = "x509-domain"',
        "[[sources.NAME.verify.discovery_headers]]",
        '[[sources.NAME.verify]] check = "sns"',
        '[[sources.NAME.verify]] check = "all_of"',
        '[[sources.NAME.verify]] check = "any_of"',
        '[[sources.NAME.verify]] check = "address"',
        '[[sources.NAME.verify]] check = "client-certificate"',
        "[sources.NAME.fuse]",
        "[[sources.NAME.mapping]]",
        "[[sources.NAME.mapping.targets]]",
        "[sources.NAME.generic]",
        "[[sources.NAME.generic.identities]]",
        "[sources.NAME.generic.reply]",
        "[sources.NAME.generic.ping_reply]",
        "[sources.NAME.generic.report]",
        "[[sources.NAME.generic.report.headers]]",
        "[sources.NAME.generic.report.statuses]",
        "[sources.NAME.report]",
        "[sources.NAME.report.resolutions]",
        "[sources.NAME.report.evidence]",
        "[sources.NAME.report.webhook]",
        "[sources.NAME.read_back]",
        "[sources.NAME.backstop]",
    ]


def test_a_page_without_its_mark_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="the line that its tables begin after"):
        page("# Configuration\n")
