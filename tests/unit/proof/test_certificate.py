"""The page for people says what the receipt says, escapes everything, and asks nobody else for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.engine.schedule import run_pass
from connector.proof import certificate, receipt
from connector.services import receipts
from connector.services.proofs import Proofs
from tests.support.proofs import KEY, ORIGIN
from tests.support.site import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path / 'store.db'}")
    yield made
    made.database.close()


def page(bench: Bench) -> tuple[str, receipt.Proven]:
    bench.site = replace(bench.site, proofs=Proofs(ORIGIN, KEY))
    bench.knows("s1@example.com")
    bench.deliver("s1", ("email", "s1@example.com"), ("first name", "<script>Ada</script>"))
    for _ in range(6):
        bench.clock.advance(seconds=61)
        run_pass(bench.site)
    with bench.database.read() as connection:
        data = receipts.of_attempt(connection, bench.dossier().request.id, 1)
    assert data is not None
    proven = receipt.verify(data, [KEY.public])
    return certificate.as_html(proven), proven


def test_it_names_what_was_done_and_how_to_verify_it(bench: Bench) -> None:
    html, proven = page(bench)
    stated = proven.statement
    assert "<h1>Erasure completed</h1>" in html
    for said in (
        stated["job"],
        receipt.digest(stated),
        KEY.public.kid,
        ORIGIN,
        "user.email",
        "2 (1 mapped, 1 unmapped)",
    ):
        assert said in html
    assert "cannot tell removal from suppression" in html
    assert stated["operations"][0]["remote"] in html


def test_it_holds_no_script_and_no_address_of_anything_else(bench: Bench) -> None:
    html, _ = page(bench)
    assert not re.search(r"<script|<link|<img|src=|https?://|url\(", html)


def test_the_text_says_the_same(bench: Bench) -> None:
    html, proven = page(bench)
    text = certificate.as_text(proven)
    assert text.startswith("Erasure completed\n")
    assert text.endswith("\n")
    words = set(re.findall(r"[^\s<>;]+", re.sub(r"<style>.*</style>|<[^>]*>", " ", html, flags=re.DOTALL)))
    stated = proven.statement
    for said in (stated["job"], receipt.digest(stated), KEY.public.kid, ORIGIN, stated["absence"]):
        assert said in text
    assert {stated["job"], receipt.digest(stated), KEY.public.kid} <= words
    assert "Identities        2 (1 mapped, 1 unmapped)\n" in text
    assert "\nuser.email, from email\nResult            deleted\n" in text
    assert not re.search(r"</?[a-z]|\{|&[a-z]+;|\n\n\n\n", text)


def test_no_value_makes_lines_of_the_text(bench: Bench) -> None:
    _, proven = page(bench)
    asked = {**proven.statement["request"], "ids": {"subtask_id": "x\nRESULT\u2028\x1b[2J"}}
    text = certificate.as_text(replace(proven, statement={**proven.statement, "request": asked}))
    assert "subtask_id        x?RESULT??[2J\n" in text


def test_what_is_stated_is_escaped(bench: Bench) -> None:
    _, proven = page(bench)
    stated = {**proven.statement, "reason": "<b>&", "outcome": "partial"}
    html = certificate.as_html(replace(proven, statement=stated))
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert "Erasure completed in part" in html
