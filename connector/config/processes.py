"""The receiver, the worker, and what both write to the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connector.config.fields import Seconds
from connector.config.section import Section


class ServerSettings(Section):
    """The receiver."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=1, le=65_535, description="The port to listen on.")
    threads: int = Field(16, ge=1, le=256, description="Deliveries that are handled at the same time.")
    max_body_bytes: int = Field(
        262_144, ge=1024, le=10_485_760, description="Larger deliveries are answered 413, in bytes."
    )
    max_token_requests_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests for a token (`/oauth/token`) with the same client id; more are answered 429, per web "
        "process.",
    )


class EngineSettings(Section):
    """The worker."""

    tick_s: Seconds = Field(5.0, description="Seconds between two looks for work.")
    map_budget: int = Field(500, ge=1, description="Requests mapped in one run.")
    lookup_budget: int = Field(500, ge=1, description="Look-ups in one run, per account.")
    poll_budget: int = Field(200, ge=1, description="Operations asked about in one run, per account.")
    report_budget: int = Field(100, ge=1, description="Reports sent in one run, per source.")


class LogSettings(Section):
    """The log on standard error."""

    level: Literal["info", "warning", "error"] = Field("info", description="The least level that is written.")
    format: Literal["json", "console"] = Field("json", description="One JSON document per line, or text for people.")
