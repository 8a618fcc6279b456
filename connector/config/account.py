"""A Lytics account, as it is written in the file."""

from __future__ import annotations

import re
from typing import Final, Literal, Self, TypeAlias

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connector.config.fields import RemoteUrl, Seconds
from connector.config.fuse import AccountFuseSettings
from connector.config.secrets import LyticsTokenRef
from connector.config.section import Section

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


ApprovalWord: TypeAlias = Literal["never", "first-run", "always", "above"]


class BodySettings(Section):
    """What the keys of an identity-delete call are named; Lytics does not publish them."""

    table_key: str = Field("table", min_length=1, description="The key that names the table.")
    field_key: str = Field("field", min_length=1, description="The key that names the field.")
    values_key: str = Field("values", min_length=1, description="The key that holds the list of values.")

    @field_validator("field_key", "values_key")
    @classmethod
    def _is_another_key(cls, key: str, info: ValidationInfo) -> str:
        if key in info.data.values():
            raise ValueError("expected a key of its own; two of the three are the same")
        return key


class AccountSettings(Section):
    """A Lytics account."""

    base_url: RemoteUrl = Field("https://api.lytics.io", description="The address of the Lytics API.")
    token: LyticsTokenRef = Field(description="A reference to the access token, which needs Entity: Delete.")
    account_id: str = Field("", description="Sent with every call if given; else the token's default account.")
    mode: Literal["delete", "observe"] = Field(
        "delete",
        description="`observe` does everything but the deletion call, for the first weeks: requests are read back, "
        "mapped and looked up, and wait. What waits is deleted once the mode is `delete`.",
    )
    approval: ApprovalWord = Field(
        "never",
        description="What a person has to approve with `connector approve` before it is handed to Lytics: nothing; "
        "all, until Lytics has accepted a first call; all; or all that waits, once it is more than `approval_above`.",
    )
    approval_above: int = Field(
        100, ge=0, le=1_000_000_000, description='With approval = "above": so many values may go unapproved at a time.'
    )
    deletion_api: Literal["identity-delete", "identity-queue"] = Field(
        "identity-delete", description="Which of the two deletion APIs the account answers."
    )
    schema_check: Literal["require", "warn", "off"] = Field(
        "require",
        description="What follows if the account's schema certainly lacks a field that the mapping names, or does not "
        "use it as an identity: nothing is submitted until one of them is mended, or it is only said in the log.",
    )
    look_up: Literal["before_and_after", "after", "off"] = Field(
        "before_and_after",
        description="When people are looked up. Before tells who was known at all; after confirms that they are gone.",
    )
    tangled_above: int = Field(
        2,
        ge=0,
        le=1_000_000,
        description="Lytics deletes a whole profile, whichever identifier is given. If the look-up before shows more "
        "than so many identifiers of one field on it that the request does not name, the request is held for "
        "`connector release`: it may be several people's. Without a look-up before nothing is counted, and nothing "
        "held.",
    )
    tangled_fields: tuple[str, ...] = Field(
        (),
        description="The identity fields that are counted for `tangled_above`; empty for those that the mapping names, "
        "without the cookies `_uid` and `_uids`.",
    )
    look_up_call: Literal["post", "get"] = Field(
        "post", description="How people are looked up; `get` puts the identity into the URL."
    )
    requests_per_second: float = Field(5.0, gt=0, le=1000, description="Calls per second to this account.")
    concurrency: int = Field(2, ge=1, le=16, description="Calls to this account at the same time.")
    timeout_s: Seconds = Field(30.0, description="Seconds to wait for an answer.")
    batch_max_values: int = Field(1000, ge=1, le=10_000, description="Most values in one bulk call.")
    batch_max_bytes: int = Field(400_000, ge=1024, le=10_000_000, description="Most bytes of one bulk call's body.")
    batch_wait_s: float = Field(
        0.0, ge=0, le=86_400, description="Seconds that the oldest value may wait so that a bulk call fills."
    )
    poll_first_s: Seconds = Field(60.0, description="Seconds until the first question after a submission.")
    poll_factor: float = Field(2.0, ge=1, le=10, description="How the interval between two questions grows.")
    poll_max_s: Seconds = Field(21_600.0, description="The longest interval between two questions, in seconds.")
    confirm_first_s: Seconds = Field(30.0, description="Seconds from Lytics' `finished` to the first look-up.")
    confirm_for_s: Seconds = Field(
        86_400.0,
        description="Seconds for which a profile that is still there is looked up again before it counts as failed.",
    )
    warn_after_days: float = Field(14.0, gt=0, le=365, description="Days after which a running deletion is warned of.")
    alarm_after_days: float = Field(
        30.0, gt=0, le=730, description="Days after which a running deletion is an error: a person has to ask Lytics."
    )
    unknown_wait_s: Seconds = Field(
        900.0,
        description="Seconds for which a call whose outcome was lost is searched for at Lytics before it is "
        "repeated or a person is asked.",
    )
    fuse: AccountFuseSettings = Field(
        default_factory=AccountFuseSettings,
        description="How many values may be handed to the account before a person has to look.",
    )
    body: BodySettings = Field(default_factory=BodySettings, description="Key names of an identity-delete call.")

    @model_validator(mode="after")
    def _counts_only_where_it_looks(self) -> Self:
        given = sorted({"tangled_above", "tangled_fields"} & self.model_fields_set)
        if given and self.look_up != "before_and_after":
            raise ValueError(
                f'{given[0]} needs look_up = "before_and_after": else nothing is counted, and nothing held'
            )
        return self

    @field_validator("tangled_fields")
    @classmethod
    def _are_names(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_FIELD.fullmatch(one) for one in fields):
            raise ValueError("expected names of fields: a letter or '_', then at most 63 letters, digits or '_'")
        return fields
