"""The dashboard: where it listens, and how long somebody stays signed in."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from connector.config.section import Section, surroundings_of


def _beside_the_file(value: str, info: ValidationInfo) -> str:
    return str(surroundings_of(info).path(value))


class DashboardSettings(Section):
    """The dashboard for people, on a port of its own. There is none without this table."""

    host: str = Field(
        "127.0.0.1", description="The address to listen on. Behind anything but loopback there has to be TLS."
    )
    port: int = Field(8090, ge=1, le=65_535, description="The port to listen on, never the one of the receiver.")
    users_file: Annotated[str, AfterValidator(_beside_the_file)] = Field(
        "dashboard-users.json",
        min_length=1,
        description="Who may sign in, as `connector users` writes it; relative to this file.",
    )
    idle_minutes: int = Field(
        15, ge=1, le=1440, description="A session ends when nothing was asked of it for so long, in minutes."
    )
    longest_hours: int = Field(8, ge=1, le=24, description="Every session ends so long after its sign-in, in hours.")
    max_sign_ins_per_minute: int = Field(
        5, ge=1, le=1000, description="Tries to sign in with one name; more are answered 429. Ten times as many in all."
    )
