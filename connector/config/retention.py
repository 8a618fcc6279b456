"""How long personal values and records are kept."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connector.config.section import Section
from connector.policy.retention import MONTH, Retention


class RetentionSettings(Section):
    """How long what is known of a request is kept after its end. Open, held and unreported ones are never touched."""

    identities_days: int = Field(
        30, ge=0, description="Days until the data key of a request that was completed or refused is destroyed."
    )
    unfulfilled_days: int = Field(
        180,
        ge=0,
        description="The same for a request that failed or was done in part. Until then it can be taken up again.",
    )
    records_months: int = Field(
        24,
        ge=0,
        description="Months until the record of a request, by then without anything personal, is removed; 0 for never. "
        "The CCPA regulations (§ 7101) want 24 at least.",
    )

    def policy(self) -> Retention:
        records = self.records_months * MONTH if self.records_months else None
        return Retention(timedelta(days=self.identities_days), timedelta(days=self.unfulfilled_days), records)
