"""What several processes of one machine count together: a directory with files of each, and when it begins anew.

The files of a process that ended are kept as long as another one lives, so that no total ever falls: a fall looks like
a restart of everything, and what was counted before would be counted twice. Once nobody is left, the next process
begins with an empty directory.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, TextIO

from prometheus_client import values

# What the library makes at first; a file that is not reserved on disk ends its process when the disk is full.
_FILE_BYTES: Final = 1 << 20
_KINDS: Final = ("counter", "histogram")
_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def join(directory: Path, *, counts: bool) -> TextIO:
    """Let this process count into a directory, or only look; return what has to be kept open as long as it does.

    Args:
        counts: whether this process counts itself. It must not have any meters yet.

    Raises:
        OSError: the directory cannot be made, read or written, or there is no room.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for kind in _KINDS:
            # Nothing else, whatever directory was named.
            for old in directory.glob(f"{kind}_*.db"):
                old.unlink(missing_ok=True)
    # Whoever counts holds this, so that nobody takes its files away.
    fcntl.flock(lock, fcntl.LOCK_SH)
    if counts:
        for kind in _KINDS:
            _reserve(directory / f"{kind}_{os.getpid()}.db")
        os.environ[_VARIABLE] = str(directory)
        # The library decides when it is imported, which may have been before the configuration was read.
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    return lock


def _reserve(path: Path) -> None:
    """Make a file of zeros that has its place on disk, where the system can do that."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
