"""The only place from which the product calls out: HTTPS, no redirects, bounded time and size, nothing left in logs.

`Client` calls an address that the operator configured. `guarded.Guarded` calls what a sender may have a hand in.

An error never holds a path, a query, a header or a body: each of them may carry a person or a secret. A call that
failed says whether it may have been carried out, because a deletion must not be repeated on a guess.
"""

from __future__ import annotations

from connector.outbound.answer import Answer, FilePart, Limits, json_of
from connector.outbound.client import Client, Told, tell_nobody
from connector.outbound.url import check_base_url, is_loopback, path_of

__all__ = [
    "Answer",
    "Client",
    "FilePart",
    "Limits",
    "Told",
    "check_base_url",
    "is_loopback",
    "json_of",
    "path_of",
    "tell_nobody",
]
