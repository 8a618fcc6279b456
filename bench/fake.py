"""One of the sandbox's two fakes in a process of its own: `python -m bench.fake lytics|onetrust PORT`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust


def main(arguments: Sequence[str]) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    fake = {"lytics": FakeLytics, "onetrust": FakeOneTrust}[arguments[0]]
    with fake(int(arguments[1])):
        stop.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
