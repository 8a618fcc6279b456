"""What all checks and conditions of a source have in common in the file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Self, TypeAlias

from pydantic import Field, model_validator

from connector.codes import Code
from connector.config.secrets import Distinct, HeaderLiveRef, LiveSecretRef, StrongLiveRef
from connector.config.section import Section
from connector.errors import Misconfigured, Temporary
from connector.model import Document, KeyAddress
from connector.ports import Condition, Documents, Verifier
from connector.private import Secret
from connector.verify.token.issued import TokenClient

_LIVE = Field(
    min_length=1,
    description="References to all secrets that are valid now, the newest first, at least 16 characters each; any of "
    "them may be used.",
)
Secrets: TypeAlias = Annotated[tuple[StrongLiveRef, ...], _LIVE, Distinct]
HeaderSecrets: TypeAlias = Annotated[tuple[HeaderLiveRef, ...], _LIVE, Distinct]
# Public keys may be short and span lines; each check says itself what it accepts.
KeysOrSecrets: TypeAlias = Annotated[
    tuple[LiveSecretRef, ...],
    Field(
        min_length=1,
        description="References to all secrets, or public keys, that are valid now; any of them may have signed.",
    ),
    Distinct,
]


class CheckSection(Section):
    """What all checks have in common."""

    @property
    @abstractmethod
    def headers(self) -> tuple[str, ...]:
        """The headers that it reads and that no other check can share."""

    @property
    def media_types(self) -> frozenset[str]:
        """The content types, beside `application/json`, in which a delivery to this check comes."""
        return frozenset()

    @property
    def needs_url(self) -> bool:
        """Whether it can only be made with the address that the sender calls."""
        return False

    @property
    def key_addresses(self) -> tuple[KeyAddress, ...]:
        """The addresses of published keys that stand in the file; their hosts may be called."""
        return ()

    @property
    def live_secrets(self) -> Iterator[Secret]:
        """All configured secrets and keys, for the report of keys."""
        for name in ("secrets", "passwords", "keys"):
            yield from getattr(self, name, ())

    @property
    def secret_groups(self) -> tuple[tuple[Secret, ...], ...]:
        """The same, those together that may take each other's place; what proves the sender comes first."""
        return (tuple(self.live_secrets),)

    @property
    def token_clients(self) -> tuple[TokenClient, ...]:
        """Who may fetch tokens from us that pass this check."""
        return ()

    @abstractmethod
    def verifier(self, documents: Documents) -> Verifier:
        """Build what checks a delivery; `Misconfigured` if it refuses its settings."""

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        try:
            self.verifier(NothingPublished())
        except Misconfigured as error:
            raise ValueError(error.detail) from None
        return self


class ConditionSection(Section):
    """What all conditions have in common: they stand beside checks, and never suffice alone."""

    @abstractmethod
    def condition(self) -> Condition:
        """Build it; `Misconfigured` if it refuses its settings."""

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        try:
            self.condition()
        except Misconfigured as error:
            raise ValueError(error.detail) from None
        return self


def require_effect(section: Section, effects: Mapping[str, tuple[bool, str]]) -> None:
    """Raise `Misconfigured` for a setting that is written down and does nothing: its author believes that it protects.

    Args:
        effects: whether a setting counts beside the others, and what it belongs to.
    """
    for name in sorted(section.model_fields_set & effects.keys()):
        counts, owner = effects[name]
        if not counts:
            raise Misconfigured(Code.CONFIG_INVALID, f"{name} does nothing here; it belongs to {owner}")


class NothingPublished:
    """Stands for `ports.Documents` where settings are only checked: no key is fetched for that."""

    def get(self, address: KeyAddress, now: datetime) -> Document:  # noqa: ARG002 - the protocol's shape
        raise Temporary(Code.KEYS_UNAVAILABLE, "nothing is fetched here")

    def renew(self, seen: Document, now: datetime) -> None:
        """Never ask again."""
