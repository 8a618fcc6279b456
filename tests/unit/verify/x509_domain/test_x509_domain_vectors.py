"""A callback that mParticle signed, checked with the authorities of the public web."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from connector.codes import Code
from connector.config.authorities import public_authorities
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.verify.x509_domain import X509Domain
from tests.support.documents import PublishedDocuments

VECTOR: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/certificates/opendsr.json").read_text(encoding="utf-8")
)
PAGE: Final = f"https://{VECTOR['domain']}/v3/discovery"
WITHIN: Final = datetime(2025, 6, 9, 12, 0, tzinfo=UTC)
#: The file ends in a root that is older than the rule that serial numbers are positive.
old_root = pytest.mark.filterwarnings("ignore:Parsed a serial number")


def check() -> X509Domain:
    page = json.dumps({"processor_certificate": VECTOR["certificate_url"]}).encode()
    file = "\n".join(VECTOR["certificate_file"]).encode()
    return X509Domain(
        (VECTOR["domain"],),
        public_authorities(),
        PublishedDocuments({PAGE: page, VECTOR["certificate_url"]: file}),
        discovery="https://{domain}/v3/discovery",
        certificate_hosts=frozenset({"static.mparticle.com"}),
    )


def callback() -> Inbound:
    headers = (("x-opendsr-processor-domain", VECTOR["domain"]), ("x-opendsr-signature", VECTOR["signature"]))
    return Inbound("POST", "https://connector.example.com/webhooks/dsr", headers, VECTOR["body"].encode())


@old_root
def test_accepts_a_callback_as_it_was_sent() -> None:
    said = check().verify(callback(), WITHIN)
    assert json.loads(said.payload)["request_status"] == "completed"
    # As `openssl x509 -noout -fingerprint -sha256` prints it of the file.
    assert said.secret_ids == ("opendsr.mparticle.com:63ca2ffe5a8380af",)


@old_root
def test_refuses_the_same_callback_with_another_word() -> None:
    body = callback().body.replace(b"completed", b"cancelled")
    with pytest.raises(Rejected) as caught:
        check().verify(replace(callback(), body=body), WITHIN)
    assert caught.value.code is Code.CREDENTIAL_WRONG


@old_root
@pytest.mark.parametrize(
    "moment", [datetime(2024, 11, 5, 16, 42, 29, tzinfo=UTC), datetime(2025, 12, 7, 16, 42, 31, tzinfo=UTC)]
)
def test_refuses_it_before_and_after_the_time_of_the_certificate(moment: datetime) -> None:
    with pytest.raises(Rejected) as caught:
        check().verify(callback(), moment)
    assert caught.value.code is Code.CREDENTIAL_EXPIRED
