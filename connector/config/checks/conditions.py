"""Conditions beside the checks, as they are written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.checks.base import ConditionSection, require_effect
from connector.config.fields import HeaderName
from connector.verify.conditions import DEFAULT_ADDRESS_HEADER, FromAddress, Networks, WithClientCertificate


class AddressCondition(ConditionSection):
    """The sender's address, beside a check."""

    check: Literal["address"] = Field(description="A condition beside the checks: where the call comes from.")
    allowed: tuple[str, ...] = Field(
        min_length=1, description="Addresses or networks of the sender.", examples=[["192.0.2.10", "198.51.100.0/24"]]
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks of your own proxies; empty if senders connect directly."
    )
    header: HeaderName = Field(
        DEFAULT_ADDRESS_HEADER,
        description="Where your proxies write the address that they saw; with `trusted_proxies`.",
    )

    def condition(self) -> FromAddress:
        require_effect(self, {"header": (bool(self.trusted_proxies), "trusted_proxies")})
        proxies = Networks(self.trusted_proxies, "trusted_proxies") if self.trusted_proxies else None
        return FromAddress(Networks(self.allowed, "allowed"), proxies, self.header)


class ClientCertificateCondition(ConditionSection):
    """A client certificate that your proxy verified, beside a check."""

    check: Literal["client-certificate"] = Field(
        description="A condition beside the checks: a client certificate that your proxy verified (mutual TLS)."
    )
    trusted_proxies: tuple[str, ...] = Field(min_length=1, description="Addresses or networks of your own proxies.")
    subjects: tuple[str, ...] = Field(
        min_length=1, description="The certificates that are accepted, as the proxy writes subject or fingerprint."
    )
    subject_header: HeaderName = Field(
        description="Where your proxy writes subject or fingerprint; it must overwrite what a sender wrote there. "
        "Choose a name without a hyphen: one with underscores cannot pass for it.",
        examples=["Clientfingerprint"],
    )
    verified_header: HeaderName = Field(
        description="Where your proxy writes that it verified the certificate; overwritten as well.",
        examples=["Clientverify"],
    )
    verified_value: str = Field("SUCCESS", min_length=1, description="What it writes there.")

    def condition(self) -> WithClientCertificate:
        return WithClientCertificate(
            Networks(self.trusted_proxies, "trusted_proxies"),
            self.subjects,
            self.verified_header,
            self.subject_header,
            self.verified_value,
        )
