"""A table of the file, and what its references are resolved against."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationInfo


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references are resolved against.

    Attributes:
        folder: the configuration file's; relative paths start here.
        platforms: the names of the dialects that there are.
    """

    environ: Mapping[str, str]
    folder: Path
    platforms: Collection[str]

    def path(self, relative: str) -> Path:
        return (self.folder / relative).resolve()


class Section(BaseModel):
    """A table of the file: nothing unknown in it, no value of another type, nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        validate_default=True,
    )


def surroundings_of(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings), "loaded through connector.config.load only"
    return info.context
