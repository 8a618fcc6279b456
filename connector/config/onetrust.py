"""How completion is reported to OneTrust, as it is written in the file."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from connector.config.fields import HostName, LoopbackUrl, Seconds, Uuid, UuidOrNothing
from connector.config.secrets import HeaderSecretRef, StrongSecretRef, TextOrRef
from connector.config.section import Section


class ResolutionSettings(Section):
    """OneTrust resolution ids by outcome; empty for none."""

    completed: UuidOrNothing = Field("", description="Resolution of a completed erasure.")
    nothing_held: UuidOrNothing = Field(
        "", description="Resolution of a completed erasure of somebody whom Lytics did not know; else `completed`."
    )
    rejected: UuidOrNothing = Field("", description="Resolution of a refused request.")
    access: UuidOrNothing = Field(
        "", description="Resolution of an answered access request, which never gets those of an erasure."
    )


_EXTENSIONS: Final = {"table": "csv", "receipt": "txt", "certificate": "txt"}


class EvidenceSettings(Section):
    """The evidence file of a completion; it holds no personal value. It needs the scope `ATTACHMENT`."""

    enabled: bool = Field(False, description="Whether a file is uploaded before a completion is reported.")
    content: Literal["table", "receipt", "certificate"] = Field(
        "table",
        description="What the file is: a table of the facts, the signed receipt, or the certificate for people, which "
        "restates it as plain text. The last two need proof.signing_keys.",
    )
    extension: Literal["csv", "txt"] = Field(
        "csv",
        description="The extension of a table. Where OneTrust refuses `csv`, `txt` is tried; with `txt` here that is "
        "tried alone. A receipt and a certificate always have `txt`: neither `json` nor `html` is on OneTrust's list.",
    )

    def file_extension(self) -> str:
        """Return the extension that is tried first."""
        return "txt" if self.extension == "txt" else _EXTENSIONS[self.content]


class WebhookSettings(Section):
    """The webhook of one of your workflows, as a second channel for reports. The call holds ids, status and counts."""

    id: Uuid = Field(description="The last part of the address that OneTrust shows for the webhook's trigger, a UUID.")
    token: HeaderSecretRef = Field(
        description="A reference to the bearer token for it, at least 16 characters, such as an OAuth 2.0 API key."
    )
    instead: bool = Field(
        False, description="Whether the workflow is told instead of the subtask, whose state is then left to it."
    )


#: What a custom field may hold.
Count = Literal[
    "identities_received", "mapped", "unmapped", "rejected", "targets", "deleted", "not_found", "refused", "failed"
]


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
    complete_with: Literal["status", "complete"] = Field(
        "status",
        description="The call that completes a subtask. `complete` takes files; where OneTrust refuses it, `status` "
        "serves.",
    )
    evidence: EvidenceSettings = Field(
        default_factory=EvidenceSettings, description='The evidence file; it needs complete_with = "complete".'
    )
    progress_comments: bool = Field(
        False, description="Whether an internal comment says, once a day, that a request is still under way."
    )
    deadline_comment_days: float = Field(
        7.0,
        ge=0,
        le=90,
        description="Days before the due date from which an internal comment warns, once, that Lytics has not "
        "confirmed the erasure. 0 for no comment; the log says it all the same, seven days before.",
    )
    conflict_comments: bool = Field(
        False,
        description="Whether an internal comment tells the result where somebody else ended the subtask before us.",
    )
    custom_fields: dict[str, Count] = Field(
        {}, description="Custom fields of the request to be filled in at its end: name, and the count that it holds."
    )
    next_stage: str = Field(
        "",
        description="The stage to which a request is moved after COMPLETED, if no required subtask is left open.",
    )
    webhook: WebhookSettings | None = Field(
        None, description="The webhook of a workflow that is told as well; none if it is left out."
    )

    @field_validator("evidence")
    @classmethod
    def _goes_with_a_call_that_takes_files(cls, table: EvidenceSettings, info: ValidationInfo) -> EvidenceSettings:
        if table.enabled and info.data.get("complete_with", "complete") != "complete":
            raise ValueError('needs complete_with = "complete"; the other call takes no file')
        return table

    @field_validator("webhook")
    @classmethod
    def _leaves_something_to_attach_to(
        cls, table: WebhookSettings | None, info: ValidationInfo
    ) -> WebhookSettings | None:
        evidence = info.data.get("evidence")
        if table is not None and table.instead and evidence is not None and evidence.enabled:
            raise ValueError("instead = true leaves the subtask to the workflow, and evidence is attached to it")
        return table

    @field_validator("base_url")
    @classmethod
    def _is_the_only_address(cls, base_url: str, info: ValidationInfo) -> str:
        # Without `host` in the data, that one has a problem of its own.
        if "host" in info.data and bool(info.data["host"]) == bool(base_url):
            raise ValueError("expected exactly one of host and base_url")
        return base_url
