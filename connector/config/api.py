"""Who may use the API, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from connector.config.fields import Name
from connector.config.secrets import Distinct, HeaderLiveRef
from connector.config.section import Section


class ApiClientSettings(Section):
    """A client of the API."""

    secrets: Annotated[tuple[HeaderLiveRef, ...], Distinct] = Field(
        min_length=1,
        description="Its bearer tokens: references to random text; several while one is changed. `not_after` ends one.",
    )
    scopes: Annotated[tuple[Literal["preview", "approve", "suppression"], ...], Field(min_length=1)] = Field(
        description="What it may do: `preview` what would be deleted, `approve` it, ask the `suppression` list whether "
        "somebody was deleted, and take filters of it."
    )


class ApiSettings(Section):
    """The API at `/api/v1`. There is none without a client."""

    clients: Annotated[Mapping[Name, ApiClientSettings], AfterValidator(MappingProxyType)] = Field(
        {},
        validate_default=True,
        description="By name; the audit log says the name of who approved.",
        json_schema_extra={"additionalProperties": False},
    )
    max_requests_per_minute: int = Field(
        600, ge=1, le=1_000_000, description="Calls of one client; more are answered 429, per web process."
    )
