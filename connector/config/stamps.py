"""A time-stamping authority that stamps checkpoints of the audit log, as it is written in the file."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from cryptography.x509 import Certificate
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from connector.config.fields import RemoteUrl
from connector.config.secrets import REFERENCE_SCHEMA, resolve
from connector.config.section import Section
from connector.private import Secret
from connector.verify.certificates import read_roots

_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,38})){1,31}")


def _certificates(secret: Secret) -> Secret:
    found = read_roots(secret.reveal_bytes())
    if not found or None in found:
        raise ValueError(f"{secret.id} does not hold certificates in PEM")
    return secret


def _policy(value: str) -> str:
    if value and not _OID.fullmatch(value):
        raise ValueError("expected an object identifier in numbers, such as 1.3.6.1.4.1.4146.2.3")
    return value


CertificatesRef = Annotated[
    Secret, BeforeValidator(resolve), AfterValidator(_certificates), WithJsonSchema(REFERENCE_SCHEMA)
]


class StampSettings(Section):
    """Stamps by a time-stamping authority (RFC 3161) on checkpoints; needs `proof.signing_keys`."""

    url: RemoteUrl = Field(description="The address of the authority, which is asked by POST.")
    trusted: tuple[CertificatesRef, ...] = Field(
        min_length=1,
        description="References to the authority's root, or its own certificate, in PEM. Leave those of a former "
        "authority in place for as long as its stamps have to be verified.",
    )
    hash: Literal["sha256", "sha512"] = Field("sha256", description="The hash of the checkpoint, which is all it sees.")
    policy: Annotated[str, AfterValidator(_policy)] = Field(
        "", description="The policy that is asked for, as an object identifier; the authority's own if empty."
    )
    every_minutes: float = Field(
        60.0, ge=1, le=525_600, description="The least time between two stamps: authorities limit how many they give."
    )
    tolerance_s: float = Field(
        300.0, gt=0, le=86_400, description="How far the authority's clock may be from ours, in seconds."
    )
    timeout_s: float = Field(30.0, gt=0, le=120, description="How long the authority may take to answer.")

    def certificates(self) -> tuple[Certificate, ...]:
        """Return what is trusted."""
        found = (certificate for one in self.trusted for certificate in read_roots(one.reveal_bytes()))
        return tuple(one for one in found if one is not None)
