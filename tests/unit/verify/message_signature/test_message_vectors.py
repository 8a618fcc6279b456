"""The examples of RFC 9421 and RFC 9530, as they are printed there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.private import Secret
from connector.verify.key_format import KeyFormat
from connector.verify.message.http_fields import require_digest
from connector.verify.message.key import MessageAlgorithm, SenderKey
from connector.verify.message.signature import MessageSignature, signatures_of

VECTORS: Final = Path(__file__).parents[3] / "vectors"
RFC9421: Final = json.loads((VECTORS / "rfc9421.json").read_text())
RFC9530: Final = json.loads((VECTORS / "rfc9530.json").read_text())
BY_NAME: Final = {one["name"]: one for one in RFC9421["vectors"]}

signatures = pytest.mark.parametrize("vector", BY_NAME.values(), ids=list(BY_NAME))


def key(key_id: str) -> SenderKey:
    one = RFC9421["keys"][key_id]
    algorithm, written = MessageAlgorithm(one["algorithm"]), KeyFormat(one["written"])
    return SenderKey(key_id, algorithm, (Secret(one["text"], f"rfc:{key_id}"),), written)


def inbound(vector: dict[str, Any]) -> Inbound:
    lines = tuple((name, value) for name, value in vector["headers"])
    return Inbound(vector["method"], vector["url"], lines, vector["body"].encode())


def created(vector: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(vector["created"], UTC)


def covering(vector: dict[str, Any], *components: str, tag: str = "") -> MessageSignature:
    return MessageSignature((key(vector["keyid"]),), components, tag=tag)


def code(check: MessageSignature, vector: dict[str, Any], now: datetime | None = None) -> Code:
    with pytest.raises(Rejected) as caught:
        check.verify(inbound(vector), now or created(vector))
    return caught.value.code


@signatures
def test_a_signature_of_the_rfc_matches_exactly_what_the_rfc_says_is_signed(vector: dict[str, Any]) -> None:
    message = inbound(vector)
    (candidate,) = (one for one in signatures_of(message) if one.parameters["keyid"] == vector["keyid"])
    matching, base = key(vector["keyid"]).check(candidate, message)
    assert [one.id for one in matching] == ([f"rfc:{vector['keyid']}"] if vector["matches"] else [])
    assert base.decode() == vector["base"]


@pytest.mark.parametrize(
    ("name", "other"),
    [("sig-b22", "test-key-rsa"), ("sig-b26", "test-key-ecc-p256"), ("sig1", "test-key-ed25519")],
)
def test_a_signature_of_the_rfc_does_not_match_another_of_its_keys(name: str, other: str) -> None:
    vector = BY_NAME[name]
    message = inbound(vector)
    (candidate,) = (one for one in signatures_of(message) if one.parameters["keyid"] == vector["keyid"])
    matching, base = replace(key(other), id=vector["keyid"]).check(candidate, message)
    assert (matching, base) == ([], b"")


@pytest.mark.parametrize("name", ["sig-b21", "sig-b22", "sig-b25", "sig-b26", "sig1", "proxy_sig", "ttrp", "transform"])
def test_by_default_a_signature_that_covers_too_little_is_refused(name: str) -> None:
    vector = BY_NAME[name]
    check = MessageSignature((key(vector["keyid"]),))
    assert code(check, vector) is Code.CLAIM_WRONG


def test_the_full_coverage_of_b_2_3_passes_by_default() -> None:
    vector = BY_NAME["sig-b23"]
    said = MessageSignature((key(vector["keyid"]),)).verify(inbound(vector), created(vector))
    assert said.payload == b'{"hello": "world"}'
    assert said.secret_ids == ("rfc:test-key-rsa-pss",)
    assert said.sender_time == created(vector)
    *parts, parameters = vector["base"].split("\n")
    assert parameters.startswith('"@signature-params"')
    told = "\n".join((created(vector).isoformat(), *sorted(parts)))
    assert said.replay_key == f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "components", "tag"),
    [
        ("sig-b22", ("@authority", "content-digest", '"@query-param";name="Pet"'), "header-example"),
        ("sig-b22", ("content-digest",), ""),
        ("sig-b23", ("date", "@method", "@path", "@query", "@authority", "content-digest", "content-length"), ""),
        ("sig1", ("@method", "@authority", "@path", "content-digest", "content-type", "content-length"), ""),
        ("proxy_sig", ("@method", "@authority", "@path", "content-digest", "forwarded"), ""),
    ],
)
def test_a_smaller_demand_is_met_by_the_examples_that_cover_it(
    name: str, components: tuple[str, ...], tag: str
) -> None:
    vector = BY_NAME[name]
    said = covering(vector, *components, tag=tag).verify(inbound(vector), created(vector))
    assert said.payload == vector["body"].encode()


def test_the_expiry_of_the_proxys_signature_in_section_4_3_counts() -> None:
    vector = BY_NAME["proxy_sig"]
    check = covering(vector, "@method", "content-digest")
    minute = timedelta(seconds=60)
    said = check.verify(inbound(vector), created(vector) + minute)
    assert said.replay_until == created(vector) + minute
    assert code(check, vector, created(vector) + minute + timedelta(microseconds=1)) is Code.TIMESTAMP_TOO_OLD


def test_a_signature_made_for_the_host_before_the_proxy_is_not_good_behind_it() -> None:
    vector = BY_NAME["proxy_sig"]
    check = MessageSignature((key("test-key-ecc-p256"),), ("@method", "@authority", "content-digest"))
    assert code(check, vector) is Code.CREDENTIAL_WRONG


def test_a_key_of_the_examples_serves_no_other_algorithm() -> None:
    text = RFC9421["keys"]["test-key-rsa-pss"]["text"]
    vector = BY_NAME["sig-b23"]
    other = SenderKey(vector["keyid"], MessageAlgorithm.RSA_V1_5, (Secret(text, "rfc:pss"),))
    assert code(MessageSignature((other,)), vector) is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize("vector", RFC9530["vectors"], ids=[one["name"] for one in RFC9530["vectors"]])
def test_agrees_with_the_digests_of_rfc_9530(vector: dict[str, Any]) -> None:
    message = Inbound(
        "POST", "https://example.com/", (("content-digest", vector["field"]),), vector["content"].encode()
    )
    if vector["fits"]:
        require_digest(message)
        return
    with pytest.raises(Rejected) as caught:
        require_digest(message)
    assert caught.value.code is Code.BODY_DIGEST_WRONG


def test_every_vector_says_where_it_comes_from() -> None:
    sources = [*RFC9421["keys"].values(), *RFC9421["vectors"], *RFC9530["vectors"]]
    assert all("RFC 9" in one["origin"] for one in sources)
