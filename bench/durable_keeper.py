"""The suite's keeper of a throw-away PostgreSQL, with durability switched on again. Run like it, as a program."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

KEEPER = Path(__file__).parents[1] / "tests" / "support" / "postgres_keeper.py"

if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("postgres_keeper", KEEPER)
    assert spec is not None
    assert spec.loader is not None
    keeper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(keeper)
    keeper.SETTINGS.update(fsync="on", full_page_writes="on", synchronous_commit="on", shared_buffers="128MB")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    keeper.main(Path(sys.argv[1]), sys.argv[2:])
