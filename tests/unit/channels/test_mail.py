"""Alerts by mail, to a real server on this machine."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest

from connector.alerting import Alert, Kind, Phase, Scope
from connector.channels.mail import Encryption, Mail, Server
from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, Refused, Temporary
from connector.private import Secret
from tests.support.mail_server import Post, client_context, mail_server, server_context
from tests.support.processes import free_port

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ALERT = Alert("019a", Kind.HELD, Phase.FIRING, Scope.SOURCE, "onetrust", 3, NOW, NOW)


def mail(
    port: int,
    encryption: Encryption = Encryption.NONE,
    user: str = "",
    password: str = "",
    context: Callable[[], ssl.SSLContext] = client_context,
) -> Mail:
    secret = Secret(password, "env:PASSWORD") if password else None
    server = Server("localhost", port, encryption, user, secret, context)
    return Mail("post", tuple(Kind), server, "connector@example.com", ("privacy@example.org", "ops@example.org"))


def test_a_mail_says_what_is_wrong_to_everybody_on_the_list() -> None:
    with mail_server() as post:
        mail(post.port).send(ALERT)
    ((sender, to, text),) = post.mails
    assert "<connector@example.com>" in sender
    assert [one.split("<")[1].split(">")[0] for one in to] == ["privacy@example.org", "ops@example.org"]
    said = message_from_string(text, policy=default)
    assert said["Subject"] == "[consent connector] held, source onetrust"
    assert said["Message-ID"] == "<019a@example.com>"
    assert said["Auto-Submitted"] == "auto-generated"
    assert ALERT.text in " ".join(said.get_content().split())


def test_the_same_message_again_is_the_same_mail() -> None:
    assert mail(1).message(ALERT).as_string() == mail(1).message(ALERT).as_string()


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
def test_the_connection_is_encrypted_before_the_password_is_said(tmp_path: Path, encryption: Encryption) -> None:
    asks = ("operator", "canary-password")
    context = server_context(tmp_path)
    with mail_server(tls=context, tls_at_once=encryption is Encryption.TLS, asks=asks) as post:
        mail(post.port, encryption, *asks).send(ALERT)
    assert post.encrypted == [True]


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_a_server_that_is_another_is_told_nothing(tmp_path: Path, encryption: Encryption, wrong: str) -> None:
    context = server_context(tmp_path, "elsewhere.example.com" if wrong == "name" else "localhost")
    trust = client_context if wrong == "name" else ssl.create_default_context
    with mail_server(tls=context, tls_at_once=encryption is Encryption.TLS) as post, pytest.raises(Misconfigured):
        mail(post.port, encryption, context=trust).send(ALERT)
    assert post.mails == []


def test_a_server_without_encryption_is_told_nothing() -> None:
    with mail_server(offers_tls=False) as post, pytest.raises(Misconfigured):
        mail(post.port, Encryption.STARTTLS).send(ALERT)
    assert post.mails == []


@pytest.mark.parametrize(
    ("says", "error", "code"),
    [
        ({"MAIL": "451 later, canary@example.com"}, Temporary, Code.REMOTE_FAULT),
        ({"MAIL": "550 no, canary@example.com"}, Refused, Code.REMOTE_REFUSED),
        ({"RCPT": "550 no such canary"}, Refused, Code.REMOTE_REFUSED),
        ({"RCPT": "450 canary is away"}, Temporary, Code.REMOTE_FAULT),
        ({"DATA": "554 canary"}, Refused, Code.REMOTE_REFUSED),
        ({"EHLO": "canary", "HELO": "canary"}, Temporary, Code.REMOTE_FAULT),
    ],
)
def test_what_the_server_says_is_told_by_its_number_alone(
    says: dict[str, str], error: type[ConnectorError], code: Code
) -> None:
    with mail_server(says=says) as post, pytest.raises(ConnectorError) as refused:
        mail(post.port).send(ALERT)
    if "EHLO" in says:
        assert isinstance(refused.value, Temporary | Refused)
    else:
        assert (type(refused.value), refused.value.code) == (error, code)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert isinstance(post, Post)


def test_a_wrong_password_is_for_an_operator_to_mend(tmp_path: Path) -> None:
    with (
        mail_server(tls=server_context(tmp_path), asks=("operator", "right")) as post,
        pytest.raises(Misconfigured) as refused,
    ):
        mail(post.port, Encryption.STARTTLS, "operator", "canary-wrong").send(ALERT)
    assert refused.value.code is Code.TOKEN_REFUSED
    assert "canary" not in str(refused.value)


def test_no_server_is_temporary() -> None:
    with pytest.raises(Temporary) as refused:
        mail(free_port()).send(ALERT)
    assert refused.value.code is Code.REMOTE_UNREACHABLE
    assert "example" not in str(refused.value)
