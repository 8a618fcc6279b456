"""File the evidence of a completion at the source, before it is reported, and name it in the report.

The file's id is committed before anything else is called, so that what comes after can be repeated without a second
file. Evidence is worth a wait, but not a deadline: what is refused, or fails again and again, is left out, and the
report says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connector.errors import ConnectorError, RateLimited, Refused, Temporary
from connector.model import Filed, Report, SourceStatus
from connector.policy import evidence as policy
from connector.ports import Filing
from connector.services import comments
from connector.services.site import Site, SourceWork
from connector.store import evidence, reports
from connector.store.columns import AnyRow

# After so many failed tries of a report it goes without its file, if the file is what fails.
_TRIES: Final = 5


def with_evidence(site: Site, source: SourceWork, row: AnyRow, report: Report) -> Report:
    """Return the report with the file that was filed for it; as it is where there is to be none.

    Raises:
        ConnectorError: it could not be filed now, and is worth another try.
    """
    if source.extras.filing is None or report.status is not SourceStatus.COMPLETED:
        return report
    try:
        kept = row.evidence or _file(site, source, source.extras.filing, row, report)
    except ConnectorError as error:
        if not _goes_without(error, row.tries):
            raise
        site.log.warning(
            "evidence_refused",
            source=source.name,
            request_id=row.request_id,
            report_id=row.id,
            code=error.code,
            attempt=row.tries + 1,
        )
        return replace(report, comment=f"{report.comment} {comments.NOT_FILED}")
    if kept is None:
        # Somebody ended the task, and nobody waits for a file.
        return report
    said = comments.filed(kept["file_name"], kept["sha256"])
    return replace(report, comment=f"{report.comment} {said}", attachment=Filed(kept["file_id"], kept["file_name"]))


def _file(site: Site, source: SourceWork, filing: Filing, row: AnyRow, report: Report) -> Mapping[str, str] | None:
    """File the evidence and keep its id; None if the task has been ended."""
    with site.database.read() as connection:
        facts = evidence.facts(connection, row, report.counts)
    content = policy.as_csv(facts)
    stem = f"erasure-{row.request_id}-{row.attempt}"
    filed = filing.file(row.external, stem, content)
    if filed is None:
        return None
    site.reached("uploaded")
    digest = hashlib.sha256(content).hexdigest()
    kept = {"file_id": filed.file_id, "file_name": filed.file_name, "sha256": digest}
    with site.database.write() as connection:
        reports.keep_evidence(connection, row.id, kept)
    site.reached("filed")
    site.log.info("evidence_filed", source=source.name, request_id=row.request_id, report_id=row.id)
    return kept


def _goes_without(error: ConnectorError, tries: int) -> bool:
    """Say whether a report goes without its file after this error."""
    if isinstance(error, Temporary):
        return tries + 1 >= _TRIES and not isinstance(error, RateLimited)
    return isinstance(error, Refused)
