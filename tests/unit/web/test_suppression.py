"""`/api/v1/suppression`: who was deleted is known by its keyed hash; whoever may not ask learns nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from connector.crypto.share import ShareKey
from connector.policy import bloom
from connector.private import Private, Secret
from connector.services.watch_rules import Suppression
from connector.store.watch_tables import suppressions
from connector.web import suppression
from connector.web.api import ApiClient
from connector.web.app import create_app
from tests.support.site import Bench

COLLECTOR, READER = (f"canary-{name}-token-0123456789abcdef" for name in ("collector", "reader"))
CLIENTS = [
    ApiClient("collector", [Secret(COLLECTOR, "env:COLLECTOR")], frozenset({"suppression"})),
    ApiClient("portal", [Secret(READER, "env:READER")], frozenset({"preview"})),
]
CHECK = "/api/v1/suppression/check"
FILTER = "/api/v1/suppression/accounts/main/filter"
SHARE = ShareKey(Secret("s" * 32, "env:SHARE"))
PER_MINUTE = 20


class Served:
    """The list over a site on which one person was deleted."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.site = replace(bench.site, suppression=Suppression(share=SHARE))
        bench.deliver("s1", ("email", "canary-1@example.com"))
        bench.run_to_end()
        app = create_app(bench.site, 4096, {})
        suppression.install(app, bench.site, CLIENTS, PER_MINUTE)
        self.client = app.test_client()

    def post(self, said: Any, token: str | None = COLLECTOR) -> TestResponse:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        headers = {**_headers(token), "Content-Type": "application/json"}
        answer = self.client.post(CHECK, data=body, headers=headers)
        assert "canary" not in answer.text
        assert "canary" not in repr(self.bench.log.records)
        return answer

    def ask(self, *identities: tuple[str, str], account: str = "main") -> TestResponse:
        listed = [{"kind": kind, "value": value} for kind, value in identities]
        return self.post({"account": account, "identities": listed})

    def take(self, token: str | None = COLLECTOR, path: str = FILTER) -> TestResponse:
        return self.client.get(path, headers=_headers(token))


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    bench = Bench(f"sqlite:///{tmp_path / 'store.db'}")
    yield Served(bench)
    bench.database.close()


def test_each_identity_is_answered_in_its_order_and_in_any_spelling_that_the_mapping_knows(served: Served) -> None:
    answer = served.ask(
        ("email", "other@example.com"),
        ("E-Mail", "canary-1@example.com"),
        ("email", " Canary-1@Example.com "),
        ("loyalty id", "canary-1@example.com"),
        ("email", "null"),
        ("email", ""),
    )
    assert answer.json == {"suppressed": [False, True, True, False, False, False]}
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_answers_to_those_who_are_listed_and_those_who_are_not_differ_in_one_word(served: Served) -> None:
    listed, other = served.ask(("email", "canary-1@example.com")), served.ask(("email", "canary-2@example.com"))
    assert listed.text.replace("true", "false") == other.text
    assert {name: value for name, value in listed.headers if name != "Content-Length"} == {
        name: value for name, value in other.headers if name != "Content-Length"
    }


def test_the_log_says_who_asked_and_how_much_and_nothing_of_whom(served: Served) -> None:
    served.ask(("email", "canary-1@example.com"), ("email", "canary-2@example.com"))
    said = {"client": "collector", "account": "main", "scope": "suppression", "count": 2}
    assert ("api_called", said) in served.bench.log.records


@pytest.mark.parametrize("token", [None, "wrong", READER + "x"])
def test_without_a_token_nothing_is_learnt(served: Served, token: str | None) -> None:
    assert served.post({"account": "main", "identities": []}, token).status_code == 401
    assert served.take(token).status_code == 401
    assert served.take(token, FILTER.replace("main", "nowhere")).status_code == 401


