"""The workflows and credentials that are ready to import, run as a tenant would run them, against the real receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.inbound import Inbound
from connector.model import Call
from connector.sandbox.onetrust_credentials import Credential, OAuth2, StaticHeader
from connector.sandbox.onetrust_outbound import Workflow
from connector.sandbox.onetrust_template import render
from connector.sandbox.server import LoopbackServer
from connector.sources.onetrust.parse import OneTrustSource
from connector.store.tables import identities
from connector.wiring import web_app
from tests.acceptance.journey import Journey, journey, load_shipped
from tests.docs.onetrust_files import PLACEHOLDERS, SECRET_HEADER
from tests.support.sealing import opened_rows

FOLDER = Path(__file__).parents[2] / "docs/examples/onetrust"
SECRET = "a-secret-of-the-tenant-0123456789"
VALUES = {
    "CONNECTOR_HOST": "connector.example.com",
    "EVENT_CODE": "0000",
    "CONNECTOR_SECRET": SECRET,
    "CLIENT_ID": "onetrust-workflow",
    "CLIENT_SECRET": SECRET,
}


def read(name: str, host: str = "https://connector.example.com") -> Any:
    """Return a file with everything put in that the guide says is to be put in."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for placeholder in PLACEHOLDERS:
        text = text.replace("{{" + placeholder + "}}", VALUES[placeholder])
    assert "{{" not in text
    return json.loads(text.replace("https://connector.example.com", host))


def workflow(name: str, host: str, *credentials: Credential) -> Workflow:
    """Return an imported workflow as the fake runs it: the node that writes the body, and the one that sends it."""
    write, send = (one["processContext"] for one in read(name, host)["actions"])
    http = send["HttpConnector"]
    return Workflow(
        http["requestURI"],
        http["httpMethod"],
        dict(http["headers"]),
        credentials,
        write["DataTransformer"]["template"],
    )


def api_key(host: str) -> StaticHeader:
    context = read("credential-header.json", host)["authContext"]
    assert context["authParameterType"] == "SEND_IN_HEADERS"
    return StaticHeader(context["value"], context["key"])


def oauth2(host: str, *, in_header: bool) -> OAuth2:
    """Nobody has published whether the tenant shows its secret in Basic or in the form: both have to do."""
    context = read("credential-oauth2.json", host)["authContext"]
    assert context["grantType"] == "client_credentials"
    return OAuth2(
        context["tokenUrl"], context["clientId"], context["clientSecret"], context["scope"], in_header=in_header
    )


def checks(folder: Path, kind: str) -> str:
    """Return the source's check as the guide has it written."""
    for name, text in (("secret", SECRET), ("signing", "a-signing-key-of-more-than-32-bytes")):
        (folder / name).write_text(text, encoding="utf-8")
    if kind == "header":
        return f'{{check="header", name="{SECRET_HEADER}", secrets=["file:{folder}/secret"]}}'
    return (
        f'{{check="issued-token", client_id="onetrust-workflow", audience="onetrust", '
        f'secrets=["file:{folder}/secret"], signing_keys=["file:{folder}/signing"]}}'
    )


@contextmanager
def life(folder: Path, kind: str) -> Iterator[tuple[Journey, str]]:
    verify = f"sources.onetrust.verify=[{checks(folder, kind)}]"
    with journey(f"sqlite:///{folder / 'store.db'}", verify) as made:
        usual = made.onetrust.outbound.workflow
        assert usual is not None
        yield made, usual.url.removesuffix("/webhooks/onetrust")


def run_as(made: Journey, imported: Workflow) -> None:
    """Let a request go through the imported workflow to its end."""
    made.onetrust.outbound.workflow = imported
    made.knows("ana@example.com", loyalty_id="00481516")
    asked = made.ask("ana@example.com", identifiers={"Loyalty ID": "00481516"})
    made.accept(asked)
    # As the callback brought them; the read-back has not been made yet.
    with made.site.database.read() as connection:
        stored = {(row.kind, row.value.reveal()) for row in opened_rows(connection, identities)}
    assert stored == {("email", "ana@example.com"), ("Loyalty ID", "00481516")}
    made.run_until_told(asked)
    assert made.status(asked) == "COMPLETED"
    assert not made.lytics.profiles


def test_the_workflow_with_a_secret_in_its_header(tmp_path: Path) -> None:
    with life(tmp_path, "header") as (made, host):
        run_as(made, workflow("workflow-header.json", host))


def test_the_workflow_with_the_credential_in_place_of_its_header(tmp_path: Path) -> None:
    with life(tmp_path, "header") as (made, host):
        imported = workflow("workflow-header.json", host, api_key(host))
        del imported.headers[SECRET_HEADER]
        run_as(made, imported)


@pytest.mark.parametrize("in_header", [True, False], ids=["Basic", "form"])
def test_the_workflow_with_a_token_that_it_fetches_from_us(tmp_path: Path, in_header: bool) -> None:
    with life(tmp_path, "oauth2") as (made, host):
        run_as(made, workflow("workflow-oauth2.json", host, oauth2(host, in_header=in_header)))


