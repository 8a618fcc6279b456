"""A scheme as one of a source's checks: gives it the call as the sender sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.model import Verified
from connector.verify.inbound import Inbound
from connector.verify.signed import Signed


@dataclass(frozen=True, slots=True)
class ByScheme:
    """Fulfils `ports.Verifier`.

    Attributes:
        url: the address that the sender calls, as it is configured there; some schemes sign it. Never taken from the
            call itself, whose `Host` anybody can choose.
    """

    signed: Signed
    url: str = ""

    def verify(self, method: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:
        return self.signed.verify(Inbound(method, self.url, tuple(headers.items()), body), now)
