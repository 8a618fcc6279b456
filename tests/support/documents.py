"""A stand-in for the keeper of published keys: a fixed map, a count of what was asked, and faults on demand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connector.codes import Code
from connector.errors import Temporary
from connector.model import Document, KeyAddress


class PublishedDocuments:
    """What is published where (fulfils `ports.Documents`). The first answer for an address is kept until it is renewed.

    Attributes:
        published: what stands at each URL now; change it to let a publisher rotate its keys.
        fails: whether every call that would reach a publisher fails.
        may_renew: whether another look is granted; false stands for one that came too recently.
        asked: the addresses that `get` was asked for, in order.
        fetched: the addresses that were really read from a publisher, in order, renewals included.
        renewed: the addresses for which `renew` was asked, granted or not, in order.
    """

    def __init__(self, published: Mapping[str, bytes] | None = None) -> None:
        self.published = dict(published or {})
        self.fails = False
        self.may_renew = True
        self.asked: list[KeyAddress] = []
        self.fetched: list[KeyAddress] = []
        self.renewed: list[KeyAddress] = []
        self._kept: dict[str, Document] = {}

    def get(self, address: KeyAddress, now: datetime) -> Document:
        self.asked.append(address)
        if address.url not in self._kept:
            self._kept[address.url] = self._fetch(address, now)
        return self._kept[address.url]

    def renew(self, seen: Document, now: datetime) -> Document | None:
        self.renewed.append(seen.address)
        if not self.may_renew:
            return None
        self._kept[seen.address.url] = self._fetch(seen.address, now)
        return self._kept[seen.address.url]

    def _fetch(self, address: KeyAddress, now: datetime) -> Document:
        self.fetched.append(address)
        if self.fails or address.url not in self.published:
            raise Temporary(Code.KEYS_UNAVAILABLE, "the stand-in has nothing there")
        return Document(address, self.published[address.url], now)
