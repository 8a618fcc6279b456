"""Where everything is kept, and the keys of the store."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from connector.config.fields import StoreUrl
from connector.config.sealing import SealingKeyRef
from connector.config.secrets import Distinct, KeyRef
from connector.config.section import Section


class StoreSettings(Section):
    """Where everything is kept."""

    url: StoreUrl = Field(
        description="`sqlite:///PATH` (relative to this file) or `postgresql://USER@HOST/NAME`, or a reference to it; "
        "a URL with a password belongs behind a reference."
    )
    pseudonym_key: KeyRef = Field(
        description="The key of the hashes under which identities are looked up: a reference to at least 32 random "
        "bytes. To change it, keep the former one in other_pseudonym_keys."
    )
    other_pseudonym_keys: Annotated[tuple[KeyRef, ...], Distinct] = Field(
        (),
        description="Keys whose hashes are recognised too: former ones, the latest first, and one that is to come. "
        "`connector keys pseudonyms` says how long each is needed; without one that is, nothing starts.",
    )

    @model_validator(mode="after")
    def _hashes_under_different_keys(self) -> Self:
        if any(one.matches(self.pseudonym_key.reveal()) for one in self.other_pseudonym_keys):
            raise ValueError("one of other_pseudonym_keys is pseudonym_key itself")
        return self

    sealing_keys: Annotated[tuple[SealingKeyRef, ...], Field(min_length=1), Distinct] = Field(
        description="The keys that everything personal is sealed with: references to at least 32 random bytes each, or "
        '`{ id = "NAME", command = ["PROGRAM", …] }` for a command that prints one. The first seals, all of them open; '
        "`connector keys rotate` brings everything under the first. Keep them apart from the store and its backups: "
        "without them nobody can read it."
    )
