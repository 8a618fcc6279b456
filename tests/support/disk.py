"""A small disk that can be filled up and given room again while the product works on it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

SIZE_MIB = 12
_PAGE = 4096


class Disk(Protocol):
    """Where a store is kept."""

    folder: Path

    def fill(self, pids: Iterable[int]) -> None:
        """Take away all room from the processes of these ids."""
        ...

    def make_room(self) -> None:
        """Give it back."""
        ...


class MountedDisk:
    """A file system in memory of its own: what is written to it when it is full fails with ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, pids: Iterable[int]) -> None:
        # Unbuffered: what does not fit any more is not to be tried once again at the end.
        with self._ballast.open("ab", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(_PAGE))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def make_room(self) -> None:
        self._ballast.unlink()


class FrozenFiles:
    """Where nothing may be mounted: the processes may make no file larger than the store's largest one is now.

    To them it is as if the disk were full, with EFBIG in place of ENOSPC.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._limited: list[int] = []

    def fill(self, pids: Iterable[int]) -> None:
        self._limited += pids
        self._limit(max(one.stat().st_size for one in self.folder.iterdir()))

    def make_room(self) -> None:
        self._limit(resource.RLIM_INFINITY)
        self._limited.clear()

    def _limit(self, size: int) -> None:
        for pid in self._limited:
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def small_disk() -> Iterator[Disk]:
    """Give a disk that really fills up if one may be mounted here, else one that behaves like it."""
    # Not below pytest's own folders, which the next run could not remove if this one was killed.
    folder = Path(tempfile.mkdtemp(prefix="connector-disk-"))
    mounted = os.geteuid() == 0 and _is_done("mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder))
    try:
        yield MountedDisk(folder) if mounted else FrozenFiles(folder)
    finally:
        if mounted:
            # Lazily: a process that is just ending may still hold a file.
            _is_done("umount", "--lazy", str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _is_done(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False
