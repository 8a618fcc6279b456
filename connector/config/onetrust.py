"""How completion is reported to OneTrust, as it is written in the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from connector.config.fields import HostName, LoopbackUrl, Seconds, UuidOrNothing
from connector.config.secrets import StrongSecretRef, TextOrRef
from connector.config.section import Section


class ResolutionSettings(Section):
    """OneTrust resolution ids by outcome; empty for none."""

    completed: UuidOrNothing = Field("", description="Resolution of a completed erasure.")
    rejected: UuidOrNothing = Field("", description="Resolution of a refused request.")


class ReadBackSettings(Section):
    """What OneTrust itself has to list before anything is deleted; asked with the credential of `report`."""

    enabled: bool = Field(True, description="Whether requests are read back. Without it a callback's word is enough.")
    refused_stages: tuple[str, ...] = Field(
        ("Unverified", "New", "Verifying Identity", "Rejected", "Complete"),
        description="The stages in which nobody is deleted; case, blanks and underscores do not count.",
    )
    closed_subtask: Literal["hold", "allow"] = Field(
        "hold",
        description="What becomes of a request whose subtask is ended already. `allow` is for workflows that end it as "
        "soon as the callback was answered.",
    )
    workflow_id: UuidOrNothing = Field(
        "", description="The id of the integration workflow that a subtask has to belong to."
    )
    visible_within_s: Seconds = Field(
        120.0, description="Seconds for which a new request that is not listed yet is asked about before it is held."
    )
    every_hours: float = Field(
        24.0,
        ge=1,
        le=720,
        description="Hours after which an open request is read once more: its deadline may have moved, or it was "
        "withdrawn.",
    )


class BackstopSettings(Section):
    """The look at OneTrust's own list of open subtasks, for callbacks that never came."""

    system_name: str = Field(
        min_length=1, description="The exact name of our system in OneTrust, to which the subtasks belong."
    )
    every_minutes: float = Field(30.0, ge=1, le=1440, description="Minutes between two looks.")
    overlap_hours: float = Field(
        2.0, ge=0, le=168, description="Hours by which a look reaches back beyond the last one that went well."
    )
    first_days: float = Field(
        7.0, ge=0, le=90, description="Days by which the very first look reaches back from the start of the worker."
    )


class ReportSettings(Section):
    """Where completion is reported to, and with which credential."""

    host: HostName = Field(
        "", description="The host name of the OneTrust tenant.", examples=["example.my.onetrust.com"]
    )
    base_url: LoopbackUrl = Field("", description="Instead of host, for rehearsals on a loopback address.")
    client_id: TextOrRef = Field(description="The client id of a OneTrust client credential, or a reference to it.")
    client_secret: StrongSecretRef = Field(description="A reference to its client secret, at least 16 characters.")
    token_encoding: Literal["multipart", "form"] = Field(
        "multipart", description="How the token endpoint is called: as documented, or as a form."
    )
    subtask_name: str = Field(
        "",
        description="The exact name of our system subtask. A callback for a subtask of another name is held; one that "
        "carries only the request's reference needs it.",
    )
    requests_per_second: float = Field(5.0, gt=0, le=1000, description="Calls per second to OneTrust.")
    timeout_s: Seconds = Field(30.0, description="Seconds to wait for an answer.")
    resolutions: ResolutionSettings = Field(
        default_factory=ResolutionSettings, description="Resolution ids to send along."
    )

    @field_validator("base_url")
    @classmethod
    def _is_the_only_address(cls, base_url: str, info: ValidationInfo) -> str:
        # Without `host` in the data, that one has a problem of its own.
        if "host" in info.data and bool(info.data["host"]) == bool(base_url):
            raise ValueError("expected exactly one of host and base_url")
        return base_url
