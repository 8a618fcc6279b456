"""The tables of the configuration file that say what becomes of each kind of identity."""

from __future__ import annotations

from pydantic import Field

from connector.config.section import Section
from connector.mapping.rules import DEFAULT_JUNK, DEFAULT_MAX_BYTES, Rule, TargetRule


class TargetSettings(Section):
    """One Lytics field that a kind of identity maps to."""

    table: str = Field(description="The Lytics table, normally `user`.")
    field: str = Field(description="The identity field.")
    steps: tuple[str, ...] = Field((), description="Normalising steps, in order.")
    optional: bool = Field(
        False, description="Whether a value that fails here may be skipped if another field takes it."
    )
    max_bytes: int = Field(DEFAULT_MAX_BYTES, description="The longest value, in bytes of UTF-8.")
    junk: tuple[str, ...] = Field(tuple(sorted(DEFAULT_JUNK)), description="Words that are no identity.")
    pattern: str | None = Field(None, description="A regular expression that the whole value must match.")


class RuleSettings(Section):
    """What becomes of one kind of identity."""

    kinds: tuple[str, ...] = Field(min_length=1, description="The source's labels of this kind of identity.")
    required: bool = Field(False, description="Whether a request without such an identity is held.")
    targets: tuple[TargetSettings, ...] = Field(min_length=1, description="The Lytics fields that hold it.")

    def rule(self) -> Rule:
        """Return the rule as the mapping knows it."""
        targets = (
            TargetRule(one.table, one.field, one.steps, one.optional, one.max_bytes, frozenset(one.junk), one.pattern)
            for one in self.targets
        )
        return Rule(self.kinds, tuple(targets), self.required)
