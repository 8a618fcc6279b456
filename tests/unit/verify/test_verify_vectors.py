"""HMAC against signatures that others published or that another program made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Rejected
from connector.private import Secret
from connector.verify import Algorithm, Encoding, Hmac, Window

NOW = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Vector:
    origin: str
    secret: str
    body: bytes
    signature: str
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: str = ""
    stamp: str = ""

    def check(self) -> Hmac:
        return Hmac(
            (Secret(self.secret, "vector"),),
            algorithm=self.algorithm,
            encoding=self.encoding,
            prefix=self.prefix,
            window=Window() if self.stamp else None,
        )

    def headers(self) -> dict[str, str]:
        stamp = {"x-onetrust-timestamp": self.stamp} if self.stamp else {}
        return {"x-onetrust-signature": self.prefix + self.signature} | stamp


# The cases of RFC 4231 left out have keys that are shorter than 16 characters or not UTF-8 text.
VECTORS = [
    Vector(
        origin="RFC 4231 section 4.2, SHA-256",
        secret="\x0b" * 20,
        body=b"Hi There",
        signature="b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    Vector(
        origin="RFC 4231 section 4.2, SHA-512",
        secret="\x0b" * 20,
        body=b"Hi There",
        signature="87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        algorithm=Algorithm.SHA512,
    ),
    Vector(
        origin="RFC 4231 section 4.5, SHA-256",
        secret="".join(map(chr, range(1, 26))),
        body=b"\xcd" * 50,
        signature="82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    Vector(
        origin="RFC 4231 section 4.5, SHA-512",
        secret="".join(map(chr, range(1, 26))),
        body=b"\xcd" * 50,
        signature="b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
        "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
        algorithm=Algorithm.SHA512,
    ),
    Vector(
        origin="docs.github.com, Validating webhook deliveries, Testing the webhook payload validation",
        secret="It's a Secret to Everybody",
        body=b"Hello, World!",
        signature="757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        prefix="sha256=",
    ),
    Vector(
        origin="OpenSSL: printf '1767258000.{…}' | openssl dgst -sha256 -hmac 'correct horse battery staple'",
        secret="correct horse battery staple",
        body=b'{"subTaskId":"a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"}',
        signature="4514f221e61b211da4f09e7a3569c3a2ffedf0f470e582a8c5563b8c52c72aba",
        stamp="1767258000",
    ),
    Vector(
        origin="OpenSSL: as before with -sha512 -binary | base64 -w0",
        secret="correct horse battery staple",
        body=b'{"subTaskId":"a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32"}',
        signature="p34A0dSsetMi9D6yEdRj7WTU3ctCb0UlHOIgt020mdz6zRiTO8ooyg7FCeocSJ+Geqknvl/XApkwHza9ZexPyg==",
        algorithm=Algorithm.SHA512,
        encoding=Encoding.BASE64,
        stamp="1767258000",
    ),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.origin.partition(":")[0])
def test_agrees_with_a_signature_made_elsewhere(vector: Vector) -> None:
    verdict = vector.check().verify("POST", vector.headers(), vector.body, NOW)
    assert verdict.payload == vector.body
    assert verdict.sender_time == (NOW if vector.stamp else None)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.origin.partition(":")[0])
def test_refuses_the_same_signature_over_another_body(vector: Vector) -> None:
    with pytest.raises(Rejected) as caught:
        vector.check().verify("POST", vector.headers(), vector.body + b"\n", NOW)
    assert caught.value.code is Code.CREDENTIAL_WRONG


def test_a_timed_vector_grows_old() -> None:
    vector = VECTORS[-1]
    with pytest.raises(Rejected) as caught:
        vector.check().verify("POST", vector.headers(), vector.body, NOW + timedelta(seconds=301))
    assert caught.value.code is Code.TIMESTAMP_TOO_OLD
