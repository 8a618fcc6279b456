"""What the processes write to their standard streams names nobody: as an operator starts them, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from connector.private import Private
from connector.sandbox.lytics import FakeLytics
from connector.sandbox.onetrust import FakeOneTrust
from connector.sandbox.onetrust_credentials import Hmac
from connector.sandbox.onetrust_outbound import Workflow
from connector.services.users import Role, UserFile
from connector.store import schema
from connector.store.database import Database
from tests.acceptance.canary import IDENTIFIERS, SEARCH, secret_files, settings_for
from tests.acceptance.canary_features import EMAIL
from tests.acceptance.journey import LABELS
from tests.support.canary import value_of
from tests.support.processes import connector, free_port, started, until
from tests.support.stores import all_bytes

pytestmark = [pytest.mark.process, pytest.mark.soak]
SIGNATURE = Hmac(value_of("webhook secret"), prefix="sha256=")


def test_receiver_worker_and_dashboard_write_nothing_of_anybody(store_url: str, tmp_path: Path) -> None:
    secret_files(tmp_path)
    UserFile(tmp_path / "users.json").put("ann", Role.VIEWER, Private(value_of("dashboard password")))
    lytics = FakeLytics(token=value_of("lytics token"))
    onetrust = FakeOneTrust(client_secret=value_of("onetrust client secret"))
    port, pages = free_port(), free_port()
    with lytics, onetrust, Database(store_url) as database:
        schema.upgrade(database)
        settings = [
            *settings_for(tmp_path),
            f"store.url={json.dumps(store_url)}",
            f'accounts.main.base_url="{lytics.url}"',
            f'sources.onetrust.report.base_url="{onetrust.url}"',
            f"server.port={port}",
            f"dashboard.port={pages}",
            "engine.tick_s=0.1",
            "accounts.main.poll_first_s=0.1",
        ]
        url = f"http://127.0.0.1:{port}"
        onetrust.outbound.workflow = Workflow(f"{url}/webhooks/onetrust", credentials=(SIGNATURE,), labels=LABELS)
        lytics.seed("user", "email", EMAIL.lower(), loyalty_id=value_of("loyalty id"))
        asked = onetrust.add_request(EMAIL, identifiers=IDENTIFIERS, first_name=value_of("first name"))
        # Something fails on the way, so that there is something to write.
        lytics.faults.turn_on("server_error", operation="delete_status", times=1)
        onetrust.faults.turn_on("server_error", operation="subtask_get", times=1)
        with (
            started(connector("run", settings=settings), tmp_path) as running,
            started(connector("dashboard", settings=settings), tmp_path) as office,
        ):
            until(lambda: answers(f"{url}/health/ready"), "the receiver is ready", running)
            until(lambda: answers(f"http://127.0.0.1:{pages}/health/live"), "the dashboard is ready", office)
            onetrust.fire([asked.subtask_id], knobs=("wrong_secret",))
            assert [one.status for one in onetrust.fire([asked.subtask_id])] == [202]
            requests.post(f"{url}/webhooks/{EMAIL}?who={EMAIL}", EMAIL, headers={"X-Who": EMAIL}, timeout=20)
            form = {"name": EMAIL, "password": value_of("dashboard password")}
            requests.post(f"http://127.0.0.1:{pages}/sign-in?who={EMAIL}", form, timeout=20)
            until(lambda: onetrust.subtask(asked.subtask_id).status == "COMPLETED", "it is told", running)
            assert running.terminate() == 0
            office.terminate()
            written = running.text() + office.text()
        assert {one["value"] for one in lytics.snapshot()["times_submitted"]} >= {EMAIL.lower()}
        assert all(one in written for one in ("delivery_accepted", "sign_in_refused", "poll_failed"))
        assert SEARCH.find(written) == []
        assert SEARCH.find(all_bytes(database)) == []
        assert [url for _, url in (*lytics.access_log, *onetrust.access_log) if SEARCH.find(url)] == []


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
