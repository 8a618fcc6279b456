"""Access types are told from those of erasures, and a delivery that could not work is refused at start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from connector.config.access import AccessSettings, access_fault
from connector.errors import Misconfigured
from connector.wiring import reading_of
from tests.acceptance.journey import load_shipped

TYPES = 'sources.onetrust.access.types=["Data Access"]'
EXPORT = 'sources.onetrust.access.delivery="export"'
ATTACH = 'sources.onetrust.access.delivery="attach"'
COMPLETE = 'sources.onetrust.report.complete_with="complete"'
WEBHOOK = (
    'sources.onetrust.report.webhook.id="5f3b0b0e-3f0f-4a55-9e34-3f2a6a6f5c11"',
    'sources.onetrust.report.webhook.token="file:sandbox/webhook.secret"',
    "sources.onetrust.report.webhook.instead=true",
)


def fault(*settings: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        load_shipped(settings)
    return refused.value.detail


def test_nothing_changes_for_a_source_without_the_table() -> None:
    source = load_shipped(()).sources["onetrust"]
    assert source.access is None
    _, _, scope = reading_of(source)
    assert scope.access_types == frozenset()


def test_types_are_compared_without_case_and_spacing() -> None:
    source = load_shipped(('sources.onetrust.access.types=["Data  ACCESS "]', EXPORT)).sources["onetrust"]
    _, _, scope = reading_of(source)
    assert scope.access_types == {"data access"}
    assert isinstance(source.access, AccessSettings)
    assert (source.access.when_redacted, source.access.keep_days) == ("hold", 14.0)


@pytest.mark.parametrize("word", ["Data Deletion", "data  deletion"])
def test_no_type_means_both(word: str) -> None:
    said = fault(f'sources.onetrust.access.types=["{word}", "Data Access"]', EXPORT)
    assert "a type cannot mean access and erasure: data deletion" in said


def test_a_file_needs_the_call_that_takes_files() -> None:
    assert 'needs report.complete_with = "complete"' in fault(TYPES, ATTACH)
    assert load_shipped((TYPES, ATTACH, COMPLETE)).sources["onetrust"].access is not None


def test_a_file_needs_a_subtask_that_is_ours() -> None:
    assert "report.webhook.instead leaves it alone" in fault(TYPES, ATTACH, COMPLETE, *WEBHOOK)


@pytest.mark.parametrize("setting", ["keep_days=0", "keep_days=91", "max_bytes=1", "types=[]", 'delivery="mail"'])
def test_what_makes_no_sense_is_refused(setting: str) -> None:
    assert "sources.onetrust.access" in fault(TYPES, EXPORT, f"sources.onetrust.access.{setting}")


def test_how_it_is_delivered_has_to_be_said() -> None:
    assert "delivery" in fault(TYPES)


@pytest.mark.parametrize(
    ("generic", "delivery", "said"),
    [
        ({"only_erasures": True}, "export", "has no `type`"),
        ({"type": "/type"}, "attach", 'needs platform = "onetrust"'),
        ({"type": "/type"}, "export", ""),
    ],
)
def test_a_described_platform_has_to_tell_the_kinds_apart_and_takes_no_files(
    generic: dict[str, object], delivery: str, said: str
) -> None:
    access = AccessSettings.model_validate({"types": ("access",), "delivery": delivery})
    of = SimpleNamespace(deletion_types=("erase",), report=None, generic=SimpleNamespace(**({"type": ""} | generic)))
    assert said in access_fault(access, of)
    assert bool(access_fault(access, of)) == bool(said)
