"""A platform that is described in the file: where everything stands in its deliveries, and what it is answered."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from connector.config.described_report import DescribedReportSettings, checked
from connector.config.section import Section
from connector.dialect.description import DeadlineUnit, Description, IdentityPlace, PayloadKind
from connector.dialect.place import Place
from connector.dialect.reply import JSON_TYPE, Replies, Reply
from connector.errors import Misconfigured

_FORM: Final = "application/x-www-form-urlencoded"
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}")
_CONTENT_TYPE: Final = re.compile(rf"({_MEDIA_TYPE.pattern}(; ?charset=utf-8)?)?", re.IGNORECASE)
# Answers that may not have a body (RFC 9110 section 15.3.5, 15.3.6).
_BODILESS: Final = (204, 205)


def _place(text: str) -> str:
    try:
        Place(text)
    except Misconfigured as error:
        raise ValueError(error.detail) from None
    return text


def _place_or_none(text: str) -> str:
    return _place(text) if text else text


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("expected a media type in lower case without parameters, such as text/plain")
    return text


def _content_type(text: str) -> str:
    if not _CONTENT_TYPE.fullmatch(text):
        raise ValueError("expected a media type, such as application/json or text/plain; charset=utf-8")
    return text


def _table_or_text(value: object) -> object:
    # Said here, because the union below would say it once for each of its members.
    if not isinstance(value, dict | str | None):
        raise ValueError("expected a table or a text")  # noqa: TRY004 - what pydantic expects
    return value


PlaceText = Annotated[str, AfterValidator(_place)]
PlaceOrNone = Annotated[str, AfterValidator(_place_or_none)]


class IdentitySettings(Section):
    """Where identities of one kind stand."""

    kind: str = Field(min_length=1, max_length=100, description="The kind, as the mapping rules name it.")
    at: PlaceText = Field(
        description="Their place. A list gives several; null, false and an empty value give none.",
        examples=["customer.email"],
    )


class ReplySettings(Section):
    """What a delivery is answered once it is verified and, if it is a request, stored."""

    status: int = Field(202, ge=200, le=299, description="The HTTP status.")
    body: Annotated[dict[str, JsonValue] | str | None, BeforeValidator(_table_or_text)] = Field(
        None,
        description="A table that becomes JSON, or a text; left out, there is no body. Its texts may hold `{job_id}`, "
        "`{duplicate}`, `{request_id}` and the names in `keep`.",
    )
    content_type: Annotated[str, AfterValidator(_content_type)] = Field(
        "", description="Left empty: application/json for a table, text/plain for a text."
    )

    @model_validator(mode="after")
    def _has_a_body_or_none(self) -> Self:
        if self.body is not None and self.status in _BODILESS:
            raise ValueError("an answer with status 204 or 205 has no body; leave body out, or choose 200 or 202")
        if self.body is None and self.content_type:
            raise ValueError("content_type without a body; leave it out")
        return self


class GenericSettings(Section):
    """A platform that is described here instead of in code; see docs/generic.md."""

    payload: Literal["json", "form"] = Field("json", description="How the payload is written.")
    media_types: tuple[Annotated[str, AfterValidator(_media_type)], ...] = Field(
        (), description="Content types in which its deliveries come, beside the usual one of `payload`."
    )
    request_id: PlaceOrNone = Field(
        "",
        description="The place, or `header:NAME`, of what identifies the request. It decides what a duplicate is, and "
        "operators see it: it must not name a person. Left empty, the same payload is the same request.",
    )
    event_id: PlaceOrNone = Field(
        "",
        description="The place, or `header:NAME`, of what identifies this one delivery. A header that no signature "
        "covers tells deliveries apart and proves nothing.",
    )
    type: PlaceOrNone = Field(
        "",
        description="The place of what is asked for, to be compared with `deletion_types`; without one a delivery is "
        "refused.",
    )
    only_erasures: bool = Field(
        False,
        description="Instead of `type`: whether everything that comes here asks for erasure. Then each delivery "
        "deletes somebody.",
    )
    identities: tuple[IdentitySettings, ...] = Field((), description="Where the person's identities stand.")
    identities_by_label: PlaceOrNone = Field(
        "", description="The place of an object whose members are identities, each by its kind."
    )
    require_identity: bool = Field(
        True, description="Whether a delivery without any identity is refused; else it is stored and held for a person."
    )
    deadline: PlaceOrNone = Field("", description="The place of the platform's own due date.")
    deadline_unit: Literal["iso8601", "unix_seconds", "unix_milliseconds"] = Field(
        "iso8601", description="How the due date is written; ISO 8601 needs an offset."
    )
    country: PlaceOrNone = Field("", description="The place of the person's country, in two letters.")
    test: PlaceOrNone = Field(
        "",
        description="True for a test request, which is stored and rejected, unless `allow_test_requests` is set.",
    )
    ping: PlaceOrNone = Field(
        "",
        description="True for a connection test, which is answered and not stored; what is neither true nor false is "
        "refused.",
    )
    when: PlaceOrNone = Field(
        "", description="True for what is a privacy request at all. Other deliveries are answered and not stored."
    )
    callback_url: PlaceOrNone = Field(
        "", description="The place of the address at which the request asks to be told of its end."
    )
    keep: dict[str, PlaceText] = Field(
        {},
        description="Places of further ids, by names of your own: kept with the request, shown to operators, and named "
        "in replies and reports as `{NAME}`. Never a person's.",
        examples=[{"integration_id": "integrationId"}],
    )
    reply: ReplySettings | None = Field(
        None,
        description="What a request is answered; left out, 202 with `accepted`, `jobId` and `duplicate` as JSON.",
    )
    ping_reply: ReplySettings | None = Field(
        None, description="What a connection test, and a delivery left out by `when`, is answered; else as `reply`."
    )
    report: DescribedReportSettings | None = Field(
        None, description="How the platform is told of the end; left out, it is told nothing."
    )

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if bool(self.type) == self.only_erasures:
            raise ValueError(
                "say what is deleted: either where the request's type stands (type), or only_erasures = true"
            )
        self._require_use()
        description = checked(self.description)
        checked(self.replies)
        if self.report is not None:
            self.report.require_fit(description.names, has_callback=bool(self.callback_url))
        return self

    def _require_use(self) -> None:
        """Raise `ValueError` for what is set and would do nothing."""
        if self.callback_url and (self.report is None or self.report.to != "callback"):
            raise ValueError('callback_url would be kept for nothing; it belongs to a report with to = "callback"')
        if self.ping_reply is not None and not (self.ping or self.when):
            raise ValueError("ping_reply would never be sent; say what a ping is (ping), or what is a request (when)")
        if self.deadline_unit != "iso8601" and not self.deadline:
            raise ValueError("deadline_unit belongs to a deadline; say where that stands, or leave both out")

    @property
    def content_type(self) -> str:
        """The usual content type of a delivery."""
        return JSON_TYPE if self.payload == "json" else _FORM

    @property
    def content_types(self) -> frozenset[str]:
        """The content types in which deliveries come."""
        return frozenset({self.content_type, *self.media_types})

    def description(self) -> Description:
        """Return what reads the deliveries; `Misconfigured` if it could not work."""

        def at(text: str) -> Place | None:
            return Place(text) if text else None

        return Description(
            identities=tuple(IdentityPlace(one.kind, Place(one.at)) for one in self.identities),
            identities_by_label=at(self.identities_by_label),
            payload=PayloadKind(self.payload),
            request_id=at(self.request_id),
            event_id=at(self.event_id),
            request_type=at(self.type),
            deadline=at(self.deadline),
            deadline_unit=DeadlineUnit(self.deadline_unit),
            country=at(self.country),
            test=at(self.test),
            ping=at(self.ping),
            when=at(self.when),
            callback_url=at(self.callback_url),
            kept={name: Place(text) for name, text in self.keep.items()},
            require_identity=self.require_identity,
        )

    def replies(self) -> Replies:
        """Return what deliveries are answered; `Misconfigured` for a placeholder that stands for nothing."""
        names = self.description().names
        usual = Replies()
        request = _reply(self.reply, names) if self.reply is not None else usual.request
        other = request if self.reply is not None else usual.other
        return Replies(request, _reply(self.ping_reply, names) if self.ping_reply is not None else other)


def _reply(settings: ReplySettings, names: frozenset[str]) -> Reply:
    return Reply.read(settings.status, settings.body, names, settings.content_type)
