"""Access requests of a source, as they are written in the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from pydantic import Field

from connector.config.generic import GenericSettings
from connector.config.onetrust import ReportSettings
from connector.config.section import Section


class AccessSettings(Section):
    """Which request types mean access, and what becomes of the answers. Nothing is ever deleted for such a request."""

    types: tuple[str, ...] = Field(
        min_length=1,
        description="The request types that mean access, as the source words them; none of them may stand in "
        "`deletion_types`. A request that names both kinds is not carried out.",
    )
    delivery: Literal["attach", "export"] = Field(
        description="How the data is handed over. `attach`: as a file at the OneTrust request, before the subtask is "
        'completed; it needs the scope `ATTACHMENT` and `complete_with = "complete"`. `export`: an operator takes it '
        "once, with `connector access export`.",
    )
    when_redacted: Literal["hold", "deliver"] = Field(
        "hold",
        description="What becomes of a request whose profile lacks its personal fields, as for a token without the "
        "right to see them. `hold`: it waits and is read again every hour. `deliver`: it is answered with a warning.",
    )
    keep_days: float = Field(
        14.0,
        gt=0,
        le=90,
        description="Days after which data that nobody took is destroyed, and the request fails.",
    )
    max_bytes: int = Field(
        5_000_000,
        ge=10_000,
        le=50_000_000,
        description="The largest answer, and the largest profile in it, in bytes; beyond it the request fails.",
    )


class _OfSource(Protocol):
    """What of a source's settings has to fit."""

    @property
    def deletion_types(self) -> tuple[str, ...]: ...

    @property
    def report(self) -> ReportSettings | None: ...

    @property
    def generic(self) -> GenericSettings | None: ...


def access_fault(access: AccessSettings, source: _OfSource) -> str:
    """Return why the table does not fit its source; empty if it does."""
    if both := _plain(access.types) & _plain(source.deletion_types):
        return f"a type cannot mean access and erasure: {', '.join(sorted(both))}"
    if source.generic is not None and not source.generic.type:
        return "the platform's description has no `type`, so nothing tells access from erasure"
    return _attach_fault(source.report) if access.delivery == "attach" else ""


def _attach_fault(report: ReportSettings | None) -> str:
    if report is None:
        return 'delivery = "attach" needs platform = "onetrust"; set it to "export"'
    if report.complete_with != "complete":
        return 'delivery = "attach" needs report.complete_with = "complete"; the other call takes no file'
    if report.webhook is not None and report.webhook.instead:
        return (
            'delivery = "attach" needs a subtask that is ours to complete, and report.webhook.instead leaves it alone'
        )
    return ""


def _plain(types: Iterable[str]) -> set[str]:
    # As requests are compared with them: without case and spacing.
    return {" ".join(one.casefold().split()) for one in types}
