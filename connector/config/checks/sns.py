"""The check of messages from Amazon SNS, as it is written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.checks.base import CheckSection, NothingPublished
from connector.model import KeyAddress
from connector.ports import Documents
from connector.verify.sns import FUTURE_S, PAST_S, Sns
from connector.verify.stamp import MAX_TOLERANCE_S, TimeUnit, Tolerance


class SnsCheck(CheckSection):
    """A message that Amazon SNS signed."""

    check: Literal["sns"] = Field(
        description="The kind of check: a message of Amazon SNS, with its signed envelope (raw message delivery off)."
    )
    topics: tuple[str, ...] = Field(
        min_length=1,
        description="The ARNs of the only topics that are believed.",
        examples=[["arn:aws:sns:eu-central-1:123456789012:erasures"]],
    )
    allow_sha1: bool = Field(
        False,
        description="Whether version 1 of the signature will do as well, which hashes with SHA-1; rather set the "
        "attribute SignatureVersion of the topic to 2.",
    )
    tolerance_s: int = Field(
        PAST_S,
        ge=1,
        le=MAX_TOLERANCE_S,
        description="How far, in seconds, the time of publishing may lie in the past; SNS repeats a message for an "
        "hour and more, always with its first time.",
    )
    future_s: int = Field(
        FUTURE_S, ge=1, le=MAX_TOLERANCE_S, description="How far, in seconds, it may lie in the future."
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return ()

    @property
    def media_types(self) -> frozenset[str]:
        # The guide's example; the delivery policy of a subscription may choose another (headerContentType).
        return frozenset({"text/plain"})

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return self.verifier(NothingPublished()).addresses

    def verifier(self, documents: Documents) -> Sns:
        window = Tolerance(TimeUnit.ISO8601, self.tolerance_s, self.future_s)
        return Sns(self.topics, documents, self.allow_sha1, window)
