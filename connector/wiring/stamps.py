"""How checkpoints of the audit log are stamped."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.config.stamps import StampSettings
from connector.outbound import Client
from connector.outbound.time_authority import TimeAuthority
from connector.policy.retry import RetryPolicy
from connector.proof.stamp import NONCE_BITS
from connector.proof.stamp_token import MOST_BYTES, Authorities
from connector.services.proofs import Stamping
from connector.wiring.limits import limits_of

# How an authority that gives no stamp is asked again. Waits in seconds.
_RETRY: Final = RetryPolicy(first_s=60.0, max_s=3600.0)


def stamping_of(settings: StampSettings, clock: Clock) -> Stamping:
    """Build what asks the authority, and knows whose stamps count."""
    parts = urlsplit(settings.url)
    limits = replace(limits_of(settings.timeout_s), max_body_bytes=MOST_BYTES)
    client = Client(f"{parts.scheme}://{parts.netloc}", clock=clock, limits=limits)
    return Stamping(
        authority=TimeAuthority(client, parts.path or "/"),
        trusted=Authorities(settings.certificates()),
        nonce=partial(secrets.randbits, NONCE_BITS),
        retry=_RETRY,
        hash=settings.hash,
        policy=settings.policy,
        every_s=settings.every_minutes * 60,
        tolerance_s=settings.tolerance_s,
    )
