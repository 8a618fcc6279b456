"""The right of a process to call others for the work that it holds.

A process that stands still for a while, paused or without a processor, may have lost its work to another one meanwhile,
and cannot know. What it would write then comes late: a remote system would show an old state for a new one. So it makes
sure before each call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Lease:
    """Shared by all that makes calls; whoever runs the steps says how the work is found to be still held.

    Args:
        stop: set once the process is asked to stop.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()
        self._confirm: Callable[[], None] | None = None

    def confirm_by(self, confirm: Callable[[], None]) -> None:
        """Have `confirm` called before each call from now on; it raises, or does not come back, if the work is lost."""
        self._confirm = confirm

    def require(self) -> None:
        """Go on if the work is still held.

        Raises:
            Temporary: that cannot be found out now; nothing was sent.
        """
        if self._confirm is not None:
            self._confirm()
