"""Under which name and with which keys a site proves what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.proof.keys import PublicKey, SigningKey

DEFAULT_ORIGIN = "consent-connector"


@dataclass(frozen=True, slots=True)
class Proofs:
    """By default no key: then the log is kept all the same, but nothing is signed.

    Attributes:
        origin: the name of the log, and of whoever issues receipts.
        key: signs checkpoints and receipts.
        former: public keys that signed before; they stay published.
        configuration: the digest of the configuration, which receipts name.
    """

    origin: str = DEFAULT_ORIGIN
    key: SigningKey | None = None
    former: Sequence[PublicKey] = ()
    configuration: str = ""

    @property
    def keys(self) -> list[PublicKey]:
        """Every key whose signatures count, the one that signs now first."""
        return [*([self.key.public] if self.key is not None else []), *self.former]
