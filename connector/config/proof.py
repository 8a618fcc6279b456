"""Under which name, and with which keys, it is proved what was done."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from connector.config.secrets import resolve
from connector.config.section import Section
from connector.config.stamps import StampSettings
from connector.private import Secret
from connector.proof.keys import PublicKey, SigningKey, public_from_pem
from connector.proof.note import ORIGIN


def _origin(value: str) -> str:
    if not ORIGIN.fullmatch(value):
        raise ValueError(
            "expected a URL without https://, such as erasure.example.com: letters, digits and . _ ~ : / -"
        )
    return value


def _key(secret: Secret) -> Secret:
    try:
        public_from_pem(secret.reveal())
    except ValueError as error:
        raise ValueError(f"{secret.id}: {error}; `connector keys new-signing` makes one") from None
    return secret


def _first_signs(secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
    if secrets and "PRIVATE KEY" not in secrets[0].reveal():
        raise ValueError(f"{secrets[0].id}: the first key signs, so it has to be a private one")
    keys = [public_from_pem(one.reveal()) for one in secrets]
    if len(set(keys)) != len(keys):
        raise ValueError("two of them are the same key")
    return secrets


KeyPemRef = Annotated[
    Secret,
    BeforeValidator(resolve),
    AfterValidator(_key),
    WithJsonSchema({"type": "string", "pattern": "^(env|file):.+$"}),
]


class ProofSettings(Section):
    """The audit log, which is always kept, and receipts, which need a key."""

    origin: Annotated[str, AfterValidator(_origin)] = Field(
        "consent-connector",
        description="The name of the audit log and of whoever issues receipts: a URL of yours without `https://`, such "
        "as `erasure.example.com`. With another name, what was signed before no longer verifies.",
    )
    signing_keys: Annotated[tuple[KeyPemRef, ...], AfterValidator(_first_signs)] = Field(
        (),
        description="References to Ed25519 keys in PEM. The first one, a private key, signs; those behind it signed "
        "before and stay published, for which their public halves are enough. Without any nothing is signed, and "
        "receipts wait until there is one.",
    )

    stamps: StampSettings | None = Field(None, description="Who stamps checkpoints; nobody if it is left out.")

    @model_validator(mode="after")
    def _signs_what_is_stamped(self) -> Self:
        if self.stamps is not None and not self.signing_keys:
            raise ValueError("stamps are made on signed checkpoints; set signing_keys")
        return self

    def key(self) -> SigningKey | None:
        """Return the key that signs."""
        return SigningKey.from_pem(self.signing_keys[0].reveal()) if self.signing_keys else None

    def former(self) -> list[PublicKey]:
        """Return the keys that signed before."""
        return [public_from_pem(one.reveal()) for one in self.signing_keys[1:]]