def test_the_scope_decides(served: Served) -> None:
    assert served.post({"account": "main", "identities": []}, READER).status_code == 403
    assert served.take(READER).status_code == 403


@pytest.mark.parametrize(
    "said",
    [
        b"canary",
        [],
        {"account": "main"},
        {"account": "main", "identities": []},
        {"account": "main", "identities": [{"kind": "email", "value": "canary"}] * 1_001},
        {"account": "main", "identities": [{"kind": "email"}]},
        {"account": "main", "identities": [{"kind": "email", "value": 7}]},
        {"account": "main", "identities": [{"kind": "email", "value": "canary", "more": "canary"}]},
        {"account": "main", "identities": ["canary@example.com"]},
        {"account": "main", "identities": [{"kind": "canary@example.com", "value": "email"}]},
        {"account": 7, "identities": [{"kind": "email", "value": "canary"}]},
    ],
)
def test_whatever_is_no_question_is_refused_and_not_repeated(served: Served, said: Any) -> None:
    assert served.post(said).status_code in {400, 422}


def test_an_account_that_is_not_there_is_unknown(served: Served) -> None:
    assert served.ask(("email", "a@example.com"), account="canary").status_code == 404
    assert served.take(path=FILTER.replace("main", "nowhere")).status_code == 404


def test_an_identity_in_the_address_finds_nothing(served: Served) -> None:
    assert served.client.get(f"{CHECK}?email=a@example.com", headers=_headers(COLLECTOR)).status_code == 405


def test_more_calls_than_agreed_are_refused(served: Served) -> None:
    for _ in range(PER_MINUTE):
        assert served.ask(("email", "a@example.com")).status_code == 200
    assert served.ask(("email", "a@example.com")).status_code == 429


def test_entries_of_another_pseudonym_key_let_nobody_pass_in_silence(served: Served) -> None:
    with served.bench.database.write() as connection:
        connection.execute(update(suppressions).values(key_check="f" * 64))
    answer = served.ask(("email", "a@example.com"))
    assert answer.status_code == 503
    assert answer.json["code"] == "suppression_illegible"  # type: ignore[index]


def test_a_collector_finds_in_the_filter_who_was_deleted(served: Served) -> None:
    head, made = bloom.decode(served.take().data)
    assert (head["account"], head["entries"], head["key"]) == ("main", 1, SHARE.id)

    def is_in(value: str) -> bool:
        return bytes.fromhex(SHARE.hash_of("main", "user", "email", Private(value))) in made

    assert is_in("canary-1@example.com")
    assert not is_in("canary-2@example.com")


def test_what_was_deleted_under_another_shared_key_is_not_in_it(served: Served) -> None:
    other = Suppression(share=ShareKey(Secret("t" * 32, "env:NEW")))
    served.bench.site = replace(served.bench.site, suppression=other)
    app = create_app(served.bench.site, 4096, {})
    suppression.install(app, served.bench.site, CLIENTS, PER_MINUTE)
    head, _ = bloom.decode(app.test_client().get(FILTER, headers=_headers(COLLECTOR)).data)
    assert head["entries"] == 0


@pytest.mark.parametrize("clients", [[], CLIENTS[1:]])
def test_there_is_nothing_here_unless_a_client_may_ask(served: Served, clients: list[ApiClient]) -> None:
    app = create_app(served.bench.site, 4096, {})
    suppression.install(app, served.bench.site, clients, PER_MINUTE)
    answer = app.test_client().post(CHECK, json={}, headers=_headers(COLLECTOR))
    assert answer.status_code == 404


def test_without_a_shared_key_there_is_no_filter(served: Served) -> None:
    served.bench.site = replace(served.bench.site, suppression=Suppression())
    app = create_app(served.bench.site, 4096, {})
    suppression.install(app, served.bench.site, CLIENTS, PER_MINUTE)
    assert app.test_client().get(FILTER, headers=_headers(COLLECTOR)).status_code == 404
