"""What operators are told and how, as it is written in the file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from connector.alerting import Kind
from connector.config.fields import Name
from connector.config.secrets import Distinct, LiveSecretRef, SecretRef, resolve
from connector.config.section import Section
from connector.errors import Misconfigured
from connector.hosts import AllowedHost
from connector.private import Secret
from connector.verify.outgoing import webhook_key

_LOOPBACK: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^?#@\s]*)?")
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _url(value: Any, info: ValidationInfo) -> Secret:
    secret = resolve(value, info)
    url = secret.reveal()
    # Over http nothing leaves this machine; `only_a_rehearsal` says when.
    if AllowedHost.of_url(url) is None and not _LOOPBACK.fullmatch(url):
        raise ValueError(f"{secret.id}: expected https:// and a full host name, no IP address")
    return secret


def _address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise ValueError("expected an e-mail address such as privacy@example.com") from None


def _signs(secret: Secret) -> Secret:
    try:
        webhook_key(secret)
    except Misconfigured as error:
        raise ValueError(error.detail) from None
    return secret


UrlRef = Annotated[Secret, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": "^(env|file):.+$"})]
Address = Annotated[str, AfterValidator(_address)]
Kinds = Annotated[
    tuple[Annotated[Kind, Field(strict=False)], ...],
    Field(min_length=1, description="What is told here. One of the kinds of alerts each."),
]


class ChannelSettings(Section):
    """What every channel has."""

    name: Name = Field(description="Its name, in logs and metrics.")
    kinds: Kinds = tuple(Kind)


class WebhookChannelSettings(ChannelSettings):
    """A webhook, signed as Standard Webhooks describes it."""

    url: UrlRef = Field(
        description="A reference to the address: https, with a full host name that leads to a public address."
    )
    secrets: Annotated[tuple[Annotated[LiveSecretRef, AfterValidator(_signs)], ...], Distinct] = Field(
        min_length=1,
        description="References to secrets that sign, `whsec_` and base64 of 24 to 64 bytes. Each that counts signs.",
    )


class SlackChannelSettings(ChannelSettings):
    """A webhook in the form that Slack takes, and others with it."""

    url: UrlRef = Field(description="A reference to the address, which is the secret.")


class MailChannelSettings(ChannelSettings):
    """Mail."""

    host: str = Field(min_length=1, description="The mail server.")
    port: int = Field(587, ge=1, le=65_535, description="Its port.")
    encryption: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is protected. `none` only to this machine."
    )
    user: str = Field("", description="Whom the server knows us as; empty if it does not ask.")
    password: SecretRef | None = Field(None, description="A reference to the password of `user`.")
    sender: Address = Field(description="The address that mail comes from.")
    to: tuple[Address, ...] = Field(min_length=1, description="The addresses that it goes to.")

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        if self.encryption == "none" and self.host not in _HERE:
            raise ValueError("encryption = none is for a server on this machine alone")
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together")
        return self


class AlertsSettings(Section):
    """What operators are told by message. Without a channel, nothing is."""

    interval_minutes: float = Field(
        60.0,
        ge=1,
        le=10_080,
        description="The shortest time between two messages of one kind about one source or account.",
    )
    at_risk_days: float = Field(
        7.0, gt=0, le=365, description="An open request that is due within so many days is at risk."
    )
    silent_after_hours: float = Field(
        168.0,
        ge=0,
        le=8_760,
        description="After so many hours without a verified delivery a source is silent. 0: never.",
    )
    key_ends_within_days: float = Field(
        14.0, ge=0, le=365, description="So many days before a check's last secret ends, it is said."
    )
    webhooks: tuple[WebhookChannelSettings, ...] = Field((), description="Signed webhooks.")
    slack: tuple[SlackChannelSettings, ...] = Field((), description="Webhooks in the form that Slack takes.")
    mail: tuple[MailChannelSettings, ...] = Field((), description="Mail.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all channels."""
        return tuple(one.name for one in (*self.webhooks, *self.slack, *self.mail))

    @model_validator(mode="after")
    def _tells_channels_apart(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("two channels have the same name")
        return self


def only_a_rehearsal(settings: AlertsSettings, info: ValidationInfo) -> AlertsSettings:
    """Refuse to tell a receiver on this machine without TLS, unless this is a rehearsal."""
    outbound = info.data.get("outbound")
    called: tuple[WebhookChannelSettings | SlackChannelSettings, ...] = (*settings.webhooks, *settings.slack)
    for one in called:
        if one.url.reveal().startswith("http:") and outbound is not None and not outbound.rehearsal:
            raise ValueError(f"{one.name}: http is for rehearsals alone: use https, or set outbound.rehearsal")
    return settings
