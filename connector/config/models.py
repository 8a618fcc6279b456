"""The tables of the configuration file. Every field says what it means, with its unit in its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic.config import JsonDict

from connector.config.access import AccessSettings, access_fault
from connector.config.account import AccountSettings, ApprovalWord
from connector.config.alerts import AlertsSettings, only_a_rehearsal
from connector.config.api import ApiSettings
from connector.config.checks import Check, can_pass_together, key_addresses, needs_url, token_clients
from connector.config.dashboard import DashboardSettings
from connector.config.fields import Name, PlatformName, SenderUrlOrNone
from connector.config.fuse import SourceFuseSettings
from connector.config.generic import GenericSettings
from connector.config.mapping import RuleSettings
from connector.config.metrics import MetricsSettings, beside_the_receiver
from connector.config.onetrust import BackstopSettings, ReadBackSettings, ReportSettings
from connector.config.outbound import OutboundSettings
from connector.config.processes import EngineSettings, LogSettings, ServerSettings
from connector.config.proof import ProofSettings
from connector.config.retention import RetentionSettings
from connector.config.section import Section
from connector.config.store import StoreSettings
from connector.config.suppression import SuppressionSettings, WatchWord
from connector.hosts import AllowedHost
from connector.policy.deadlines import Regulation
from connector.private import Secret

# Which table each platform needs, and no other platform takes.
_TABLE_OF: Final = {"onetrust": "report", "generic": "generic"}


class SourceSettings(Section):
    """A connection from a consent platform."""

    platform: PlatformName = Field(description="The platform's dialect.")
    account: Name = Field(description="The Lytics account in which its requests are carried out.")
    enabled: bool = Field(True, description="Whether deliveries are accepted.")
    url: SenderUrlOrNone = Field(
        "",
        description="The address that the sender calls, as it is configured there, without a query; for checks over "
        "the URL. Never taken from the call itself, whose Host anybody can choose.",
    )
    max_deliveries_per_minute: int = Field(
        6000, ge=1, le=1_000_000, description="More are answered 429, per web process."
    )
    deletion_types: tuple[str, ...] = Field(
        ("Data Deletion",), min_length=1, description="The request types that mean erasure, as the source words them."
    )
    access: AccessSettings | None = Field(
        None, description="Which request types mean access, and what becomes of the answers; none if it is left out."
    )
    allow_test_requests: bool = Field(False, description="Whether requests marked as a test are carried out.")
    regulation: Regulation | None = Field(None, description="The law whose period applies; else by country.")
    default_region: str | None = Field(None, description="Country code for phone numbers without one, such as `DE`.")
    ignore_kinds: tuple[str, ...] = Field((), description="Kinds of identity that may stay unmapped.")
    verify: Annotated[tuple[Check, ...], AfterValidator(can_pass_together)] = Field(
        min_length=1, description="The checks of a delivery; all have to pass."
    )
    approval: ApprovalWord = Field(
        "never",
        description="What a person has to approve of this source before it is handed to Lytics, beside what the "
        "account asks for: the stricter of the two counts. `first-run` is over once a request of it was completed.",
    )
    approval_above: int = Field(
        100, ge=0, le=1_000_000_000, description='With approval = "above": as in an account, of this source alone.'
    )
    fuse: SourceFuseSettings = Field(
        default_factory=SourceFuseSettings,
        description="How many values of the source may be handed to Lytics before a person has to look.",
    )
    watch: WatchWord = Field(
        "alarm",
        description="What follows if somebody shows up in Lytics again after their deletion: nothing, and nobody is "
        "looked for; it is said; or they are deleted again. The look-ups need the value, which stays sealed that long.",
    )
    mapping: tuple[RuleSettings, ...] = Field(min_length=1, description="What becomes of each kind of identity.")
    generic: GenericSettings | None = Field(
        None,
        validate_default=True,
        description='A platform described here, for platform = "generic". A place in it is a JMESPath expression, or a '
        "JSON pointer (RFC 6901) if it begins with `/`.",
    )
    report: ReportSettings | None = Field(
        None, validate_default=True, description='Where completion is reported to, for platform = "onetrust".'
    )

    read_back: ReadBackSettings | None = Field(
        None,
        validate_default=True,
        description='What the platform itself has to list before anything is deleted, for platform = "onetrust"; on '
        "unless it is switched off.",
    )

    backstop: BackstopSettings | None = Field(
        None,
        validate_default=True,
        description="Where callbacks that never came are looked for. It needs read_back, which tells the identifiers.",
    )

    @field_validator("backstop")
    @classmethod
    def _has_what_it_finds_read_back(
        cls, table: BackstopSettings | None, info: ValidationInfo
    ) -> BackstopSettings | None:
        read_back = info.data.get("read_back")
        if table is not None and "read_back" in info.data and (read_back is None or not read_back.enabled):
            raise ValueError('needs platform = "onetrust" with read_back; a list of subtasks tells no identifiers')
        return table

    @field_validator("read_back")
    @classmethod
    def _is_of_a_platform_that_lists(
        cls, table: ReadBackSettings | None, info: ValidationInfo
    ) -> ReadBackSettings | None:
        if info.data.get("platform") == "onetrust":
            return table or ReadBackSettings.model_validate({}, context=info.context)
        if table is not None and "platform" in info.data:
            raise ValueError(f"does not belong to platform {info.data['platform']}; leave it out")
        return None

    @field_validator("generic", "report")
    @classmethod
    def _belongs_to_its_platform(cls, table: Section | None, info: ValidationInfo) -> Section | None:
        platform = info.data.get("platform")
        wanted = _TABLE_OF.get(platform or "") == info.field_name
        if platform is not None and wanted != (table is not None):
            raise ValueError("missing" if wanted else f"does not belong to platform {platform}; leave it out")
        return table

    @model_validator(mode="after")
    def _says_what_its_checks_need(self) -> Self:
        if not self.url and needs_url(self.verify):
            raise ValueError("a check reads the URL; set url to the address that the sender calls")
        return self

    @model_validator(mode="after")
    def _names_keys_that_can_be_fetched(self) -> Self:
        # The client for published keys refuses anything else, and each delivery would then be answered 401.
        for one in key_addresses(self.verify):
            if one.url.startswith("https:") and ("#" in one.url or AllowedHost.of_url(one.url) is None):
                raise ValueError(
                    "a check reads keys from an address that is never called: it takes a full host name such as "
                    "keys.example.com, no IP address, and nothing behind a #"
                )
        return self

    @model_validator(mode="after")
    def _says_what_erasure_is_called(self) -> Self:
        given = "deletion_types" in self.model_fields_set
        if self.generic is not None and self.generic.type and not given:
            raise ValueError("set deletion_types to the request types that mean erasure, as the platform words them")
        if self.generic is not None and self.generic.only_erasures and given:
            raise ValueError("deletion_types would not be looked at with only_erasures = true; leave one of them out")
        return self

    @model_validator(mode="after")
    def _tells_access_from_erasure(self) -> Self:
        if self.access is not None and (fault := access_fault(self.access, self)):
            raise ValueError(f"access: {fault}")
        return self


_NO_OTHER_NAMES: JsonDict = {"additionalProperties": False}


class Config(Section):
    """The whole configuration, checked."""

    server: ServerSettings = Field(default_factory=ServerSettings, description="The receiver.")
    store: StoreSettings = Field(description="Where everything is kept.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="The worker.")
    log: LogSettings = Field(default_factory=LogSettings, description="The log.")
    metrics: Annotated[MetricsSettings, AfterValidator(beside_the_receiver)] = Field(default_factory=MetricsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings, description="The API; there is none without a client.")
    dashboard: DashboardSettings | None = Field(None, description="The dashboard; there is none if it is left out.")
    outbound: OutboundSettings = Field(
        default_factory=OutboundSettings, description="Calls to addresses that a sender names."
    )
    alerts: Annotated[AlertsSettings, AfterValidator(only_a_rehearsal)] = Field(default_factory=AlertsSettings)
    proof: ProofSettings = Field(default_factory=ProofSettings, description="The audit log and receipts.")
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="How long what is kept.")
    suppression: SuppressionSettings = Field(
        default_factory=SuppressionSettings, description="The suppression list, and the watch over who comes back."
    )
    accounts: Annotated[Mapping[Name, AccountSettings], AfterValidator(MappingProxyType)] = Field(
        min_length=1, description="A Lytics account; several may be named.", json_schema_extra=_NO_OTHER_NAMES
    )
    sources: Annotated[Mapping[Name, SourceSettings], AfterValidator(MappingProxyType)] = Field(
        min_length=1,
        description="A connection from a consent platform; it receives at `/webhooks/NAME`.",
        json_schema_extra=_NO_OTHER_NAMES,
    )

    @model_validator(mode="after")
    def _fetches_keys_in_the_clear_in_a_rehearsal_alone(self) -> Self:
        for name, source in self.sources.items():
            if not self.outbound.rehearsal and any(one.url.startswith("http:") for one in key_addresses(source.verify)):
                raise ValueError(
                    f"sources.{name}: a check reads keys over http, which is for rehearsals alone: write https://, or "
                    "set outbound.rehearsal"
                )
        return self

    @model_validator(mode="after")
    def _signs_what_is_filed_as_signed(self) -> Self:
        for name, source in self.sources.items():
            wanted = source.report is not None and source.report.evidence.content != "table"
            if wanted and not self.proof.signing_keys:
                raise ValueError(f"sources.{name}: evidence that is a receipt needs proof.signing_keys")
        return self

    @model_validator(mode="after")
    def _watches_only_where_it_looks(self) -> Self:
        for name, source in self.sources.items():
            account = self.accounts.get(source.account)
            given = "watch" in source.model_fields_set and source.watch != "off"
            if given and account is not None and account.look_up == "off":
                raise ValueError(
                    f"sources.{name}: watch looks people up, and its account has look_up off; leave it out"
                )
        share = self.suppression.share_key
        pseudonyms = (self.store.pseudonym_key, *self.store.other_pseudonym_keys)
        if share is not None and any(share.matches(one.reveal()) for one in pseudonyms):
            raise ValueError("suppression.share_key is a pseudonym key of the store, which nobody else may have")
        return self

    @model_validator(mode="after")
    def _issues_each_client_tokens_for_one_source(self) -> Self:
        clients: dict[str, str] = {}
        audiences: dict[str, str] = {}
        for name, source in self.sources.items():
            for one in token_clients(source.verify):
                if one.client_id in clients:
                    raise ValueError(
                        f"sources.{name}: client_id is that of another check, in sources.{clients[one.client_id]}"
                    )
                if audiences.setdefault(one.audience, name) != name:
                    raise ValueError(f"sources.{name}: audience is that of sources.{audiences[one.audience]}")
                clients[one.client_id] = name
        return self

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain data; a secret is shown as its reference."""
        shown = _shown(self)
        assert isinstance(shown, dict)
        return shown

    def digest(self) -> str:
        """Return 64 hex digits that change with the configuration, but not with the value of a secret."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()


def _shown(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Secret):
        return value.id
    if isinstance(value, Mapping):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_shown(inner) for inner in value]
    return value.value if isinstance(value, StrEnum) else value
