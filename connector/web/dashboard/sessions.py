"""Sessions of the dashboard, kept in its process alone: a restart signs everybody out, and a sign-out is final.

A browser holds 256 random bits that mean nothing by themselves.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.clock import Clock
from connector.services.users import User, UserFile

#: More sessions than any office needs; beyond them the one that was quiet for longest ends.
MOST_SESSIONS: Final = 1000


@dataclass(slots=True)
class Session:
    """One browser of one user, as it stands since its sign-in.

    Attributes:
        csrf: what every form of it has to carry.
    """

    user: User
    csrf: str
    begun_at: datetime
    seen_at: datetime


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        idle: a session that is quiet for so long has ended.
        longest: so long after its sign-in every session has ended.
    """

    def __init__(self, users: UserFile, clock: Clock, idle: timedelta, longest: timedelta) -> None:
        self._users = users
        self._clock = clock
        self._idle = idle
        self._longest = longest
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def begin(self, user: User) -> str:
        """Begin a session; return the word for the browser's cookie."""
        word = secrets.token_urlsafe(32)
        now = self._clock.now()
        with self._lock:
            if len(self._open) >= MOST_SESSIONS:
                del self._open[min(self._open, key=lambda one: self._open[one].seen_at)]
            self._open[_key(word)] = Session(user, secrets.token_urlsafe(32), now, now)
        return word

    def find(self, word: str) -> Session | None:
        """Return the session of a cookie: one that has not ended, of a user that is still as it was at the sign-in."""
        now = self._clock.now()
        current = self._users.users() if word else {}
        with self._lock:
            session = self._open.get(_key(word))
            if session is None:
                return None
            quiet = now - session.seen_at >= self._idle or now - session.begun_at >= self._longest
            # A new password, another role and a removal all end what began before.
            if quiet or current.get(session.user.name) != session.user:
                del self._open[_key(word)]
                return None
            session.seen_at = now
            return session

    def end(self, word: str) -> None:
        with self._lock:
            self._open.pop(_key(word), None)


def _key(word: str) -> str:
    # Looked up by its digest: how long a look-up takes tells nothing about the words that there are.
    return hashlib.sha256(word.encode()).hexdigest()


class Throttle:
    """Lets so many tries pass in a minute for each name, and ten times as many in all.

    Each try costs a hash on purpose; without the second bound, names made up at random would cost any number of them.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._tries: deque[tuple[datetime, str]] = deque()
        self._lock = threading.Lock()

    def passes(self, name: str) -> bool:
        """Count a try, and tell whether it may be made; one that may not is not counted."""
        now = self._clock.now()
        with self._lock:
            while self._tries and now - self._tries[0][0] >= timedelta(minutes=1):
                self._tries.popleft()
            mine = sum(one == name for _, one in self._tries)
            if mine >= self._per_minute or len(self._tries) >= 10 * self._per_minute:
                return False
            self._tries.append((now, name))
            return True
