"""A disk that is slow to keep what it is given, for one process: its `fsync` and `fdatasync` are made to wait first."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.stage import ROOT, BenchError

_SOURCE: Final = Path(__file__).with_suffix(".c")
_PROBE: Final = (
    "import sys; from pathlib import Path; from bench.stage import sync_ms; print(*sync_ms(Path(sys.argv[1]), 10))"
)


def environment(place: Path, delay_ms: float) -> Mapping[str, str]:
    """Return what a process needs in its environment so that its disk is slower; nothing for no delay.

    Args:
        place: a folder for the library that is compiled.

    Raises:
        BenchError: it cannot be done on this machine, or does not slow anything down.
    """
    if not delay_ms:
        return {}
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise BenchError("a slow disk can only be played on Linux with a C compiler (cc), so nothing was measured")
    library = place / "slow_disk.so"
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"the slow disk could not be compiled: {done.stderr.strip()[:400]}")
    return {"LD_PRELOAD": str(library), "BENCH_SYNC_DELAY_US": str(int(delay_ms * 1000))}


def sync_ms(place: Path, slow: Mapping[str, str]) -> float:
    """Return how long a process with this environment takes to keep 4 KiB, in milliseconds.

    Raises:
        BenchError: the delay is not in force.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, str(place)],
        cwd=ROOT,
        env={**os.environ, **slow},
        capture_output=True,
        text=True,
        check=True,
    )
    found = statistics.median(float(one) for one in done.stdout.split())
    if found * 1000 < int(slow.get("BENCH_SYNC_DELAY_US", "0")):
        raise BenchError(f"the disk should be slow, but keeps 4 KiB in {found:.2f} ms")
    return found
