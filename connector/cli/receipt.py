"""`receipt`: show, hand out and verify the signed statements of what was done. None of them names a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from connector.cli.context import Context, pass_context, print_json
from connector.cli.inspect import as_json
from connector.codes import Code
from connector.errors import Rejected
from connector.proof import certificate
from connector.proof import receipt as receipts
from connector.proof.keys import read_keys
from connector.proof.receipt import Proven
from connector.proof.verdict import Refuted
from connector.services.receipts import assemble
from connector.store import overview, schema
from connector.store import receipts as store_receipts
from connector.wiring import open_database, proofs_of

of_attempt = click.option("--attempt", type=click.IntRange(1), help="Of this attempt; of the last one unless given.")


@click.group()
def receipt() -> None:
    """Signed statements of what was done for a request: look, hand out, verify."""


@receipt.command()
@click.argument("name", metavar="ID")
@of_attempt
@as_json
@pass_context
def show(context: Context, name: str, attempt: int | None, *, machine: bool) -> None:
    """Show what the receipt of a request says.

    ID is our request id (or its beginning), or the subtask or reference id of the source.
    """
    data = _find(context, name, attempt)
    with _named():
        proven = receipts.verify(data, proofs_of(context.config).keys)
    if machine:
        print_json(dict(proven.statement))
        return
    for line in _lines(proven):
        click.echo(line)


@receipt.command()
@click.argument("name", metavar="ID")
@of_attempt
@click.option("--html", "as_html", is_flag=True, help="The certificate for people instead, to be read and printed.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; standard output unless given.")
@pass_context
def export(context: Context, name: str, attempt: int | None, output: Path | None, *, as_html: bool) -> None:
    """Write the receipt of a request: the file that `verify` takes.

    ID is our request id (or its beginning), or the subtask or reference id of the source.
    """
    data = _find(context, name, attempt)
    if as_html:
        with _named():
            data = certificate.as_html(receipts.verify(data, proofs_of(context.config).keys)).encode()
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)


@receipt.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--keys",
    "key_file",
    type=click.File("rb"),
    required=True,
    help="The public keys of whoever issued it: what /.well-known/jwks.json shows, or PEM.",
)
@as_json
def verify(file: IO[bytes], key_file: IO[bytes], *, machine: bool) -> None:
    """Verify a receipt, from the file and the keys alone.

    If it does not hold, the flaw is named, and the exit status is 1.
    """
    try:
        proven = receipts.verify(file.read(receipts.MOST_BYTES + 1), read_keys(key_file.read()))
    except Refuted as refuted:
        if machine:
            print_json({"holds": False, "flaw": refuted.flaw.value, "detail": refuted.detail})
        else:
            click.echo(f"does not hold: {refuted}")
        click.get_current_context().exit(1)
    if machine:
        print_json({"holds": True, "kid": proven.key.kid, "index": proven.index, "statement": dict(proven.statement)})
        return
    click.echo("holds: the statement was signed by the key, and the log of its issuer holds it")
    for line in _lines(proven):
        click.echo(line)


def _lines(proven: Proven) -> list[str]:
    stated = proven.statement
    counts = stated["counts"]
    ended = " ".join(str(stated.get(one) or "") for one in ("outcome", "reason")).strip()
    return [
        f"request   {stated['job']}, attempt {stated['attempt']}: {ended}",
        f"finished  {stated.get('finished_at')}, receipt issued {stated['issued_at']}",
        *(f"{name:<9} {_counted(counts[name])}" for name in ("identities", "targets")),
        f"issuer    {stated['issuer']}, key {proven.key.kid}",
        f"log       entry {proven.index}, under a checkpoint of {proven.checkpoint.size} entries",
    ]


def _counted(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()) if state != "total")
    return f"{counts['total']}" + (f": {parts}" if parts else "")


def _find(context: Context, name: str, attempt: int | None) -> bytes:
    with open_database(context.config) as database:
        schema.require_current(database)
        with database.read() as connection:
            found = overview.find(connection, name)
            if len(found) != 1:
                raise Rejected(Code.REQUEST_UNKNOWN, "several begin like this" if found else "")
            rows = store_receipts.of_request(connection, found[0].id)
            # The last addendum says everything that is known by now, if one was issued.
            chosen = [
                one
                for one in rows
                if attempt in {None, one.attempt} and (one.number == store_receipts.FIRST or one.jws)
            ]
            data = assemble(connection, chosen[-1]) if chosen else None
    if data is not None:
        return data
    waits = "it is issued as soon as a worker runs with proof.signing_keys" if chosen else "it has not ended"
    raise click.ClickException(f"there is no receipt yet; {waits}")


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except Refuted as refuted:
        raise click.ClickException(f"the kept receipt does not hold: {refuted}") from None


COMMANDS = (receipt,)
