"""Under which name and with which keys a site proves what it did, and who attests when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.policy.retry import RetryPolicy
from connector.ports import TimeAuthority
from connector.proof.keys import PublicKey, SigningKey
from connector.proof.stamp_token import Authorities

DEFAULT_ORIGIN = "consent-connector"


@dataclass(frozen=True, slots=True)
class Stamping:
    """How checkpoints are stamped by a time-stamping authority (RFC 3161).

    Attributes:
        trusted: whose stamps count, those of before included.
        nonce: draws a number that nobody can guess.
        hash, policy: what is asked for; see `proof.stamp.Question`.
        every_s: the least time between two stamps, in seconds.
        tolerance_s: how far the authority's clock may be from ours, in seconds.
    """

    authority: TimeAuthority
    trusted: Authorities
    nonce: Callable[[], int]
    retry: RetryPolicy
    hash: str = "sha256"
    policy: str = ""
    every_s: float = 3600.0
    tolerance_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Proofs:
    """By default no key: then the log is kept all the same, but nothing is signed.

    Attributes:
        origin: the name of the log, and of whoever issues receipts.
        key: signs checkpoints and receipts.
        former: public keys that signed before; they stay published.
        configuration: the digest of the configuration, which receipts name.
        stamping: how checkpoints are stamped; None if they are not.
    """

    origin: str = DEFAULT_ORIGIN
    key: SigningKey | None = None
    former: Sequence[PublicKey] = ()
    configuration: str = ""
    stamping: Stamping | None = None

    @property
    def keys(self) -> list[PublicKey]:
        """Every key whose signatures count, the one that signs now first."""
        return [*([self.key.public] if self.key is not None else []), *self.former]
