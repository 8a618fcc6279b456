"""Whatever is published as a certificate: it is read or it is not, and nothing is raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.errors import Rejected, Temporary
from connector.verify.certificates import Hash, Padding, Trust, has_signed, names_of, read_certificates, read_roots
from connector.verify.x509_domain import X509Domain
from tests.contract.subjects.x509_domain import sent
from tests.support.certificates import authority, certificate, self_signed
from tests.support.documents import PublishedDocuments

NOW: Final = datetime(2026, 11, 2, tzinfo=UTC)
TRUST: Final = Trust((authority().certificate,))
GOOD: Final = (certificate().der, certificate(kind="p384", key="p384").der, self_signed().der, authority().der)
PEMS: Final = tuple(one.pem for one in (certificate(), authority(), self_signed()))

spoilt_der = st.builds(
    lambda data, at, mask, cut: bytes(
        byte ^ mask if place == at % len(data) else byte for place, byte in enumerate(data)
    )[: len(data) - cut],
    st.sampled_from(GOOD),
    st.integers(0, 10_000),
    st.integers(0, 255),
    st.sampled_from([0, 0, 0, 0, 1, 40]),
)
# The first byte of the serial number has its highest bit set: a negative one, which RFC 5280 section 4.1.2.2 forbids.
NEGATIVE: Final = bytes(byte ^ 0x80 if place == 15 else byte for place, byte in enumerate(GOOD[0]))
pieces = st.lists(
    st.sampled_from([*PEMS, b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"\n", b"MII="])
    | st.binary(),
    max_size=8,
).map(b"".join)
files = spoilt_der | pieces | st.binary(max_size=200)


@settings(max_examples=300, deadline=None)
@given(file=files, days=st.integers(-20_000, 20_000))
@example(file=NEGATIVE, days=0)
def test_any_bytes_are_certificates_or_none(file: bytes, days: int) -> None:
    read_roots(file)
    chain = read_certificates(file)
    for one in chain:
        names_of(one)
        has_signed(one, b"signature", b"content", Hash.SHA256, Padding.PSS)
    if chain:
        TRUST.vouches_for(chain, "opendsr.example.com", NOW + timedelta(days=days))


@settings(max_examples=150, deadline=None)
@given(page=st.binary(max_size=80) | st.just(b""), file=files)
def test_whatever_a_domain_publishes_there_is_a_refusal_or_a_wish_to_repeat(page: bytes, file: bytes) -> None:
    good = json.dumps({"processor_certificate": "https://example.com/c.pem"}).encode()
    documents = PublishedDocuments({"https://example.com/discovery": page or good, "https://example.com/c.pem": file})
    check = X509Domain(("example.com",), TRUST, documents)
    with pytest.raises((Rejected, Temporary)) as caught:
        check.verify(sent("example.com", b"signature").inbound(), NOW)
    assert caught.value.entry.status in {401, 503}
