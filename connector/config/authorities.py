"""The authorities whose certificates are believed: those of the public web, or private ones from the settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import certifi
from cryptography.utils import CryptographyDeprecationWarning

from connector.codes import Code
from connector.errors import Misconfigured
from connector.private import Secret
from connector.verify.certificates import Trust, read_roots


def public_authorities() -> Trust:
    """Return the roots that Mozilla trusts, from the package `certifi`."""
    # Some roots are older than the rule that serial numbers are positive, and senders publish them with their own
    # certificates as well. The warning about it is none of the log's, so it is silenced for the process.
    warnings.filterwarnings("ignore", "Parsed a serial number", CryptographyDeprecationWarning)
    return _bundle(certifi.where())


def private_authorities(references: Iterable[Secret]) -> Trust:
    """Return the roots that references hold as PEM.

    Raises:
        Misconfigured: one of them holds no certificate, or one that cannot be read; names its reference.
    """
    roots = []
    for reference in references:
        found = read_roots(reference.reveal_bytes())
        readable = [one for one in found if one is not None]
        if not readable or len(readable) != len(found):
            raise Misconfigured(Code.CONFIG_INVALID, f"authorities: {reference.id} does not hold certificates in PEM")
        roots += readable
    return Trust(tuple(roots))


@cache
def _bundle(path: str) -> Trust:
    # One that a newer release of the library cannot read any more is left out: its holders are then not believed.
    return Trust(tuple(one for one in read_roots(Path(path).read_bytes()) if one is not None))
