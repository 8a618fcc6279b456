"""Where metrics are kept and served, as it is written in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from connector.config.section import Section, surroundings_of


def _folder(value: str, info: ValidationInfo) -> str:
    return str(surroundings_of(info).path(value)) if value else ""


class MetricsSettings(Section):
    """Metrics for Prometheus, at `/metrics` of an address of their own."""

    directory: Annotated[str, AfterValidator(_folder)] = Field(
        "",
        description="Where the processes of this machine keep what they count, relative to this file; one for each "
        "machine or container. Empty: nothing is counted or served.",
        examples=["../var/metrics"],
    )
    host: str = Field("127.0.0.1", description="The address to serve on: never one that senders reach.")
    port: int = Field(9464, ge=1, le=65_535, description="The port to serve on.")

    @property
    def folder(self) -> Path | None:
        """Where counters are kept; None if there are none.

        A folder of its own below the directory: what is in it is read as counters, and taken away, by its name.
        """
        return Path(self.directory) / "counted" if self.directory else None


def beside_the_receiver(settings: MetricsSettings, info: ValidationInfo) -> MetricsSettings:
    """Refuse to serve metrics at the port that senders reach."""
    server = info.data.get("server")
    if settings.directory and server is not None and settings.port == server.port:
        raise ValueError("port is that of [server], which senders reach; choose another")
    return settings
