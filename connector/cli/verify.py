"""`verify`: judge a saved call by a source's checks, and say what does not fit. Values never leave the command."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from connector.cli.context import Context, pass_context, print_json
from connector.cli.saved import Saved, read_body, read_headers, read_time
from connector.config.checks import AllOfCheck, Check, media_types, verifier_of
from connector.config.checks.base import CheckSection, NothingPublished
from connector.config.checks.signed import SchemeCheck
from connector.inbound import Inbound
from connector.model import Verified
from connector.observe.log import configure
from connector.ports import Documents
from connector.verify.explain import Asked, Finding, explain, notes, replay_kind
from connector.verify.explain.mistakes import Hint
from connector.wiring import guarded_client, published_documents

UNDECIDED = 2
_INDENT = "   "
_WIDEST = 120

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("headers_file", type=_file)
@click.argument("body_file", type=_file)
@click.option("--source", "source_name", help="The source whose checks apply; not needed if there is only one.")
@click.option("--method", help="The method of the call; else that of the request line, else POST.")
@click.option("--url", help="The address as the sender has it, with its query; else the source's url.")
@click.option("--at", "at", metavar="TIME", help="When the call came: ISO 8601 with an offset, or Unix time; else now.")
@click.option("--peer", default="", help="The address from which the connection came.")
@click.option("--fetch", is_flag=True, help="Fetch keys that the sender publishes; else nothing is contacted.")
@click.option("--json", "machine", is_flag=True, help="Print JSON for a machine.")
@pass_context
def verify(
    context: Context,
    headers_file: Path,
    body_file: Path,
    source_name: str | None,
    method: str | None,
    url: str | None,
    at: str | None,
    peer: str,
    fetch: bool,
    machine: bool,
) -> None:
    """Judge a saved call by a source's checks, and say what does not fit and who has to change it.

    HEADERS_FILE holds `Name: value` lines, with or without the request line, or JSON; BODY_FILE the raw body. Header
    values, body and secrets are never printed. Exit status 0 if the call passes, 1 if it is refused.
    """
    settings = context.config.sources[context.pick_source(source_name)]
    now = read_time(at) if at is not None else context.clock.now()
    saved = read_headers(headers_file)
    called = settings.url if url is None else url
    inbound = Inbound(
        method.upper() if method else saved.method or "POST",
        _with_query(called, saved) if url is None else called,
        saved.headers,
        read_body(body_file),
        peer,
    )
    documents = _fetching(context) if fetch else NothingPublished()
    asked = Asked("verify", verifier_of(settings.verify, documents), parts=_asked(settings.verify, documents))
    found = explain(asked, inbound, now, saved.target)
    said = notes(inbound, media_types(settings.verify) | {"application/json"})
    if machine:
        print_json(_as_dict(found) | {"judged_by": now, "notes": said})
    else:
        _print(found, said, now, fetched=fetch)
    sys.exit(0 if found.passed else UNDECIDED if found.is_undecided else 1)


def _with_query(url: str, saved: Saved) -> str:
    """Return the address as the receiver forms it: the configured one with the query that came."""
    query = saved.target.partition("?")[2]
    return f"{url}?{query}" if url and query else url


def _fetching(context: Context) -> Documents:
    log = configure("cli", context.config.log.level, context.config.log.format)
    return published_documents(guarded_client(context.config, context.clock), log)


def _asked(checks: Sequence[Check], documents: Documents) -> tuple[Asked, ...]:
    return tuple(_one(check, documents) for check in checks)


def _one(check: Check, documents: Documents) -> Asked:
    if isinstance(check, AllOfCheck):
        return Asked(check.check, check.verifier(documents), parts=_asked(check.checks, documents))
    if isinstance(check, CheckSection):
        return Asked(kind_of(check), check.verifier(documents))
    return Asked(check.check, condition=check.condition())


def kind_of(check: CheckSection) -> str:
    """Return how a check is called in print: its kind, and which layout it means."""
    kind: str = getattr(check, "check")  # noqa: B009 - every section has it, each with a type of its own
    return f"{kind} {check.scheme}" if isinstance(check, SchemeCheck) else kind


def _leaves(finding: Finding) -> Iterator[Finding]:
    for part in finding.parts:
        yield part
        yield from _leaves(part)


def _print(found: Finding, said: Sequence[str], now: datetime, *, fetched: bool) -> None:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    click.secho(f"{_verdict(found)}, judged by the time {now:%Y-%m-%d %H:%M:%S}Z", bold=True)
    for line in said:
        click.echo(click.wrap_text(f"note: {line}", width, subsequent_indent="      "))
    for one in _leaves(found):
        click.secho(f"\n{one.place}  {one.name}: {_verdict(one)}", bold=True)
        for line in _lines(one, fetched=fetched):
            indent = _INDENT + " " * (len(line) - len(line.lstrip(" →")))
            click.echo(click.wrap_text(line, width, _INDENT, indent))


def _verdict(one: Finding) -> str:
    if one.error is None:
        return "passes"
    return f"not decided ({one.error.code})" if one.is_undecided else f"refused ({one.error.code})"


def _lines(one: Finding, *, fetched: bool) -> Iterator[str]:
    if one.verified is not None and not one.parts:
        for name, value in _established(one.verified).items():
            if value is not None:
                yield f"{name.replace('_', ' ')}: {value}"
    if one.error is not None:
        yield str(one.error)
    if one.is_undecided and not fetched:
        yield "This check needs keys that the sender publishes; they are fetched only with --fetch."
    for content in one.contents:
        spelling = f" ({content.spelling})" if content.spelling else ""
        yield f"signed content: {content.length} bytes, SHA-256 {content.sha256}{spelling}"
    for hint in one.search.hints:
        yield from _hint_lines(hint)
    if one.search.tried and not one.search.has_match:
        yield f"Nothing of this fits: {one.search.tried}. Most likely the secret is another one on the two sides."


def _hint_lines(hint: Hint) -> Iterator[str]:
    tried = " and ".join(one.tried for one in hint.mistakes)
    secret = f" {hint.secret_id}" if hint.secret_id else ""
    yield f"It would fit{secret} with {tried}." if hint.matches else f"Look at {tried}."
    for one in hint.mistakes:
        yield f"  → {one.side}: {one.change}"


def _established(verified: Verified) -> dict[str, Any]:
    return {
        "secret": ", ".join(verified.secret_ids),
        "sender_time": verified.sender_time,
        "payload_bytes": len(verified.payload),
        "payload_sha256": hashlib.sha256(verified.payload).hexdigest(),
        "told_from_others_by": replay_kind(verified),
        "replay_until": verified.replay_until,
    }


def _as_dict(one: Finding) -> dict[str, Any]:
    error = one.error
    return {
        "place": one.place,
        "check": one.name,
        "verdict": "passes" if one.passed else "undecided" if one.is_undecided else "refused",
        "code": error.code if error else None,
        "detail": error.detail if error else None,
        "mend": error.entry.mend if error else None,
        "established": None if one.verified is None or one.parts else _established(one.verified),
        "contents": [
            {"bytes": content.length, "sha256": content.sha256, "spelling": content.spelling}
            for content in one.contents
        ],
        "hints": [
            {
                "would_fit": hint.matches,
                "secret": hint.secret_id or None,
                "mistakes": [{"tried": each.tried, "side": each.side, "change": each.change} for each in hint.mistakes],
            }
            for hint in one.search.hints
        ],
        "tried": one.search.tried,
        "checks": [_as_dict(part) for part in one.parts],
    }


COMMANDS = (verify,)
