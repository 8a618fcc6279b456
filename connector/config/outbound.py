"""What may be called although a sender named it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from connector.config.section import Section
from connector.errors import Misconfigured
from connector.hosts import AllowedHost


def _host(text: str) -> str:
    try:
        return str(AllowedHost.parse(text))
    except Misconfigured as error:
        raise ValueError(error.detail) from None


AllowedHostName = Annotated[str, AfterValidator(_host)]


class OutboundSettings(Section):
    """Calls to addresses that a sender names. Key addresses that stand in a check are allowed by themselves."""

    allowed_hosts: tuple[AllowedHostName, ...] = Field(
        (),
        description="Hosts that may be called though a sender named them: key servers, callbacks. Only https, at port "
        "443 unless one is named, and only where they lead to a public address; `*.` stands for all names below.",
        examples=[["keys.example.com", "callbacks.example.com:8443", "*.example.org"]],
    )
    rehearsal: bool = Field(
        False, description="Whether this machine may be called too, also without TLS: for rehearsals alone."
    )
