"""Reasons that lie in handing over the answer to an access request."""

from __future__ import annotations

from typing import Final

from connector.codes import Code, Entry, Family

ENTRIES: Final[dict[Code, Entry]] = {
    Code.ACCESS_DATA_KEPT: Entry(
        Family.REFUSED,
        0,
        "The data of an access request is still here, and nothing hands it over by itself",
        "Take it with `connector access export`, or set access.delivery of the source back to attach and send the "
        "report again with `connector dlq replay`.",
    ),
    Code.ACCESS_DATA_GONE: Entry(
        Family.TEMPORARY,
        0,
        "There is no data of an access request to hand over, or it is being handed over already",
        "See `connector access list` and `connector show ID`. What was destroyed is read again once the source asks "
        "anew.",
    ),
}
