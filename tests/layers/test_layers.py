from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from tests.layers.rules import MAX_LINES, MAY_IMPORT, faults

ROOT = Path(__file__).parents[2]
MODULES = sorted(ROOT.glob("connector/**/*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_keeps_to_its_layer_its_size_and_a_telling_name(module: Path) -> None:
    assert faults(PurePosixPath(module.relative_to(ROOT).as_posix()), module.read_text(encoding="utf-8")) == []


def test_the_table_names_only_parts_that_exist() -> None:
    parts = {path.stem for path in ROOT.glob("connector/*.py")} | {path.name for path in ROOT.glob("connector/*/")}
    assert set(MAY_IMPORT) - parts == set()


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("connector/states.py", "import connector.store.tables", "'states' must not import 'store'"),
        ("connector/model.py", "from connector.verify import hmac", "'model' must not import 'verify'"),
        ("connector/model.py", "import pydantic", "layer 0 stands on the standard library alone, not on 'pydantic'"),
        ("connector/verify/shared.py", "from connector.config import Source", "'verify' must not import 'config'"),
        ("connector/store/database.py", "from connector import lytics", "'store' must not import 'lytics'"),
        ("connector/store/database.py", "from ..lytics import client", "'store' must not import 'lytics'"),
        ("connector/lytics/client.py", "from connector.sources import onetrust", "'lytics' must not import 'sources'"),
        ("connector/services/poll.py", "def f():\n    from connector.lytics import x", "must not import 'lytics'"),
        ("connector/services/poll.py", "if TYPE_CHECKING:\n    import connector.lytics", "must not import 'lytics'"),
        ("connector/services/poll.py", "importlib.import_module('connector.web')", "must not import 'web'"),
        ("connector/web/app.py", "from connector.sandbox import fake", "'web' must not import 'sandbox'"),
        ("connector/wiring.py", "from connector.cli import main", "'wiring' must not import 'cli'"),
        ("connector/sandbox/fake.py", "from connector.clock import Clock", "'sandbox' must not import 'clock'"),
        ("connector/sandbox/fake.py", "from connector import __version__", "imports nothing of the product"),
        ("connector/services/intake.py", "import flask", "'flask' is kept in sandbox, web, wsgi"),
        ("connector/lytics/client.py", "from requests import Session", "'requests' is kept in outbound, sandbox"),
        ("connector/web/app.py", "from apscheduler.schedulers import background", "'apscheduler' is kept in engine"),
        ("connector/config.py", "from sqlalchemy.engine import make_url", "'sqlalchemy' is kept in store"),
        ("connector/observe/log.py", "import sqlite3", "'sqlite3' is kept in store"),
        ("connector/web/helpers.py", "", "the name 'helpers' says nothing"),
        ("connector/helpers/web.py", "", "the name 'helpers' says nothing"),
        ("connector/extra.py", "", "'extra' has no place in the table of layers"),
        ("connector/clock.py", "\n" * (MAX_LINES + 1), "301 lines, at most 300"),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str, fault: str) -> None:
    assert any(fault in found for found in faults(PurePosixPath(path), source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("connector/states.py", "from connector.errors import IllegalMove"),
        ("connector/store/requests.py", "from connector.store.tables import requests"),
        ("connector/store/requests.py", "from . import tables"),
        ("connector/sources/onetrust/reporter.py", "from connector.outbound import Client"),
        ("connector/observe/log.py", "import structlog"),
        ("connector/web/app.py", "from connector import __version__"),
        ("connector/sandbox/fake.py", "from connector.sandbox.server import serve"),
        ("connector/clock.py", "\n" * MAX_LINES),
    ],
)
def test_what_the_rules_allow_passes(path: str, source: str) -> None:
    assert faults(PurePosixPath(path), source) == []
