"""The certificate of a domain: what is believed, what is refused, and what happens when a sender changes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from connector.codes import Code
from connector.errors import Misconfigured, Rejected, Temporary
from connector.inbound import Inbound
from connector.model import KeyAddress
from connector.private import Secret
from connector.verify.certificates import Hash, Padding, Trust
from connector.verify.x509_domain import OPENGDPR, DomainHeaders, X509Domain
from tests.support.certificates import BEGINS, ENDS, Holder, authority, certificate, self_signed
from tests.support.documents import PublishedDocuments

NOW: Final = datetime(2026, 11, 2, 9, 14, 33, tzinfo=UTC)
DOMAIN: Final = "opendsr.example.com"
PAGE: Final = f"https://{DOMAIN}/discovery"
FILE: Final = f"https://{DOMAIN}/certificate.pem"
BODY: Final = b'{"controller_id": "1402", "request_status": "completed"}'


def page(address: object = FILE, member: str = "processor_certificate") -> bytes:
    return json.dumps({"api_version": "2.0", member: address}).encode()


def published(file: bytes, address: str = FILE) -> PublishedDocuments:
    return PublishedDocuments({PAGE: page(address), address: file})


def check(documents: PublishedDocuments, **settings: Any) -> X509Domain:
    trust = settings.pop("trust", None) or Trust((authority().certificate,))
    return X509Domain(**{"domains": (DOMAIN,), "trust": trust, "documents": documents, **settings})


def callback(sender: Holder, body: bytes = BODY, domain: str = DOMAIN, signature: bytes | None = None) -> Inbound:
    text = base64.b64encode(signature if signature is not None else sender.sign(body)).decode()
    headers = (("X-OpenDSR-Processor-Domain", domain), ("X-OpenDSR-Signature", text))
    return Inbound("POST", "https://connector.example.com/webhooks/x", headers, body)


def refusal(made: X509Domain, inbound: Inbound, now: datetime = NOW) -> Rejected:
    with pytest.raises(Rejected) as caught:
        made.verify(inbound, now)
    assert caught.value.entry.status == 401
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_accepts_what_the_certificate_of_the_domain_signed() -> None:
    sender = certificate()
    said = check(published(sender.pem)).verify(callback(sender), NOW)
    assert said.payload == BODY
    assert said.principal == "x509-domain"
    assert said.secret_ids == (f"{DOMAIN}:{sender.short_id}",)


def test_has_nothing_that_tells_one_delivery_from_the_same_again() -> None:
    sender = certificate()
    said = check(published(sender.pem)).verify(callback(sender), NOW)
    assert (said.replay_key, said.replay_until, said.sender_time, said.confirm_url) == ("", None, None, None)


def test_reads_certificates_as_der_as_well() -> None:
    sender = certificate()
    assert check(published(sender.der)).verify(callback(sender), NOW).payload == BODY


def test_follows_a_path_over_authorities_that_the_file_holds_in_any_order() -> None:
    between = authority("Example Issuing", "Example Root")
    sender = certificate(issuer=between)
    for others in ([between], [authority(), between], [certificate("unrelated.example.org"), between]):
        file = b"Bag Attributes\n" + sender.pem + b"".join(one.pem for one in others)
        assert check(published(file)).verify(callback(sender), NOW).payload == BODY


def test_refuses_a_path_with_a_gap() -> None:
    sender = certificate(issuer=authority("Example Issuing", "Example Root"))
    assert refusal(check(published(sender.pem)), callback(sender)).code is Code.KEY_UNKNOWN


def test_passes_over_certificates_in_the_file_that_it_cannot_read() -> None:
    between = authority("Example Issuing", "Example Root")
    sender = certificate(issuer=between)
    broken = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    assert check(published(sender.pem + broken + between.pem)).verify(callback(sender), NOW).payload == BODY


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "p256", "p384", "p521"])
def test_accepts_rsa_and_the_curves_of_certificates(kind: str) -> None:
    sender = certificate(kind=kind, key=kind)
    assert check(published(sender.pem)).verify(callback(sender), NOW).payload == BODY


@pytest.mark.parametrize("kind", ["rsa-1024", "ed25519"])
def test_refuses_keys_that_are_too_short_or_of_another_kind(kind: str) -> None:
    sender = certificate(kind=kind, key=kind)
    assert refusal(check(published(sender.pem)), callback(sender)).code is Code.CREDENTIAL_WRONG


@pytest.mark.parametrize(
    ("digest", "made"),
    [(Hash.SHA256, hashes.SHA256()), (Hash.SHA384, hashes.SHA384()), (Hash.SHA512, hashes.SHA512())],
)
@pytest.mark.parametrize("kind", ["rsa-2048", "p384"])
def test_takes_the_hash_of_the_settings_and_no_other(digest: Hash, made: hashes.HashAlgorithm, kind: str) -> None:
    sender = certificate(kind=kind, key=kind)
    inbound = callback(sender, signature=sender.sign(BODY, made))
    for allowed in (Hash.SHA256, Hash.SHA384, Hash.SHA512):
        configured = check(published(sender.pem), digest=allowed)
        if allowed is digest:
            assert configured.verify(inbound, NOW).payload == BODY
        else:
            assert refusal(configured, inbound).code is Code.CREDENTIAL_WRONG


def test_takes_the_padding_of_the_settings_and_no_other() -> None:
    sender = certificate()
    pss = callback(sender, signature=sender.sign(BODY, pss=True))
    assert check(published(sender.pem), padding=Padding.PSS).verify(pss, NOW).payload == BODY
    assert refusal(check(published(sender.pem)), pss).code is Code.CREDENTIAL_WRONG
    assert refusal(check(published(sender.pem), padding=Padding.PSS), callback(sender)).code is Code.CREDENTIAL_WRONG


UNTRUSTWORTHY: Final = {
    "a stranger's authority": lambda: certificate(issuer=authority("Another Root")),
    "self-signed": self_signed,
    "of another domain": lambda: certificate("www.example.com"),
    "of the domain above": lambda: certificate("example.com"),
    "of a domain below": lambda: certificate("x.opendsr.example.com"),
    "a wildcard": lambda: certificate("*.example.com"),
    "the domain only as its common name": lambda: certificate(DOMAIN, names=()),
    "for clients only": lambda: certificate(purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
    "not for signatures": lambda: certificate(usages=("key_encipherment",)),
    "without a key usage": lambda: certificate(usages=None),
    "an authority itself": lambda: certificate(is_authority=True, usages=("digital_signature", "key_cert_sign")),
}


@pytest.mark.parametrize("what", UNTRUSTWORTHY)
def test_refuses_a_good_signature_by_a_certificate_that_cannot_be_trusted(what: str) -> None:
    sender = UNTRUSTWORTHY[what]()
    error = refusal(check(published(sender.pem)), callback(sender))
    assert error.code is Code.KEY_UNKNOWN
    assert error.detail.startswith("the certificate of the domain: ")
    assert DOMAIN not in str(error)


def test_does_not_believe_a_self_signed_certificate_even_as_its_own_authority() -> None:
    sender = self_signed()
    made = check(published(sender.pem), trust=Trust((sender.certificate,)))
    assert refusal(made, callback(sender)).code is Code.KEY_UNKNOWN


def test_does_not_believe_an_authority_that_the_file_brings_along() -> None:
    sender = certificate(issuer=authority("Another Root"))
    file = sender.pem + authority("Another Root").pem
    assert refusal(check(published(file)), callback(sender)).code is Code.KEY_UNKNOWN


def test_a_certificate_counts_exactly_within_its_time() -> None:
    sender = certificate()
    made = check(published(sender.pem))
    for moment in (BEGINS, ENDS):
        assert made.verify(callback(sender), moment).payload == BODY
    for moment in (BEGINS - timedelta(seconds=1), ENDS + timedelta(seconds=1)):
        assert refusal(made, callback(sender), moment).code is Code.CREDENTIAL_EXPIRED


def test_an_authority_counts_within_its_time_as_well() -> None:
    above = certificate("Short Authority", key="short", is_authority=True, usages=("key_cert_sign",))
    sender = certificate(issuer=above, valid=(BEGINS, ENDS + timedelta(days=30)))
    made = check(published(sender.pem + above.pem))
    assert made.verify(callback(sender), NOW).payload == BODY
    assert refusal(made, callback(sender), ENDS + timedelta(days=1)).code is Code.KEY_UNKNOWN


@pytest.mark.parametrize(
    "domain",
    ["opendsr.example.org", "example.com", "opendsr.example.com.", "opendsr.example.com:443", "a, opendsr.example.com"],
)
def test_asks_nobody_about_a_domain_that_is_not_on_the_list(domain: str) -> None:
    sender, documents = certificate(), published(certificate().pem)
    assert refusal(check(documents), callback(sender, domain=domain)).code is Code.KEY_UNKNOWN
    assert documents.asked == []


def test_reads_a_domain_in_any_case() -> None:
    sender = certificate()
    said = check(published(sender.pem)).verify(callback(sender, domain="OpenDSR.Example.COM"), NOW)
    assert said.secret_ids == (f"{DOMAIN}:{sender.short_id}",)


def test_a_domain_cannot_sign_for_another_one_of_the_list() -> None:
    one, other = certificate(), certificate("privacy.example.org", key="another sender")
    documents = published(one.pem)
    documents.published["https://privacy.example.org/discovery"] = page("https://privacy.example.org/c.pem")
    documents.published["https://privacy.example.org/c.pem"] = other.pem
    made = check(documents, domains=(DOMAIN, "privacy.example.org"))
    assert made.verify(callback(other, domain="privacy.example.org"), NOW).payload == BODY
    assert refusal(made, callback(other)).code is Code.CREDENTIAL_WRONG


def test_reads_the_headers_that_the_settings_name() -> None:
    sender = certificate()
    text = base64.b64encode(sender.sign(BODY)).decode()
    for headers in (OPENGDPR, DomainHeaders("X-Domain", "X-Signature")):
        inbound = Inbound("POST", "https://x/", ((headers.domain, DOMAIN), (headers.signature, text)), BODY)
        assert check(published(sender.pem), headers=headers).verify(inbound, NOW).payload == BODY
        assert refusal(check(published(sender.pem)), inbound).code is Code.CREDENTIAL_MISSING


def test_asks_for_discovery_where_and_how_the_settings_say() -> None:
    sender = certificate()
    documents = PublishedDocuments({f"https://{DOMAIN}/v3/discovery?x=1": page(FILE, "cert"), FILE: sender.pem})
    key = Secret("Basic a-key-of-the-publisher", "env:DSR_KEY")
    settings = {"discovery": "https://{domain}/v3/discovery?x=1", "member": "cert"}
    made = check(documents, **settings, discovery_headers=(("Authorization", key),))
    assert made.verify(callback(sender), NOW).payload == BODY
    first, second = documents.asked
    assert first.headers == (("Authorization", key),)
    # The certificate's host may be another one: it must not learn the key.
    assert (second.url, second.headers) == (FILE, ())


ELSEWHERE: Final = [
    "https://static.example.com/cert.pem",
    "https://x.opendsr.example.com/cert.pem",
    "https://opendsr.example.com.evil.example.org/cert.pem",
    "https://evil.example.org/opendsr.example.com/cert.pem",
    "https://evil.example.org#@opendsr.example.com/cert.pem",
    "https://evil.example.org\\@opendsr.example.com/cert.pem",
    "https://opendsr.example.com@evil.example.org/cert.pem",
    "https://user@opendsr.example.com/cert.pem",
    "https://opendsr.example.com:8443/cert.pem",
    "https://opendsr.example.com/cert.pem#part",
    "https://opendsr.example.com/a b",
    "https://opendsr.example.com/\n",
    "https://opendsr.example.com./cert.pem",
    "http://opendsr.example.com/cert.pem",
    "HTTPS://opendsr.example.com/cert.pem",
    "//opendsr.example.com/cert.pem",
    "/cert.pem",
    "file:///etc/passwd",
    "https://127.0.0.1/cert.pem",
    "https://[::1]/cert.pem",
    "",
    None,
    7,
    ["https://opendsr.example.com/cert.pem"],
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_fetches_no_certificate_from_a_host_that_is_not_allowed(address: object) -> None:
    sender = certificate()
    documents = PublishedDocuments({PAGE: page(address)})
    if isinstance(address, str):
        documents.published[address] = sender.pem
    with pytest.raises(Temporary) as caught:
        check(documents).verify(callback(sender), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE
    assert {one.url for one in documents.asked} == {PAGE}


def test_fetches_a_certificate_from_a_host_that_the_settings_allow() -> None:
    sender, address = certificate(), "https://static.example.com/dsr/cert.pem"
    made = check(published(sender.pem, address), certificate_hosts=("static.example.com",))
    assert made.verify(callback(sender), NOW).payload == BODY


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"<html>", b"[]", b"{}", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_asks_the_sender_to_repeat_while_discovery_cannot_be_read(text: bytes) -> None:
    with pytest.raises(Temporary) as caught:
        check(PublishedDocuments({PAGE: text})).verify(callback(certificate()), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


@pytest.mark.parametrize("text", [b"", b"\x30\x03\x02\x01\x00", b"<html>", b"-----BEGIN CERTIFICATE-----\n" * 2_000])
def test_asks_the_sender_to_repeat_while_the_certificate_cannot_be_read(text: bytes) -> None:
    with pytest.raises(Temporary) as caught:
        check(published(text)).verify(callback(certificate()), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


def test_asks_the_sender_to_repeat_while_nothing_can_be_fetched() -> None:
    documents = published(certificate().pem)
    documents.fails = True
    with pytest.raises(Temporary) as caught:
        check(documents).verify(callback(certificate()), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


def test_fetches_nothing_anew_while_deliveries_are_good() -> None:
    sender = certificate()
    documents = published(sender.pem)
    made = check(documents)
    for _ in range(5):
        made.verify(callback(sender), NOW)
    assert [one.url for one in documents.fetched] == [PAGE, FILE]
    assert documents.renewed == []


OLD: Final = "a sender"
NEW: Final = "a new key"
MOVED: Final = f"https://{DOMAIN}/2027.pem"
#: What stood at the certificate's address before, what is published now, and whose key signs now.
CHANGES: Final[dict[str, Callable[[], tuple[bytes, dict[str, bytes], str]]]] = {
    "a new key at the same address": lambda: (certificate().pem, {FILE: certificate(key=NEW).pem}, NEW),
    "an expired certificate replaced": lambda: (
        certificate(valid=(BEGINS - timedelta(days=99), BEGINS)).pem,
        {FILE: certificate(key=NEW).pem},
        NEW,
    ),
    "issued again by a trusted authority": lambda: (
        certificate(issuer=authority("Another Root")).pem,
        {FILE: certificate().pem},
        OLD,
    ),
    "an error page before": lambda: (b"<html>", {FILE: certificate(key=NEW).pem}, NEW),
    "a new key at a new address": lambda: (
        certificate().pem,
        {PAGE: page(MOVED), MOVED: certificate(key=NEW).pem},
        NEW,
    ),
    "a new address, and nothing at the old one": lambda: (
        b"",
        {PAGE: page(MOVED), MOVED: certificate(key=NEW).pem},
        NEW,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_takes_over_a_certificate_that_changed(what: str) -> None:
    before, after, key = CHANGES[what]()
    documents = published(before)
    for url in (PAGE, FILE):
        documents.get(KeyAddress(url), NOW)
    documents.published.update(after)
    made, sender = check(documents), certificate(key=key)
    assert made.verify(callback(sender), NOW).secret_ids[0].startswith(f"{DOMAIN}:")
    # From now on the new one is kept, and nobody has to look again.
    documents.may_renew = False
    renewed = len(documents.renewed)
    made.verify(callback(sender), NOW)
    assert len(documents.renewed) == renewed


def test_looks_again_when_the_named_certificate_cannot_be_fetched_any_more() -> None:
    documents = PublishedDocuments({PAGE: page("https://opendsr.example.com/gone.pem"), FILE: certificate().pem})
    documents.get(KeyAddress(PAGE), NOW)
    documents.published[PAGE] = page()
    assert check(documents).verify(callback(certificate()), NOW).payload == BODY


def test_takes_over_discovery_that_came_to_name_a_certificate() -> None:
    sender = certificate()
    documents = PublishedDocuments({PAGE: b"{}", FILE: sender.pem})
    made = check(documents)
    with pytest.raises(Temporary):
        made.verify(callback(sender), NOW)
    documents.published[PAGE] = page()
    assert made.verify(callback(sender), NOW).payload == BODY


def test_looks_once_more_and_no_further_for_a_signature_that_does_not_match() -> None:
    documents = published(certificate().pem)
    inbound = callback(certificate(key="somebody else"))
    assert refusal(check(documents), inbound).code is Code.CREDENTIAL_WRONG
    assert [one.url for one in documents.renewed] == [PAGE, FILE]


def test_refuses_when_another_look_is_not_granted() -> None:
    documents = published(certificate().pem)
    documents.may_renew = False
    inbound = callback(certificate(key="somebody else"))
    assert refusal(check(documents), inbound).code is Code.CREDENTIAL_WRONG
    assert [one.url for one in documents.fetched] == [PAGE, FILE]


def test_asks_the_sender_to_repeat_when_another_look_fails() -> None:
    documents = published(certificate().pem)
    made = check(documents)
    made.verify(callback(certificate()), NOW)
    documents.fails = True
    with pytest.raises(Temporary) as caught:
        made.verify(callback(certificate(key="somebody else")), NOW)
    assert caught.value.code is Code.KEYS_UNAVAILABLE


def test_names_every_address_and_host_that_it_may_call() -> None:
    made = check(
        PublishedDocuments(), domains=("a.example.com", "b.example.com"), certificate_hosts=("static.example.com",)
    )
    assert [one.url for one in made.addresses] == [
        "https://a.example.com/discovery",
        "https://b.example.com/discovery",
        "https://a.example.com/",
        "https://b.example.com/",
        "https://static.example.com/",
    ]


KEY: Final = Secret("a-key-of-the-publisher", "env:KEY")
WRONG: Final[dict[str, dict[str, Any]]] = {
    "no domain": {"domains": ()},
    "an empty domain": {"domains": ("",)},
    "a domain that is an address": {"domains": ("127.0.0.1",)},
    "a domain in upper case": {"domains": ("OpenDSR.example.com",)},
    "a domain with a wildcard": {"domains": ("*.example.com",)},
    "a host that is a URL": {"certificate_hosts": ("https://static.example.com",)},
    "one address for several domains": {"domains": (DOMAIN, "b.example.com"), "discovery": "https://a.example.com/d"},
    "discovery without TLS": {"discovery": "http://{domain}/discovery"},
    "discovery with another placeholder": {"discovery": "https://{host}/discovery"},
    "discovery with a password": {"discovery": "https://user:password@{domain}/discovery"},
    "no member": {"member": ""},
    "SHA-1": {"digest": Hash.SHA1},
    "a key for several domains": {
        "domains": (DOMAIN, "b.example.com"),
        "discovery_headers": (("Authorization", KEY),),
    },
}


@pytest.mark.parametrize("what", WRONG)
def test_refuses_at_the_start_what_could_not_work_or_not_protect(what: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        check(PublishedDocuments(), **WRONG[what])
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.detail.startswith("x509-domain: ")
    assert KEY.reveal() not in str(caught.value)


@pytest.mark.parametrize("names", [("X-One", "x-one"), ("no name", "X-One"), ("X-One", "")])
def test_refuses_headers_that_cannot_hold_both(names: tuple[str, str]) -> None:
    with pytest.raises(Misconfigured):
        DomainHeaders(*names)


def test_refuses_to_believe_nobody() -> None:
    with pytest.raises(Misconfigured):
        Trust(())


def test_shows_no_certificate_and_no_key_in_a_repr() -> None:
    made = check(published(certificate().pem), discovery_headers=(("Authorization", KEY),))
    assert KEY.reveal() not in repr(made)
    assert "Certificate" not in repr(made)
