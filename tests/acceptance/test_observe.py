"""An account that only observes: everything but the deletion call, and nothing that ends a request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.journey import journey


@pytest.mark.parametrize("api", ["identity-delete", "identity-queue"])
def test_nobody_is_deleted_and_what_waited_is_carried_out_once_the_mode_is_another(tmp_path: Path, api: str) -> None:
    observing = ('accounts.main.mode="observe"', f'accounts.main.deletion_api="{api}"')
    with journey(f"sqlite:///{tmp_path / 'store.db'}", *observing) as life:
        life.knows("ana@example.com")
        known, unknown = life.ask("ana@example.com"), life.ask("nobody@example.com")
        life.accept(known, unknown)
        life.run_for(30, seconds=86_400)
        assert life.calls() == []
        assert [life.written(one) for one in (known, unknown)] == [["IN_PROGRESS"]] * 2
        assert "Observed only: nothing is deleted for now" in life.last_comment(known)
        assert [one.known_before for each in (known, unknown) for one in life.dossier(each).targets] == [
            "present",
            "absent",
        ]

        life.site = replace(life.site, accounts={"main": replace(life.site.accounts["main"], observes=False)})
        life.run_until_told(known, unknown, seconds=60)
        assert {life.status(one) for one in (known, unknown)} == {"COMPLETED"}
        assert life.lytics.profiles == []
