"""Somebody asks for erasure whose profile at Lytics is several people's: a person looks before they all are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.services import tangles
from connector.store.audit import Decision
from tests.acceptance.journey import journey

RELATIVES = [f"relative-{number}@example.com" for number in range(3)]


@pytest.mark.parametrize("api", ["identity-delete", "identity-queue"])
@pytest.mark.parametrize("call", ["post", "get"])
def test_nobody_is_deleted_along_with_somebody_else_before_a_person_has_let_it_pass(
    tmp_path: Path, api: str, call: str
) -> None:
    settings = (
        f'accounts.main.deletion_api="{api}"',
        f'accounts.main.look_up_call="{call}"',
        'sources.onetrust.report.complete_with="complete"',
        "sources.onetrust.report.evidence.enabled=true",
    )
    with journey(f"sqlite:///{tmp_path / 'store.db'}", *settings) as life:
        life.lytics.tangle("user", "email", "ana@example.com", email=RELATIVES, loyalty_id=["1", "2", "3", "4"])
        life.knows("ben@example.com", loyalty_id="00481516")
        asked = life.ask("ana@example.com", identifiers={"Loyalty ID": "1"})
        other = life.ask("ben@example.com")
        life.accept(asked, other)
        life.run_until_told(other, seconds=60)
        life.run_for(10, seconds=86_400)
        assert (life.state(asked), life.dossier(asked).request.reason) == ("held", "tangled_profile")
        assert life.written(asked) == ["IN_PROGRESS"]
        assert all(life.lytics.has("user", "email", one) for one in ("ana@example.com", *RELATIVES))

        decision = Decision("operator", "one person with old addresses", life.clock.now())
        assert tangles.release(life.site, life.dossier(asked).request.id, decision) == ""
        life.run_until_told(asked, seconds=60)
        assert life.status(asked) == "COMPLETED"
        assert not [one for one in RELATIVES if life.lytics.has("user", "email", one)]
        files = {one["FileName"]: one["content"] for one in life.onetrust.desk.files.values()}
        (evidence,) = [text for text in files.values() if f"id,request,{asked.ref_id}" in text]
        assert "not named by the request,user.email,3" in evidence
        assert "not named by the request,user.loyalty_id,3" in evidence
        assert not [one for one in (*RELATIVES, "ana@") if one in str(files)]


def test_the_limit_is_the_account_s_own(tmp_path: Path) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}", "accounts.main.tangled_above=3") as life:
        life.lytics.tangle("user", "email", "ana@example.com", email=RELATIVES)
        asked = life.ask("ana@example.com")
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        assert life.status(asked) == "COMPLETED"


def test_an_account_that_looks_nobody_up_before_holds_nobody(tmp_path: Path) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}", 'accounts.main.look_up="after"') as life:
        life.lytics.tangle("user", "email", "ana@example.com", email=RELATIVES)
        asked = life.ask("ana@example.com")
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        assert life.status(asked) == "COMPLETED"
