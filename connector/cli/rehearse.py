"""Rehearse: `sandbox` serves the fakes, `send` signs a sample or a file and posts it to a running receiver."""

from __future__ import annotations

import json
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from connector.cli.context import Context, pass_context
from connector.cli.sign import headers_for, query_for
from connector.inbound import Inbound
from connector.sandbox.defaults import TIME_AUTHORITY_PORT
from connector.wiring import loopback_client


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", "source_name", help="The source to send to; not needed if there is only one.")
@click.option("--email", default="sample@example.com", show_default=True, help="The identity in the sample.")
@click.option("--subtask", default="", help="The subtask in the sample, so that the fake OneTrust knows it.")
@click.option("--test", "test_only", is_flag=True, help="Only the connection test: an authenticated GET.")
@pass_context
def send(
    context: Context, file: Path | None, source_name: str | None, email: str, subtask: str, test_only: bool
) -> None:
    """Sign FILE, or a made-up sample, as the source would, and post it to the running receiver."""
    config = context.config
    source = context.pick_source(source_name)
    generic = config.sources[source].generic
    if generic is not None and file is None and not test_only:
        raise click.UsageError("only the file says what a described platform sends; give a FILE, such as a fixture")
    body = b"" if test_only else file.read_bytes() if file else sample(email, subtask)
    method = "GET" if test_only else "POST"
    settings, now = config.sources[source], context.clock.now()
    query = query_for(settings.verify, body, now)
    called = f"{settings.url}?{query}" if settings.url and query else settings.url
    headers = headers_for(settings.verify, Inbound(method, called, (), body), now)
    if generic is not None:
        headers["Content-Type"] = generic.content_type
    client = loopback_client(receiver_url(config.server.host, config.server.port))
    path = f"/webhooks/{source}?{query}" if query else f"/webhooks/{source}"
    answer = client.request(method, path, headers=headers, content=body)
    click.echo(f"{answer.status} {answer.body.decode(errors='replace').strip()}")
    sys.exit(0 if answer.status < 300 else 1)  # noqa: PLR2004 - 2xx


def receiver_url(host: str, port: int) -> str:
    """Return where the receiver on this machine is reached; one that listens everywhere listens on loopback too."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def sample(email: str, subtask: str = "", new_uuid: Callable[[], uuid.UUID] = uuid.uuid4) -> bytes:
    """Return a made-up delivery in the published body contract, with fresh ids."""
    return json.dumps(
        {
            "schema": "consent-connector/v1",
            "event": "dsar.subtask.created",
            "eventId": str(new_uuid()),
            "subTaskId": subtask or str(new_uuid()),
            "requestTypes": ["Data Deletion"],
            "countryCode": "DE",
            "identifiers": {"email": email},
        }
    ).encode()


@click.command()
@click.option("--lytics-port", default=8091, show_default=True)
@click.option("--onetrust-port", default=8092, show_default=True)
@click.option("--receiver", default="", help="Where the fake OneTrust sends its callbacks.")
@click.option("--people", default=20, show_default=True, help="How many people and requests to make up.")
@click.option("--finish-after", "finish_after_s", default=5.0, show_default=True, help="Seconds a deletion takes.")
@click.option(
    "--time-authority",
    "root_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Serve a fake time-stamping authority too, at port 8093, and write its root certificate there.",
)
def sandbox(
    lytics_port: int, onetrust_port: int, receiver: str, people: int, finish_after_s: float, root_file: Path | None
) -> None:
    """Serve a fake Lytics and a fake OneTrust on loopback, to rehearse with."""
    from connector.sandbox.serve import serve

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _time_authority(root_file) if root_file is not None else nullcontext():
        serve(
            lytics_port,
            onetrust_port,
            receiver,
            people=people,
            finish_after_s=finish_after_s,
            stop=stop,
            ready=lambda lytics, onetrust: click.echo(f"lytics {lytics.url}\nonetrust {onetrust.url}"),
        )


@contextmanager
def _time_authority(root_file: Path) -> Iterator[None]:
    from connector.sandbox.time_authority import FakeTimeAuthority

    with FakeTimeAuthority(TIME_AUTHORITY_PORT) as away:
        root_file.write_text(away.root.pem)
        click.echo(f"time authority {away.stamp_url}")
        yield


COMMANDS = (send, sandbox)