def test_a_token_ends_and_the_tenant_fetches_another_one(tmp_path: Path) -> None:
    with life(tmp_path, "oauth2") as (made, host):
        made.onetrust.outbound.workflow = workflow("workflow-oauth2.json", host, oauth2(host, in_header=True))
        made.accept(made.ask("ana@example.com"))
        made.clock.advance(hours=2)
        made.accept(made.ask("bo@example.com"))


def test_without_the_credential_nothing_is_accepted(tmp_path: Path) -> None:
    with life(tmp_path, "oauth2") as (made, host):
        asked = made.ask("ana@example.com")
        wrong = OAuth2(f"{host}/oauth/token", "onetrust-workflow", "not-the-secret-of-it")
        made.onetrust.outbound.workflow = workflow("workflow-oauth2.json", host, wrong)
        (delivery,) = made.fire(asked)
        assert (delivery.status, delivery.error) == (None, "no token: HTTPError")
        made.onetrust.outbound.workflow = workflow("workflow-oauth2.json", host, StaticHeader(SECRET, SECRET_HEADER))
        assert [one.status for one in made.fire(asked)] == [401]
        made.run_for(3)
        assert not made.onetrust.history(asked.subtask_id)


@pytest.mark.parametrize("kind", ["header", "oauth2"])
def test_the_connection_test_of_the_credential_passes(tmp_path: Path, kind: str) -> None:
    with life(tmp_path, kind) as (_, host), requests.Session() as session:
        url = read(f"credential-{kind}.json", host)["authContext"]["testUrl"]
        credential = api_key(host) if kind == "header" else oauth2(host, in_header=True)
        headers = credential.headers(b"", datetime.now(UTC).timestamp(), session, spoil=False)
        assert session.get(url, headers=headers, timeout=20).json()["ok"] is True
        assert session.get(url, timeout=20).status_code == 401


def test_a_token_of_one_receiver_is_good_at_all_others(tmp_path: Path) -> None:
    """The key comes from the settings, not from a process."""
    with life(tmp_path, "oauth2") as (made, host):
        verify = f"sources.onetrust.verify=[{checks(tmp_path, 'oauth2')}]"
        with LoopbackServer(web_app(load_shipped((verify,)), made.site)) as second:
            fetched_there = oauth2(second.url, in_header=True)
            made.onetrust.outbound.workflow = workflow("workflow-oauth2.json", host, fetched_there)
            made.accept(made.ask("ana@example.com"))


def test_a_token_is_worth_nothing_once_its_client_is_taken_out(tmp_path: Path) -> None:
    with life(tmp_path, "oauth2") as (made, host):
        credential = oauth2(host, in_header=True)
        made.onetrust.outbound.workflow = workflow("workflow-oauth2.json", host, credential)
        made.accept(made.ask("ana@example.com"))
    (tmp_path / "store.db").unlink()
    renamed = checks(tmp_path, "oauth2").replace("onetrust-workflow", "another-client")
    with journey(f"sqlite:///{tmp_path / 'store.db'}", f"sources.onetrust.verify=[{renamed}]") as made:
        usual = made.onetrust.outbound.workflow
        assert usual is not None
        # The tenant still has its token, which has not ended.
        usual.credentials = (credential,)
        asked = made.ask("ana@example.com")
        assert [one.status for one in made.fire(asked)] == [401]


def rendered(**payload: Any) -> Call:
    data = {"event": {"eventId": "e1", "eventTime": "2026-11-02T09:14:33.120Z", "payload": payload}}
    write = read("workflow-header.json")["actions"][0]["processContext"]["DataTransformer"]
    body = render(write["template"], data).encode()
    return OneTrustSource().parse(body, Inbound("POST", "", (), body))


def test_what_is_sent_is_read_as_it_is_meant() -> None:
    call = rendered(
        requestQueueRefId="K7Q2M9XW4D",
        requestQueueId="0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21",
        subTaskId="a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
        requestTypes=["Data Deletion", "Access"],
        countryCode="DE",
        deadline="2026-12-01T11:00:00.000Z",
        testRequest=True,
        identifiers={"email": 'jo"\\meyer@example.com', "Loyalty ID": ""},
    )
    assert call.external == {
        "request_ref": "K7Q2M9XW4D",
        "request_id": "0d5c7f86-6b1f-4f0e-8f55-4a1d0f0f7c21",
        "subtask_id": "a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32",
    }
    assert (call.request_types, call.country, call.is_test) == (("Data Deletion", "Access"), "DE", True)
    assert call.due_at == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert [(one.kind, one.value.reveal()) for one in call.identities] == [("email", 'jo"\\meyer@example.com')]
    assert call.event_id is None


def test_values_that_a_tenant_does_not_have_are_missing_and_no_mistake() -> None:
    call = rendered(subTaskId="a6f2b0c4-9f4a-4b8e-9b39-1f9f6f0f1b32", identifiers={"email": "jo@example.com"})
    assert (call.request_types, call.country, call.due_at, call.is_test) == ((), None, None, False)
