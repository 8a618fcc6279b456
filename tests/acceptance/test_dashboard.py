"""The dashboard over the running product: its pages say what was asked for, deleted and told, and name nobody."""

from __future__ import annotations

import re
from pathlib import Path

from connector.private import Private
from connector.services.users import Role, UserFile
from connector.wiring.dashboard import dashboard_app
from tests.acceptance.journey import journey, load_shipped

PASSWORD = "correct horse battery staple"


def test_a_deletion_is_seen_from_its_callback_to_its_report(store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    UserFile(file).put("ann", Role.VIEWER, Private(PASSWORD))
    with journey(store_url) as life:
        config = load_shipped((f'dashboard.users_file="{file}"', f'store.url="{store_url}"'))
        browser = dashboard_app(config, life.site).test_client()
        browser.post("/sign-in", data={"name": "ann", "password": PASSWORD})
        life.knows("marker.person@example.com", loyalty_id="00481516")
        asked = life.ask("marker.person@example.com", identifiers={"Loyalty ID": "00481516"})
        life.accept(asked)
        life.run_until_told(asked)
        overview = browser.get("/").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', overview)
        assert csrf is not None
        found = browser.post("/requests", data={"csrf": csrf[1], "id": asked.subtask_id})
        assert found.status_code == 303
        page = browser.get(found.location).text
        operations = {row.remote_id for row in life.dossier(asked).targets}
    assert "<b>1</b> completed" in overview
    assert page.count("<td>deleted</td>") == 2
    assert "<td>COMPLETED</td><td>sent</td>" in page
    assert operations
    assert not [one for one in operations if one not in page]
    assert not [one for one in ("marker.person", "00481516") if one in overview + page]
