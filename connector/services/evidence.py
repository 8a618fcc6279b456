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

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, RateLimited, Refused, Temporary
from connector.model import Filed, Report, SourceStatus
from connector.policy import evidence as policy
from connector.ports import Filing
from connector.proof import certificate, receipt
from connector.proof.verdict import Refuted
from connector.services import comments, receipts
from connector.services.extras import Evidence
from connector.services.ledger import keep_ledger
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
    content = _content(site, source.extras.evidence, row, report)
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


def _content(site: Site, kind: Evidence, row: AnyRow, report: Report) -> bytes:
    """Return the file.

    Raises:
        Refused: there can be no receipt, because the audit log is damaged or the key that signed is not known here.
        Temporary: there is none yet.
    """
    if kind is Evidence.TABLE:
        with site.database.read() as connection:
            return policy.as_csv(evidence.facts(connection, row, report.counts))
    try:
        signed = _receipt(site, row)
        proven = receipt.verify(signed, site.proofs.keys)
    except Misconfigured as error:
        raise Refused(error.code, error.detail) from None
    except Refuted as refuted:
        raise Refused(Code.LOG_DAMAGED, str(refuted)) from None
    return signed if kind is Evidence.RECEIPT else certificate.as_text(proven).encode()


def _receipt(site: Site, row: AnyRow) -> bytes:
    """Return the receipt of the attempt that a report is about; it is issued now if that was not done before."""
    for again in (True, False):
        with site.database.read() as connection:
            found = receipts.of_attempt(connection, row.request_id, row.attempt)
        if found is not None:
            return found
        # A long backlog does not keep a worker that is asked to stop; the report is tried again.
        while again and not site.stop.is_set() and keep_ledger(site):
            continue
    raise Temporary(Code.STORE_BUSY, "the receipt is not issued yet")


def _goes_without(error: ConnectorError, tries: int) -> bool:
    """Say whether a report goes without its file after this error."""
    if isinstance(error, Temporary):
        return tries + 1 >= _TRIES and not isinstance(error, RateLimited)
    return isinstance(error, Refused)
