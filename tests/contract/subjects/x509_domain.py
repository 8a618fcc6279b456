"""Certificates of domains under the contract: the keys are those of three domains.

One domain that changes its certificate is the matter of `tests/unit/verify/x509_domain`.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes

from connector.verify.certificates import Hash, Padding, Trust
from connector.verify.x509_domain import OPENGDPR, X509Domain
from tests.contract.subjects.subject import CONTENT, CURRENT, NEXT, RETIRED, Sent, Subject
from tests.support.certificates import Holder, authority, certificate, self_signed
from tests.support.documents import PublishedDocuments

DOMAINS: Final = {CURRENT: "example.com", NEXT: "example.org", RETIRED: "example.net"}


def holder(key: str) -> Holder:
    return certificate(DOMAINS[key], key=key, issuer=authority("Example Issuing", "Example Root"))


def published() -> PublishedDocuments:
    documents = PublishedDocuments()
    for key, domain in DOMAINS.items():
        file = f"https://{domain}/{key}.pem"
        documents.published[f"https://{domain}/discovery"] = json.dumps({"processor_certificate": file}).encode()
        documents.published[file] = holder(key).pem + authority("Example Issuing", "Example Root").pem
    return documents


def verifier(*keys: str) -> X509Domain:
    return X509Domain(tuple(DOMAINS[key] for key in keys), Trust((authority().certificate,)), published())


def sent(domain: str, signature: bytes, content: bytes = CONTENT, brand: str = "OpenDSR") -> Sent:
    text = base64.b64encode(signature).decode()
    return Sent({f"X-{brand}-Processor-Domain": domain, f"X-{brand}-Signature": text}, content)


def send(key: str, content: bytes, _: datetime) -> Sent:
    return sent(DOMAINS[key], holder(key).sign(content), content)


def send_pss(key: str, content: bytes, _: datetime) -> Sent:
    signature = holder(key).sign(content, hashes.SHA512(), pss=True)
    return sent(DOMAINS[key], signature, content, "OpenGDPR")


def pss_verifier(*keys: str) -> X509Domain:
    return X509Domain(
        tuple(DOMAINS[key] for key in keys),
        Trust((authority().certificate,)),
        published(),
        OPENGDPR,
        digest=Hash.SHA512,
        padding=Padding.PSS,
    )


def named(key: str) -> str:
    return f"{DOMAINS[key]}:{holder(key).short_id}"


SUBJECTS: Final = (
    Subject(
        name="certificate of a domain",
        primitive="rsa-pkcs1",
        verifier=verifier,
        send=send,
        credentials=("X-OpenDSR-Processor-Domain", "X-OpenDSR-Signature"),
        secret_id=named,
        ignores_case=frozenset({"X-OpenDSR-Processor-Domain"}),
        confused={
            "signed by another domain": lambda: sent(DOMAINS[CURRENT], holder(NEXT).sign(CONTENT)),
            "signed by itself": lambda: sent(DOMAINS[CURRENT], self_signed(DOMAINS[CURRENT], "x").sign(CONTENT)),
            "a domain below": lambda: sent(f"www.{DOMAINS[CURRENT]}", holder(CURRENT).sign(CONTENT)),
            "another hash": lambda: sent(DOMAINS[CURRENT], holder(CURRENT).sign(CONTENT, hashes.SHA512())),
            "SHA-1": lambda: sent(DOMAINS[CURRENT], holder(CURRENT).sign(CONTENT, hashes.SHA1())),
            "another padding": lambda: sent(DOMAINS[CURRENT], holder(CURRENT).sign(CONTENT, pss=True)),
            "a hash for a signature": lambda: sent(DOMAINS[CURRENT], b"\x00" * 256),
            "the other names of headers": lambda: sent(
                DOMAINS[CURRENT], holder(CURRENT).sign(CONTENT), brand="OpenGDPR"
            ),
        },
        misconfigured={
            "no domain": verifier,
            "nobody to trust": lambda: Trust(()),
            "SHA-1": lambda: X509Domain(
                ("example.com",), Trust((authority().certificate,)), published(), digest=Hash.SHA1
            ),
        },
    ),
    Subject(
        name="certificate of a domain, PSS",
        primitive="rsa-pss",
        verifier=pss_verifier,
        send=send_pss,
        credentials=("X-OpenGDPR-Processor-Domain", "X-OpenGDPR-Signature"),
        secret_id=named,
        ignores_case=frozenset({"X-OpenGDPR-Processor-Domain"}),
    ),
)
