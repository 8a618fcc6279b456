"""The check of Meta's `signed_request`, as it is written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.checks.base import CheckSection, Secrets
from connector.ports import Documents
from connector.verify.signed_request import DEFAULT_FIELD, SignedRequest
from connector.verify.stamp import MAX_TOLERANCE_S, Tolerance

_FORM = "application/x-www-form-urlencoded"


class SignedRequestCheck(CheckSection):
    """A form field with a signature and the JSON that it covers."""

    check: Literal["signed-request"] = Field(description="The kind of check: Meta's signed request in a form field.")
    field: str = Field(DEFAULT_FIELD, min_length=1, description="The form field that holds it.")
    secrets: Secrets
    max_age_s: int = Field(
        MAX_TOLERANCE_S, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, `issued_at` may lie in the past."
    )
    future_s: int = Field(
        300, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, `issued_at` may lie in the future."
    )
    require_issued_at: bool = Field(
        False, description="Whether a message without `issued_at` is refused; without it nothing tells a replay."
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return ()

    @property
    def media_types(self) -> frozenset[str]:
        return frozenset({_FORM})

    def verifier(self, documents: Documents) -> SignedRequest:  # noqa: ARG002 - the same call for every check
        window = Tolerance(past_s=self.max_age_s, future_s=self.future_s)
        return SignedRequest(self.secrets, self.field, window, self.require_issued_at)
