"""Metrics, dashboard, rules and runbooks name the same things, and Prometheus' own tool takes the rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.alerting import WORDS, Kind
from connector.observe.metrics import METRICS, PREFIX, Type
from tests.docs.metrics_page import MARK, page
from tests.docs.pages import ROOT
from tests.support.postgres import IN_CI

PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
RULES_FILE = ROOT / "config/observability/alert-rules.yml"
RULES = RULES_FILE.read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "config/observability/grafana-dashboard.json").read_text("utf-8"))
PROMTOOL = shutil.which("promtool")
NEEDED = "no promtool here; the Debian package prometheus has it"
SECTIONS = dict(zip(*[iter(re.split(r"^## `(\w+)`$", RUNBOOKS, flags=re.MULTILINE)[1:])] * 2, strict=True))
_NAME = re.compile(rf"\b{PREFIX}[a-z_]+")
_SELECTOR = re.compile(rf"\b({PREFIX}[a-z_]+)(?:\{{([^}}]*)\}})?")
_BY = re.compile(r"by \(([a-z_, ]+)\)")


def samples() -> dict[str, set[str]]:
    """Return every name that is served, with its labels."""
    found = {}
    for name, one in METRICS.items():
        if one.type is Type.HISTOGRAM:
            found[f"{PREFIX}{name}_bucket"] = {*one.labels, "le"}
            found |= {f"{PREFIX}{name}{end}": set(one.labels) for end in ("_sum", "_count")}
        else:
            found[PREFIX + name] = set(one.labels)
    return found


SAMPLES = samples()


def shown() -> Iterator[tuple[str, str, str]]:
    """Give the title, the query and the legend of everything on the dashboard."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def queries() -> list[str]:
    written = re.findall(r"^        expr: (?:>-\n((?: {10}.*\n)+)|(.*))", RULES, re.MULTILINE)
    return [one for _, one, _ in shown()] + [folded or line for folded, line in written]


def test_the_table_is_the_one_that_the_list_makes() -> None:
    assert page(PAGE) == PAGE, "run `make docs`"


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_on_the_page_with_its_labels(name: str) -> None:
    (row,) = [line for line in PAGE.partition(MARK)[2].splitlines() if line.startswith(f"| `{PREFIX}{name}` |")]
    assert METRICS[name].meaning[1:] in row
    assert all(f"`{label}`" in row for label in METRICS[name].labels)
    assert not set("|\n") & set(METRICS[name].meaning)


def test_a_page_without_its_mark_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="the line that its table begins after"):
        page("# Metrics\n")


@pytest.mark.parametrize("query", queries())
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    names = _NAME.findall(query)
    assert names
    assert set(names) <= set(SAMPLES)
    labels = set.union(*(SAMPLES[one] for one in names))
    for group in _BY.findall(query):
        assert {one.strip() for one in group.split(",")} <= labels
    for name, selector in _SELECTOR.findall(query):
        assert {one.split("=")[0].rstrip("!~") for one in re.findall(r"([a-z_]+[!=~]+)", selector)} <= SAMPLES[name]


def test_every_metric_is_on_the_dashboard() -> None:
    on_it = {name for _, query, _ in shown() for name in _NAME.findall(query)}
    assert [name for name in METRICS if not any(one.startswith(PREFIX + name) for one in on_it)] == []


@pytest.mark.parametrize(("query", "legend"), [(query, legend) for _, query, legend in shown()])
def test_a_legend_names_labels_that_are_left(query: str, legend: str) -> None:
    left = {one.strip() for group in _BY.findall(query) for one in group.split(",")}
    assert set(re.findall(r"{{(\w+)}}", legend)) <= left


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    panels = DASHBOARD["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert {one["type"] for one in panels} == {"row", "stat", "timeseries"}
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource"]
    assert {"title", "uid", "schemaVersion", "time", "panels"} <= set(DASHBOARD)
    taken: set[tuple[int, int]] = set()
    for one in panels:
        at = one["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, one["title"]
        taken |= cells
        assert one["type"] == "row" or one["datasource"]["uid"] == "${datasource}"


def rules() -> list[tuple[str, str]]:
    return re.findall(r"- alert: (\w+)\n(?:.*\n)*?          runbook: docs/runbooks\.md#(\w+)\n", RULES)


def test_each_rule_has_its_runbook_and_each_runbook_its_rule() -> None:
    assert len(rules()) == RULES.count("- alert: ")
    assert {section for _, section in rules()} == set(SECTIONS)
    for name, section in rules():
        assert f"Rule `{name}`." in SECTIONS[section]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_runbook_ends_with_a_command(name: str) -> None:
    # That it exists is looked at by the test of all commands.
    assert re.search(r"\n```sh\nconnector [a-z].*\n```\n*$", SECTIONS[name])


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_message_is_explained_and_has_its_runbook(kind: Kind) -> None:
    assert f"| `{kind}` |" in ALERTS
    assert f"\n{WORDS[kind][1]}\n" in SECTIONS[kind]


@pytest.mark.skipif(PROMTOOL is None and not IN_CI, reason=NEEDED)
def test_prometheus_finds_no_fault_in_the_rules() -> None:
    assert PROMTOOL is not None, NEEDED
    done = subprocess.run(
        [PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", RULES_FILE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules())} rules found" in done.stdout


# What is served → which rules fire, after twenty minutes of it.
FIRING = {
    'connector_requests_late{source="onetrust"} 2': "ConnectorDeadlineLate",
    'connector_requests_late{source="onetrust"} 0': "",
    'connector_fuse_blown{scope="account", name="main"} 1': "ConnectorFuseBlown",
    'connector_credential_refused{scope="account", name="main"} 1': "ConnectorCredentialRefused",
    'connector_key_end_seconds{source="onetrust", check="1"} 900000': "",
    'connector_key_end_seconds{source="onetrust", check="1"} 2000000': "",
    'connector_watch_finds{source="onetrust", state="returned"} 1': "ConnectorWatchFind",
    'connector_watch_finds{source="onetrust", state="returned"} 0': "",
    "connector_store_up 0": "ConnectorStoreDown",
    "connector_store_up 1": "",
}


@pytest.mark.skipif(PROMTOOL is None and not IN_CI, reason=NEEDED)
@pytest.mark.parametrize(("served", "fires"), FIRING.items())
def test_a_rule_fires_when_it_should(served: str, fires: str, tmp_path: Path) -> None:
    assert PROMTOOL is not None, NEEDED
    series, _, value = served.rpartition(" ")
    labels = re.findall(r'(\w+)="(\w+)"', series)
    name = fires or "ConnectorDeadlineLate"
    summary = re.findall(rf"- alert: {name}\n(?:.*\n)*?          summary: (\".*\")", RULES)[0]
    for label, word in labels:
        summary = summary.replace("{{ $labels.%s }}" % label, word)  # noqa: UP031 - braces
    expected = {
        "exp_labels": {**{name: word for name, word in labels if name != "state"}, "severity": "critical"},
        "exp_annotations": {
            "summary": json.loads(summary).replace("{{ $value }}", value),
            "runbook": f"docs/runbooks.md#{dict(rules())[name]}",
        },
    }
    asked = {"eval_time": "20m", "alertname": name, "exp_alerts": [expected] if fires else []}
    tests = [
        {"interval": "1m", "input_series": [{"series": series, "values": f"{value}x30"}], "alert_rule_test": [asked]}
    ]
    file = tmp_path / "test.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"rule_files": [str(RULES_FILE)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
