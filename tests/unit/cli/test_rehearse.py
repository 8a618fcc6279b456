"""`send` and `sandbox`."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.cli import rehearse
from connector.cli.rehearse import receiver_url, sample
from connector.clock import SystemClock
from connector.sandbox import serve as sandbox_serve
from connector.sandbox.server import LoopbackServer
from connector.wiring import build_site, web_app
from tests.support.processes import free_port
from tests.unit.cli.conftest import Ended, Run
from tests.unit.web.receiver import Receiver, receiving

Send = Callable[..., Ended]

QUERY = '{check="query", name="the token", secrets=[SECRET]}'
HUBSPOT = '{check="scheme", scheme="hubspot-v2", secrets=[SECRET]}'


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(f"sqlite:///{tmp_path / 'receiver.db'}") as made:
        yield made


@pytest.fixture
def send(run: Run, receiver: Receiver) -> Iterator[Send]:
    """Send to a receiver that listens on a real socket, by the real clock."""
    site = build_site(receiver.config, "web", SystemClock())
    with LoopbackServer(web_app(receiver.config, site)) as server:
        yield lambda *arguments, settings=(): run(
            "send", *arguments, settings=(f"server.port={server.port}", *settings)
        )
    site.database.close()


class TestSend:
    def test_a_sample_is_signed_posted_and_accepted(self, send: Send, receiver: Receiver) -> None:
        done = send("--email", "ana@example.com")
        status, _, answer = done.out.partition(" ")
        assert (done.status, status) == (0, "202")
        assert json.loads(answer)["duplicate"] is False
        assert receiver.row_counts()["requests"] == 1

    def test_every_sample_is_a_request_of_its_own(self, send: Send, receiver: Receiver) -> None:
        assert [send().status, send().status] == [0, 0]
        assert receiver.row_counts()["requests"] == 2

    def test_a_file_is_sent_as_it_is(self, send: Send, receiver: Receiver, tmp_path: Path) -> None:
        path = tmp_path / "payload.json"
        path.write_bytes(sample("ana@example.com"))
        assert send(str(path), "--source", "onetrust").status == 0
        assert json.loads(send(str(path)).out.partition(" ")[2])["duplicate"] is True

    def test_a_refusal_is_shown_and_is_status_1(self, send: Send, tmp_path: Path) -> None:
        path = tmp_path / "payload.json"
        path.write_bytes(b"{}")
        done = send(str(path))
        assert done.status == 1
        assert done.out.startswith("422 ")
        assert json.loads(done.out.partition(" ")[2])["code"] == "request_id_missing"

    def test_the_connection_test_stores_nothing(self, send: Send, receiver: Receiver) -> None:
        done = send("--test")
        assert (done.status, done.out.startswith("200 ")) == (0, True)
        assert sum(receiver.row_counts().values()) == 0

    def test_a_wrong_secret_is_told(self, send: Send, tmp_path: Path) -> None:
        (tmp_path / "other.secret").write_text("another-secret-of-good-length-0123456789", encoding="utf-8")
        check = (
            '[{check="signature", prefix="sha256=", timestamp_header="X-OneTrust-Timestamp", '
            f'secrets=["file:{tmp_path}/other.secret"]}}]'
        )
        done = send("--test", settings=(f"sources.onetrust.verify={check}",))
        assert done.status == 1
        assert "credential_wrong" in done.out

    @pytest.mark.parametrize(
        "check",
        [
            QUERY,
            '{check="scheme", scheme="twilio", secrets=[SECRET]}',
            '{check="scheme", scheme="hubspot-v3", secrets=[SECRET]}',
            f'{{check="any_of", checks=[{QUERY}, {{check="bearer", secrets=[SECRET]}}]}}',
            f'{{check="all_of", checks=[{QUERY}, {HUBSPOT}, {{check="address", allowed=["127.0.0.0/8"]}}]}}',
        ],
    )
    def test_what_stands_in_the_address_is_sent_there(self, run: Run, tmp_path: Path, check: str) -> None:
        settings = (
            f"sources.onetrust.verify=[{check}]".replace("SECRET", '"file:sandbox/webhook.secret"'),
            'sources.onetrust.url="https://connector.example.com/webhooks/onetrust"',
        )
        with receiving(f"sqlite:///{tmp_path / 'receiver.db'}", *settings) as receiver:
            site = build_site(receiver.config, "web", SystemClock())
            with LoopbackServer(web_app(receiver.config, site)) as server:
                for arguments, status in ((("--test",), "200"), ((), "202")):
                    done = run("send", *arguments, settings=(f"server.port={server.port}", *settings))
                    assert done.out.partition(" ")[0] == status
            site.database.close()

    def test_what_only_the_sender_can_sign_is_said_so(self, run: Run) -> None:
        check = '{check="jws", place="bearer", body="unsigned", algorithms=["RS256"], audiences=["connector"], '
        check += 'keys_from="jwks", keys_url="https://keys.example.com/jwks.json"}'
        done = run("send", settings=(f"sources.onetrust.verify=[{check}]",))
        assert (done.status, done.out) == (2, "")
        assert "`connector send` cannot sign for check = 'jws'" in done.err

    def test_a_receiver_that_does_not_run_is_said_so(self, run: Run) -> None:
        done = run("send", settings=(f"server.port={free_port()}",))
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("remote_unreachable: ")

    def test_an_unknown_source_is_told_the_known_ones(self, run: Run) -> None:
        done = run("send", "--source", "nobody")
        assert done.status == 2
        assert "--source must be one of: onetrust" in done.err

    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://127.0.0.1:8080"),
            ("0.0.0.0", "http://127.0.0.1:8080"),
            ("::", "http://[::1]:8080"),
            ("::1", "http://[::1]:8080"),
            ("localhost", "http://localhost:8080"),
        ],
    )
    def test_a_receiver_that_listens_everywhere_is_reached_on_loopback(self, host: str, url: str) -> None:
        assert receiver_url(host, 8080) == url


def test_the_sandbox_serves_what_it_is_told_until_a_signal_and_says_where(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: dict[int, Callable[..., object]] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    served: dict[str, Any] = {}

    class Fake:
        def __init__(self, url: str) -> None:
            self.url = url

    def serve(*ports: object, stop: Any, ready: Any, **options: Any) -> None:
        served.update(options, ports=ports)
        ready(Fake("http://127.0.0.1:1"), Fake("http://127.0.0.1:2"))
        handlers[signal.SIGTERM](signal.SIGTERM, None)
        assert stop.is_set()

    monkeypatch.setattr(sandbox_serve, "serve", serve)
    done = run("sandbox", "--lytics-port", "1", "--onetrust-port", "2", "--people", "3", "--finish-after", "0.5")
    assert (done.status, done.out) == (0, "lytics http://127.0.0.1:1\nonetrust http://127.0.0.1:2\n")
    assert (served["ports"], served["people"], served["finish_after_s"]) == ((1, 2, ""), 3, 0.5)


def test_the_sandbox_serves_a_time_authority_if_it_is_told_where_its_root_goes(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sandbox_serve, "serve", lambda *_, **__: None)
    monkeypatch.setattr(rehearse, "TIME_AUTHORITY_PORT", 0)
    done = run("sandbox", "--time-authority", str(tmp_path / "root.pem"))
    assert done.status == 0
    assert re.fullmatch(r"time authority http://127\.0\.0\.1:[0-9]+/tsr\n", done.out)
    assert (tmp_path / "root.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
