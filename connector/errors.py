"""The error tree. Every error that crosses a module border is one of these.

::

    ConnectorError
    ├── Rejected        the caller's fault; answered 4xx, never retried by us
    ├── Temporary       nobody's fault; answered 503, or tried again later
    │   └── RateLimited      … and the other side said when
    ├── Refused         a remote system said no to this one call; repeating it will not help
    │   └── NotFound         … because it does not know the thing
    ├── Misconfigured   an operator has to change something; work waits, nothing is burned
    └── IllegalMove     a state change outside the table: a defect, and it changes nothing

Each error carries a stable `Code`. `catalogue.CATALOGUE` says once what a code means and what to do
next. Messages never hold a payload, a header value, an identity or a secret.
"""

from __future__ import annotations

from connector.catalogue import CATALOGUE
from connector.codes import Code, Entry


class ConnectorError(Exception):
    """Base of the tree.

    Args:
        code: the stable reason.
        detail: what was found, in plain words: names of settings, headers and fields, numbers; never their values
            when a value may be personal or secret.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        entry = CATALOGUE[code]
        super().__init__(f"{entry.title}: {detail}. {entry.mend}" if detail else f"{entry.title}. {entry.mend}")

    @property
    def entry(self) -> Entry:
        return CATALOGUE[self.code]


class Rejected(ConnectorError):
    """The caller's fault: answered with `entry.status`, nothing stored.

    Args:
        secret_id: the secret that was right in itself, for the log and never for the answer.
    """

    def __init__(self, code: Code, detail: str = "", *, secret_id: str = "") -> None:
        super().__init__(code, detail)
        self.secret_id = secret_id


class Temporary(ConnectorError):
    """Worth another try later.

    Args:
        retry_after_s: seconds to wait as the other side asked, when it did.
        outcome_unknown: the call may have been carried out although its answer did not arrive; false if it surely
            was not.
    """

    def __init__(
        self, code: Code, detail: str = "", *, retry_after_s: float | None = None, outcome_unknown: bool = False
    ) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
        self.outcome_unknown = outcome_unknown


class RateLimited(Temporary):
    """The remote system asked us to slow down."""


class Refused(ConnectorError):
    """A remote system's final no to one call."""


class NotFound(Refused):
    """A remote system does not know what the call names."""


class Misconfigured(ConnectorError):
    """An operator has to change a setting, a permission or a process."""


class IllegalMove(ConnectorError):
    """A state change that the table of moves does not hold."""

    def __init__(self, machine: str, old: str, new: str) -> None:
        super().__init__(Code.ILLEGAL_MOVE, f"{machine}: {old} → {new}")
