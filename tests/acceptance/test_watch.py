"""Somebody who was erased turns up in Lytics again: found, deleted again by the guarded way, and proven."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
import requests

from connector.policy import bloom
from connector.proof import receipt
from connector.sandbox.server import LoopbackServer
from connector.services.receipts import assemble
from connector.store import receipts
from connector.store import watch_tables as w
from connector.store.columns import AnyRow
from connector.wiring import web_app
from tests.acceptance.journey import Journey, journey, load_shipped

DELETE = 'sources.onetrust.watch="delete"'
ANA = "ana@example.com"
TOKEN, SHARE = "canary-collector-token-0123456789", "canary-share-key-0123456789-0123456789"
A_DAY = 86_400.0


def returns(life: Journey) -> list[AnyRow]:
    with life.site.database.read() as connection:
        return list(connection.execute(w.returns.select().order_by(w.returns.c.id)))


def value_is_kept(life: Journey) -> bool:
    with life.site.database.read() as connection:
        return connection.execute(w.watched.select()).first() is not None


@pytest.mark.parametrize("api", ["identity-delete", "identity-queue"])
def test_a_profile_that_was_made_anew_is_found_deleted_again_and_told_in_an_addendum(tmp_path: Path, api: str) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}", DELETE, f'accounts.main.deletion_api="{api}"') as life:
        life.knows(ANA, loyalty_id="00481516")
        asked = life.ask(ANA, identifiers={"Loyalty ID": "00481516"})
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        assert life.status(asked) == "COMPLETED"
        told = life.onetrust.history(asked.subtask_id)

        life.knows(ANA, loyalty_id="00481516")
        life.run_for(1, seconds=A_DAY)
        assert {str(one.state) for one in returns(life)} == {"pending"}
        # Old events are replayed while that is under way.
        life.knows(ANA, loyalty_id="00481516")
        life.run_for(12, seconds=300)

        assert not life.lytics.has("user", "email", ANA)
        assert {str(one.state) for one in returns(life)} == {"deleted"}
        assert set(life.submitted().values()) == {2}
        assert life.state(asked) == "completed"
        assert life.onetrust.history(asked.subtask_id) == told
        dossier = life.dossier(asked)
        assert [one.reason.partition(":")[0] for one in dossier.history][-2:] == ["profile_returned", "deleted_again"]
        with life.site.database.read() as connection:
            rows = receipts.of_request(connection, dossier.request.id)
            addendum = assemble(connection, rows[-1])
        assert addendum is not None
        stated = receipt.verify(addendum, life.site.proofs.keys).statement
        assert (stated["outcome"], stated["number"]) == ("completed", len(rows) - 1)
        assert {one["state"] for one in stated["returns"]} == {"deleted"}
        assert ANA not in json.dumps(stated)


def test_with_an_alarm_nothing_is_deleted(tmp_path: Path) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}") as life:
        life.knows(ANA)
        asked = life.ask(ANA)
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        life.knows(ANA)
        life.run_for(10, seconds=A_DAY)
        assert life.lytics.has("user", "email", ANA)
        assert [(str(one.state), one.reason) for one in returns(life)] == [("not_deleted", "alarm")]
        assert value_is_kept(life)
        life.run_for(1, seconds=90 * A_DAY)
        assert not value_is_kept(life)


def test_switched_off_nothing_is_kept_or_asked(tmp_path: Path) -> None:
    with journey(f"sqlite:///{tmp_path / 'store.db'}", 'sources.onetrust.watch="off"') as life:
        life.knows(ANA)
        asked = life.ask(ANA)
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        assert not value_is_kept(life)
        life.knows(ANA)
        life.run_for(3, seconds=A_DAY)
        assert returns(life) == []


def test_a_collector_asks_by_name_or_by_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("token", TOKEN), ("share", SHARE)):
        (tmp_path / name).write_text(text)
    settings = (
        f'suppression.share_key="file:{tmp_path / "share"}"',
        f'api.clients.collector={{secrets=["file:{tmp_path / "token"}"], scopes=["suppression"]}}',
    )
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    with journey(store_url, *settings) as life:
        life.knows(ANA)
        asked = life.ask(ANA)
        life.accept(asked)
        life.run_until_told(asked, seconds=60)
        config = load_shipped([f"store.url={json.dumps(store_url)}", *settings])
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with LoopbackServer(web_app(config, life.site)) as receiver:
            identities = [{"kind": "email", "value": one} for one in ("ben@example.com", " Ana@Example.com ")]
            body = {"account": "main", "identities": identities}
            url = f"{receiver.url}/api/v1/suppression"
            answer = requests.post(f"{url}/check", json=body, headers=headers, timeout=20)
            taken = requests.get(f"{url}/accounts/main/filter", headers=headers, timeout=20)
        assert answer.json() == {"suppressed": [False, True]}
        _, made = bloom.decode(taken.content)

        def is_in(email: str) -> bool:
            text = f"consent-connector/suppression/1\0main\0user\0email\0{email}".encode()
            return hmac.new(SHARE.encode(), text, hashlib.sha256).digest() in made

        assert is_in(ANA)
        assert not is_in("ben@example.com")
