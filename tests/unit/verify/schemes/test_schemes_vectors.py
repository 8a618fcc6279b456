"""Every scheme against signatures that others published or that another program made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.keys import Algorithm
from connector.verify.presets import PRESETS
from connector.verify.scheme import Names, Scheme
from connector.verify.signed import Signed

VECTORS = Path(__file__).parents[3] / "vectors" / "schemes"
NOW = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


def load(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / f"{name}.json").read_text())


def of_schemes() -> list[Any]:
    return [
        pytest.param(PRESETS[name], vector, id=f"{name}-{vector['name']}")
        for name in PRESETS
        for vector in load(name)["vectors"]
    ]


def of_primitives() -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in load("primitives")["vectors"]]


def judge(signed: Signed, inbound: Inbound, now: datetime, vector: dict[str, Any]) -> None:
    if "refused" in vector:
        with pytest.raises(Rejected) as caught:
            signed.verify(inbound, now)
        assert caught.value.code == vector["refused"]
        return
    verdict = signed.verify(inbound, now)
    assert verdict.payload == inbound.body
    assert verdict.secret_id == f"key{vector.get('matched', 0)}"
    tells = signed.scheme.window is not None or signed.scheme.template.uses("id")
    assert verdict.replay_key.startswith(("id:", "sha256:")) if tells else not verdict.replay_key
    assert verdict.replay_key == vector.get("replay_key", verdict.replay_key)


@pytest.mark.parametrize(("scheme", "vector"), of_schemes())
def test_agrees_with_a_request_signed_elsewhere(scheme: Scheme, vector: dict[str, Any]) -> None:
    signed = Signed(
        replace(scheme, **vector.get("settings", {})),
        tuple(Secret(text, f"key{at}") for at, text in enumerate(vector["secrets"])),
    )
    headers = tuple((name, value) for name, value in vector["headers"])
    inbound = Inbound(vector["method"], vector["url"], headers, vector["body"].encode())
    judge(signed, inbound, datetime.fromisoformat(vector["now"]), vector)


@pytest.mark.parametrize("vector", of_primitives())
def test_agrees_with_a_published_value_of_the_algorithm(vector: dict[str, Any]) -> None:
    scheme = Scheme(
        "vector",
        (Names("Signature"),),
        "{body}",
        Algorithm(vector["algorithm"]),
        encoding=vector["encoding"],
        key=vector["key_format"],
        window=None,
    )
    signed = Signed(scheme, (Secret(vector["key"], "key0"),))
    body = bytes.fromhex(vector["body_hex"])
    inbound = Inbound("POST", "https://example.com/", (("Signature", vector["signature"]),), body)
    judge(signed, inbound, NOW, vector)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_vector_that_is_accepted_and_says_where_it_comes_from(name: str) -> None:
    file = load(name)
    assert file["scheme"] == name
    assert all(vector["origin"] for vector in file["vectors"])
    assert any("refused" not in vector for vector in file["vectors"])
    if not file["published"]:
        assert all(vector["origin"].startswith("no public vector was found; ") for vector in file["vectors"])


def test_there_is_no_vector_file_without_a_preset() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == {*PRESETS, "primitives"}


def test_every_algorithm_is_held_against_a_value_that_others_published() -> None:
    by_preset = {PRESETS[name].algorithm for name in PRESETS if load(name)["published"]}
    alone = {Algorithm(vector["algorithm"]) for vector in load("primitives")["vectors"] if "refused" not in vector}
    assert by_preset | alone == set(Algorithm)
