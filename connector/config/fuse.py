"""The fuse of a source or an account, as it is written in the file."""

from __future__ import annotations

from pydantic import Field

from connector.config.section import Section


class SourceFuseSettings(Section):
    """How many values of a source may be handed to Lytics before a person has to look."""

    enabled: bool = Field(True, description="Whether there is a fuse. Without one nothing is counted either.")
    window_hours: float = Field(24.0, ge=1, le=720, description="Over how many hours values are counted.")
    max_values: int = Field(
        5_000, ge=1, le=1_000_000_000, description="Most values within the window, from the first day on."
    )
    times_normal: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Most values within the window, as a multiple of the mean of the last 30 days; holds once a week "
        "was seen. 0 switches this limit off.",
    )
    normal_at_least: int = Field(
        500, ge=1, le=1_000_000_000, description="The limit that follows from `times_normal` is never lower than this."
    )


class AccountFuseSettings(SourceFuseSettings):
    """The same for all sources of an account together. Four times as wide, so that one source stops itself alone."""

    max_values: int = Field(
        20_000, ge=1, le=1_000_000_000, description="Most values within the window, from the first day on."
    )
    times_normal: float = Field(
        40.0,
        ge=0,
        le=10_000,
        description="Most values within the window, as a multiple of the mean of the last 30 days; holds once a week "
        "was seen. 0 switches this limit off.",
    )
    normal_at_least: int = Field(
        2_000,
        ge=1,
        le=1_000_000_000,
        description="The limit that follows from `times_normal` is never lower than this.",
    )
