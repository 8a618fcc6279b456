"""How a described platform is told what became of a request, as it is written in the file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import Field, JsonValue, model_validator

from connector.codes import Code
from connector.config.fields import HeaderName, HeaderPrefix, RemoteUrl, Seconds
from connector.config.outbound import AllowedHostName
from connector.config.secrets import TextOrRef
from connector.config.section import Section
from connector.dialect.text import PATH_NAMES, REPORT_NAMES, Body, Text
from connector.errors import Misconfigured
from connector.model import SourceStatus
from connector.verify.base import require_header_text

Built = TypeVar("Built")

# What the client writes itself, or what belongs to the connection (RFC 9110 section 7.6.1).
_NOT_YOURS: Final = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "expect", "accept-encoding"),
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "http2-settings"),
        *("proxy-authenticate", "proxy-authorization", "cookie", "cookie2"),
    }
)
_CREDENTIALS: Final = ("auth", "token", "secret", "key", "pass", "credential", "signature")
# Each of these has a meaning of its own: our credential, or another try later.
_NEVER_FINAL: Final = frozenset({401, 403, 408, 429})


def checked(build: Callable[[], Built]) -> Built:
    """Build something, with what is wrong with it as the `ValueError` that pydantic expects."""
    try:
        return build()
    except Misconfigured as error:
        raise ValueError(error.detail) from None


class SentHeaderSettings(Section):
    """A header of every report."""

    name: HeaderName = Field(description="The header's name.", examples=["Authorization"])
    value: TextOrRef = Field(description="Its value, or a reference to it; a credential is always a reference.")
    prefix: HeaderPrefix = Field("", description="What stands before the value, such as `Bearer `.")

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        name = self.name.lower()
        if name in _NOT_YOURS:
            raise ValueError("this header is written by the client itself; leave it out")
        is_reference = self.value.id.startswith(("env:", "file:"))
        if not is_reference and any(word in name for word in _CREDENTIALS):
            raise ValueError("a credential does not belong into the file; give a reference, env:NAME or file:PATH")
        checked(lambda: require_header_text(self.prefix + self.value.reveal(), "the value"))
        return self


class StatusSettings(Section):
    """What the platform calls each status; one that is left empty is not reported."""

    in_progress: str = Field("", description="Taken on, or held for a person.")
    completed: str = Field("", description="Everything is deleted, or was never there.")
    failed: str = Field("", description="At least a part could not be deleted.")
    rejected: str = Field("", description="Refused before anything was deleted, such as a test.")

    def words(self) -> dict[SourceStatus, str]:
        words = {status: getattr(self, status.lower()) for status in SourceStatus}
        return {status: word for status, word in words.items() if word}


class DescribedReportSettings(Section):
    """How the platform is told what became of a request."""

    to: Literal["configured", "callback"] = Field(
        description="Where to: the address below, or the one that each request brings along."
    )
    base_url: RemoteUrl | None = Field(
        None, description="The platform's address, for `configured`.", examples=["https://api.example.com"]
    )
    path: str = Field(
        "/",
        description="The path below it; each segment may hold `{job_id}`, `{request_id}` and the names in `keep`.",
        examples=["/v1/requests/{request_id}/status"],
    )
    hosts: tuple[AllowedHostName, ...] = Field(
        (),
        description="For `callback`: the hosts that a request may name. Only https, at port 443 unless one is named, "
        "and only where they lead to a public address; `*.` stands for all names below.",
        examples=[["*.example.com"]],
    )
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="The HTTP method.")
    headers: tuple[SentHeaderSettings, ...] = Field((), description="Headers of every report.")
    body: dict[str, JsonValue] = Field(
        min_length=1,
        description="The JSON body. Its texts may hold `{status}`, `{comment}`, `{time}`, `{job_id}`, `{request_id}` "
        "and the names in `keep`.",
    )
    statuses: StatusSettings = Field(description="What the platform calls each status.")
    final: tuple[Annotated[int, Field(ge=400, le=499)], ...] = Field(
        (409, 410), description="HTTP statuses by which it says that the request has been decided there."
    )
    requests_per_second: float = Field(5.0, gt=0, le=1000, description="Calls per second.")
    timeout_s: Seconds = Field(30.0, description="Seconds to wait for an answer of the configured address.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.to == "configured") != (self.base_url is not None):
            raise ValueError('base_url belongs to to = "configured", and is needed there')
        if (self.to == "callback") != bool(self.hosts):
            raise ValueError('hosts belongs to to = "callback", and is needed there: who may be called')
        if self.to == "callback" and self.path != "/":
            raise ValueError('path belongs to to = "configured"; a callback is called as the request names it')
        if self.to == "callback" and "timeout_s" in self.model_fields_set:
            raise ValueError('timeout_s belongs to to = "configured"; a callback has ten seconds')
        if not self.statuses.words():
            raise ValueError("statuses: name at least one, or leave the report out")
        if _NEVER_FINAL & set(self.final):
            raise ValueError("final: 401, 403, 408 and 429 say something about us, and nothing about the request")
        names = [one.name.lower() for one in self.headers]
        if len(set(names)) != len(names):
            raise ValueError("headers: one is given twice")
        return self

    def require_fit(self, names: Collection[str], *, has_callback: bool) -> None:
        """Raise `ValueError` unless everything that the report names is read from the deliveries."""
        if self.to == "callback" and not has_callback:
            raise ValueError("report: say where the callback's address stands in the payload (callback_url)")
        checked(lambda: self.template(names))
        checked(lambda: self.segments(names))

    def template(self, names: Collection[str]) -> Body:
        """Return the body; `Misconfigured` for a placeholder that stands for nothing."""
        return Body.read(self.body, {*names, *REPORT_NAMES})

    def segments(self, names: Collection[str]) -> tuple[Text, ...]:
        """Return the segments of the path; an empty one at its end for a slash there."""
        if not self.path.startswith("/") or any(mark in self.path for mark in "?#%") or "//" in self.path:
            raise Misconfigured(
                Code.CONFIG_INVALID, "report.path: expected a path that begins with /, unescaped, without a query"
            )
        segments = self.path[1:].split("/")
        if not {".", ".."}.isdisjoint(segments):
            raise Misconfigured(Code.CONFIG_INVALID, "report.path: . and .. lead to another path; write that one")
        return tuple(Text.read(one, {*names, *PATH_NAMES}) for one in segments)
