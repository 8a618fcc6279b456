"""The tables `[alerts]` and `[metrics]`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from connector.alerting import Kind
from connector.private import Secret
from tests.unit.config.trial import Trial, spoilt

SECRET = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
MAIL = {"name": "mail", "host": "smtp.example.com", "sender": "connector@example.com", "to": ["ops@example.com"]}


@pytest.fixture
def slack(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "slack").write_text("https://hooks.example.com/services/canary\n")
    return {"name": "chat", "url": f"file:{tmp_path}/slack"}


@pytest.fixture
def webhook(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "hook").write_text("https://pager.example.com/canary")
    (tmp_path / "secret").write_text(SECRET)
    return {"name": "pager", "url": f"file:{tmp_path}/hook", "secrets": [f"file:{tmp_path}/secret"]}


def alerts(**settings: Any) -> dict[str, Any]:
    return spoilt((("alerts",), settings))


def test_nobody_is_told_and_nothing_is_counted_unless_it_is_said(trial: Trial) -> None:
    config = trial.load()
    assert config.alerts.names == ()
    assert config.metrics.folder is None
    assert config.metrics.host == "127.0.0.1"


def test_channels_are_told_everything_unless_they_say_what(
    trial: Trial, slack: dict[str, Any], webhook: dict[str, Any]
) -> None:
    settings = trial.load(
        alerts(slack=[slack], webhooks=[webhook | {"kinds": ["held", "fuse_blown"]}], mail=[MAIL])
    ).alerts
    assert settings.names == ("pager", "chat", "mail")
    assert settings.slack[0].kinds == tuple(Kind)
    assert settings.webhooks[0].kinds == (Kind.HELD, Kind.FUSE_BLOWN)
    assert settings.slack[0].url.reveal() == "https://hooks.example.com/services/canary"
    assert isinstance(settings.webhooks[0].secrets[0], Secret)
    assert "canary" not in str(trial.load(alerts(slack=[slack])).describe())


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/canary",
        "https://10.0.0.1/canary",
        "https://localhost/canary",
        "ftp://hooks.example.com/canary",
        "canary",
        "http://localhost.example.com/canary",
        "http://127.0.0.1@example.com/canary",
    ],
)
def test_an_address_that_is_never_called_is_refused_without_being_shown(
    trial: Trial, slack: dict[str, Any], tmp_path: Path, url: str
) -> None:
    (tmp_path / "slack").write_text(url)
    (line,) = trial.lines(alerts(slack=[slack]))
    assert line.startswith("alerts.slack[0].url")
    assert "expected https:// and a full host name" in line
    assert "canary" not in line


def test_an_address_itself_does_not_belong_into_the_file(trial: Trial, slack: dict[str, Any]) -> None:
    (line,) = trial.lines(alerts(slack=[slack | {"url": "https://hooks.example.com/canary"}]))
    assert "expected a reference" in line
    assert "canary" not in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encryption": "none"}, "for a server on this machine alone"),
        ({"user": "u"}, "user and password belong together"),
        ({"password": "env:WEBHOOK_SECRET"}, "user and password belong together"),
        ({"sender": "nobody"}, "expected an e-mail address"),
        ({"to": ["ops@example.com", "a\r\nBcc: b@example.com"]}, "expected an e-mail address"),
        ({"to": []}, "at least one entry"),
        ({"kinds": ["late"]}, "expected 'deadline_late'"),
        ({"kinds": []}, "at least one entry"),
    ],
)
def test_mail_that_cannot_be_meant_is_refused(trial: Trial, change: dict[str, Any], said: str) -> None:
    (line,) = trial.lines(alerts(mail=[MAIL | change]))
    assert line.startswith("alerts.mail[0]")
    assert said in line


def test_a_server_on_this_machine_may_do_without_encryption(trial: Trial) -> None:
    assert trial.load(alerts(mail=[MAIL | {"host": "localhost", "encryption": "none"}])).alerts.names == ("mail",)


def test_channels_have_names_of_their_own(trial: Trial, slack: dict[str, Any]) -> None:
    (line,) = trial.lines(alerts(slack=[slack | {"name": "mail"}], mail=[MAIL]))
    assert "two channels have the same name" in line


def test_metrics_are_never_served_where_senders_call(trial: Trial, tmp_path: Path) -> None:
    of = {"directory": str(tmp_path), "port": 8080}
    (line,) = trial.lines(spoilt((("metrics",), of)))
    assert line.startswith("metrics")
    assert "senders reach" in line
    assert trial.load(spoilt((("metrics",), {"port": 8080}))).metrics.folder is None
    assert trial.load(spoilt((("metrics",), of | {"port": 9464}))).metrics.folder == tmp_path / "counted"


def test_a_receiver_on_this_machine_is_for_rehearsals_alone(
    trial: Trial, slack: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "slack").write_text("http://127.0.0.1:8099/canary")
    (line,) = trial.lines(alerts(slack=[slack]))
    assert "rehearsals alone" in line
    assert "canary" not in line
    rehearsed = spoilt((("alerts",), {"slack": [slack]}), (("outbound",), {"rehearsal": True}))
    assert trial.load(rehearsed).alerts.names == ("chat",)


@pytest.mark.parametrize("text", ["whsec_canary", "canary", f"whsec_{base64.b64encode(b'short').decode()}"])
def test_a_secret_that_cannot_sign_is_refused_at_once(
    trial: Trial, webhook: dict[str, Any], tmp_path: Path, text: str
) -> None:
    (tmp_path / "secret").write_text(text)
    (line,) = trial.lines(alerts(webhooks=[webhook]))
    assert line.startswith("alerts.webhooks[0].secrets[0]")
    assert text not in line
