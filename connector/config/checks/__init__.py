"""The checks that a delivery has to pass: as they are written in the file, and the verifiers that they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from connector.config.checks.base import CheckSection, ConditionSection
from connector.config.checks.conditions import AddressCondition, ClientCertificateCondition
from connector.config.checks.issued_token import IssuedTokenCheck
from connector.config.checks.jws import JwsCheck
from connector.config.checks.message_signature import MessageSignatureCheck
from connector.config.checks.nacl_combined import NaclCombinedCheck
from connector.config.checks.shared import BasicCheck, BearerCheck, HeaderCheck, QueryCheck
from connector.config.checks.signed import SchemeCheck, SignatureCheck
from connector.config.checks.signed_request import SignedRequestCheck
from connector.config.checks.sns import SnsCheck
from connector.config.checks.x509_domain import X509DomainCheck
from connector.model import KeyAddress
from connector.ports import Documents, Verifier
from connector.private import Secret
from connector.verify.combine import AllOf, AnyOf
from connector.verify.token.issued import TokenClient


def can_pass_together(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Return the checks; raise `ValueError` if no delivery can pass them all, or if anybody could."""
    if not any(isinstance(one, CheckSection) for one in checks):
        raise ValueError("expected at least one check of a credential; a condition never suffices alone")
    read = [name.lower() for name in _headers(checks)]
    twice = sorted({name for name in read if read.count(name) > 1})
    if twice:
        raise ValueError(f"two checks read the header {', '.join(twice)}; a delivery cannot pass both")
    return checks


def _headers(checks: Sequence[Check]) -> tuple[str, ...]:
    return tuple(name for one in checks if isinstance(one, CheckSection) for name in one.headers)


class AllOfCheck(CheckSection):
    """Several checks that have to pass together, as one alternative of `any_of`."""

    check: Literal["all_of"] = Field(description="Checks and conditions that have to pass together.")
    checks: Annotated[tuple[Check, ...], AfterValidator(can_pass_together)] = Field(
        min_length=1, description="The checks and conditions, as in `verify`."
    )

    @property
    def headers(self) -> tuple[str, ...]:
        return _headers(self.checks)

    @property
    def media_types(self) -> frozenset[str]:
        return media_types(self.checks)

    @property
    def needs_url(self) -> bool:
        return needs_url(self.checks)

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        return key_addresses(self.checks)

    @property
    def live_secrets(self) -> Iterator[Secret]:
        yield from live_secrets(self.checks)

    @property
    def token_clients(self) -> tuple[TokenClient, ...]:
        return token_clients(self.checks)

    def verifier(self, documents: Documents) -> Verifier:
        return verifier_of(self.checks, documents)


class AnyOfCheck(AllOfCheck):
    """Several checks of which one has to pass: for a sender that moves from one way of signing to another."""

    check: Literal["any_of"] = Field(description="Checks of which one has to pass.")  # type: ignore[assignment]
    checks: tuple[Check, ...] = Field(min_length=1, description="The alternatives; a condition alone is none.")

    @property
    def headers(self) -> tuple[str, ...]:
        # A delivery does not have to carry them, so another check may read them too.
        return ()

    def verifier(self, documents: Documents) -> Verifier:
        return AnyOf(tuple(verifier_of((one,), documents) for one in self.checks))


Check: TypeAlias = Annotated[
    HeaderCheck
    | BearerCheck
    | BasicCheck
    | QueryCheck
    | SchemeCheck
    | SignatureCheck
    | JwsCheck
    | IssuedTokenCheck
    | NaclCombinedCheck
    | MessageSignatureCheck
    | SignedRequestCheck
    | X509DomainCheck
    | SnsCheck
    | AllOfCheck
    | AnyOfCheck
    | AddressCondition
    | ClientCertificateCondition,
    Field(discriminator="check"),
]
AllOfCheck.model_rebuild()
AnyOfCheck.model_rebuild()


def verifier_of(checks: Sequence[Check], documents: Documents) -> AllOf:
    """Build the verifier of a source's checks; all of them have to pass.

    Raises:
        Misconfigured: none of them is a check of a credential.
    """
    return AllOf(
        tuple(one.verifier(documents) for one in checks if isinstance(one, CheckSection)),
        tuple(one.condition() for one in checks if isinstance(one, ConditionSection)),
    )


def media_types(checks: Sequence[Check]) -> frozenset[str]:
    """Return the content types, beside `application/json`, in which deliveries to these checks come."""
    return frozenset().union(*(one.media_types for one in checks if isinstance(one, CheckSection)))


def needs_url(checks: Sequence[Check]) -> bool:
    """Say whether one of the checks needs the address that the sender calls."""
    return any(one.needs_url for one in checks if isinstance(one, CheckSection))


def key_addresses(checks: Sequence[Check]) -> tuple[KeyAddress, ...]:
    """Return where keys are published that these checks need, as far as it stands in the file."""
    return tuple(address for one in checks if isinstance(one, CheckSection) for address in one.key_addresses)


def live_secrets(checks: Sequence[Check]) -> Iterator[Secret]:
    """Give all secrets and keys that are configured for these checks."""
    for one in checks:
        if isinstance(one, CheckSection):
            yield from one.live_secrets


def token_clients(checks: Sequence[Check]) -> tuple[TokenClient, ...]:
    """Return who may fetch tokens from us that pass these checks."""
    return tuple(client for one in checks if isinstance(one, CheckSection) for client in one.token_clients)


def leaves(checks: Sequence[Check], place: str = "") -> Iterator[tuple[str, CheckSection]]:
    """Give every check that is no group of others, with its place: `1`, or `2.1` for the first within the second."""
    for number, check in enumerate(checks, 1):
        here = f"{place}.{number}".lstrip(".")
        if isinstance(check, AllOfCheck):
            yield from leaves(check.checks, here)
        elif isinstance(check, CheckSection):
            yield here, check
