"""Nobody learns who it was: marked people and secrets go through every feature, and are looked for in all that is seen.

What a feature lets out is searched at its end: log, standard streams, errors, answers and their headers, the addresses
and headers of calls to the vendors, and every byte of the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import update

from connector.codes import Code
from connector.errors import Temporary
from connector.sandbox.onetrust_credentials import Basic, Bearer, Credential, OAuth2, StaticHeader
from connector.store.tables import history
from tests.acceptance.canary import PERSON, SEARCH, Watched, watched
from tests.acceptance.canary_features import EMAIL, FEATURES, back_again, deleted_and_shredded, handed_over
from tests.acceptance.described import described
from tests.acceptance.test_generic import life_of_another
from tests.support.canary import value_of
from tests.support.postgres import plain
from tests.support.stores import all_bytes

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.__name__)
def test_a_feature_shows_nobody_who_it_was(feature: Callable[[Watched], None], tmp_path: Path, capfd: Capture) -> None:
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd, *FEATURES[feature]) as watch:
        feature(watch)
        watch.require_nothing_seen()


@pytest.mark.postgres
@pytest.mark.parametrize("feature", [deleted_and_shredded, handed_over, back_again], ids=lambda one: one.__name__)
def test_nor_does_it_on_postgresql(
    feature: Callable[[Watched], None], ready_postgres_url: str, tmp_path: Path, capfd: Capture
) -> None:
    with watched(ready_postgres_url, tmp_path, capfd, *FEATURES[feature]) as watch:
        feature(watch)
        watch.require_nothing_seen()
        if feature is deleted_and_shredded:
            assert PERSON.find(data_files(ready_postgres_url)) == []


@pytest.mark.postgres
def test_nor_is_the_password_of_the_store_seen(ready_postgres_url: str, tmp_path: Path, capfd: Capture) -> None:
    with watched(ready_postgres_url, tmp_path, capfd) as watch:
        url = watch.life.site.database.url
        assert url.password is not None
        away = tmp_path / "away"
        away.write_text(url.set(host="127.0.0.1", port=1).render_as_string(hide_password=False), encoding="utf-8")
        for command in ("doctor", "doctor --json", "status", "config show", "db upgrade", "hold list"):
            watch.run(*command.split(), status=None)
            watch.run(*command.split(), status=None, more=(f'store.url="file:{away}"',))
        assert watch.findings() == []


def data_files(url: str) -> bytes:
    """Return what the server has written of a database; nothing if it is on another machine."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        asked = "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        found = connection.execute(asked).fetchone()
    assert found is not None
    folder = Path(found[0], "base", str(found[1]))
    return b"".join(one.read_bytes() for one in folder.iterdir() if one.is_file()) if folder.is_dir() else b""


# -- ways to prove who calls ------------------------------------------------------------------------------------------


def checks(watch_folder: Path) -> Mapping[str, str]:
    secret = f'secrets=["file:{watch_folder}/webhook"]'
    return {
        "header": f'check="header", name="X-Connector-Secret", {secret}',
        "bearer": f'check="bearer", {secret}',
        "basic": f'check="basic", user="onetrust", passwords=["file:{watch_folder}/webhook"]',
        "issued-token": f'check="issued-token", client_id="onetrust-workflow", audience="onetrust", {secret}, '
        f'signing_keys=["file:{watch_folder}/token-signing"]',
    }


def credential(kind: str, url: str) -> Credential:
    secret = value_of("webhook secret")
    made: Mapping[str, Credential] = {
        "header": StaticHeader(secret, "X-Connector-Secret"),
        "bearer": Bearer(secret),
        "basic": Basic("onetrust", secret),
        "issued-token": OAuth2(f"{url}/oauth/token", "onetrust-workflow", secret),
    }
    return made[kind]


@pytest.mark.parametrize("kind", ["header", "bearer", "basic", "issued-token"])
def test_nor_is_the_secret_seen_of_whoever_calls(kind: str, tmp_path: Path, capfd: Capture) -> None:
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    check = f"sources.onetrust.verify=[{{{checks(tmp_path)[kind]}}}]"
    with watched(store_url, tmp_path, capfd, check) as watch:
        workflow = watch.life.onetrust.outbound.workflow
        assert workflow is not None
        workflow.credentials = (credential(kind, watch.url),)
        watch.deletes()
        spoiled = watch.ask(value_of("second email"))
        answers = {one.status for one in watch.life.fire(spoiled, knobs=("wrong_secret",))}
        answers |= {one.status for one in watch.life.fire(spoiled, knobs=("missing_header",))}
        assert answers == {401}
        if kind == "issued-token":
            form = {"grant_type": "client_credentials", "client_id": EMAIL, "client_secret": value_of("webhook secret")}
            assert requests.post(f"{watch.url}/oauth/token", form, timeout=20).status_code // 100 == 4
        watch.run("keys", "report")
        forget_the_tokens(watch)
        watch.require_nothing_seen()


def test_nor_is_a_secret_seen_that_stands_in_the_address_of_a_call(tmp_path: Path, capfd: Capture) -> None:
    settings = (
        f'sources.onetrust.verify=[{{check="query", name="token", secrets=["file:{tmp_path}/webhook"]}}]',
        'sources.onetrust.url="https://connector.example.com/webhooks/onetrust"',
    )
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd, *settings) as watch:
        workflow = watch.life.onetrust.outbound.workflow
        assert workflow is not None
        workflow.credentials = ()
        workflow.url += f"?token={value_of('webhook secret')}"
        watch.deletes()
        workflow.url = f"{watch.url}/webhooks/onetrust?token=x{value_of('webhook secret')}"
        assert {one.status for one in watch.life.fire(watch.ask(value_of("second email")))} == {401}
        watch.require_nothing_seen()


def forget_the_tokens(watch: Watched) -> None:
    """What is answered to a client that asks for a token is the token, and that is its own."""
    watch.seen[:] = [one for one in watch.seen if b'"access_token"' not in one[1]]


# -- platforms that the configuration describes ------------------------------------------------------------------------

DESCRIBED = {
    "shopify": ("shopify", "shopify/customers_redact"),
    "datagrail": ("datagrail", "datagrail/deletion"),
    "mineos": ("mineos", "mineos/delete"),
    "kertos": ("kertos", "kertos/delete"),
    "onetrust-consent": ("consent", "onetrust-consent/profile_updated"),
    "standard-webhooks": ("erasures", "standard-webhooks/erasure_requested"),
}


def marked(body: bytes) -> bytes:
    """Return a vendor's sample with the marked person in it."""
    text = re.sub(r"(?i)[a-z.]+@example\.(com|org)", EMAIL, body.decode())
    for member, name in (
        ("Password", "password of the person"),
        ("MagicLink", "magic link"),
        ("FirstName", "first name"),
    ):
        written = f'"{member}": {json.dumps(value_of(name), ensure_ascii=False)}'
        text = re.sub(rf'"{member}": "[^"]*"', written, text)
    return text.encode()


@pytest.mark.parametrize("example", DESCRIBED)
def test_nor_does_a_described_platform_show_anybody(example: str, tmp_path: Path, capfd: Capture) -> None:
    source, fixture = DESCRIBED[example]
    with described(example, f"sqlite:///{tmp_path / 'store.db'}") as life:
        life.lytics.seed("user", "email", EMAIL.lower())
        # Where it asks to be told, if it does: such an address may hold a name or a token.
        life.callback_url += f"?for={value_of('magic link')}"
        life.platform.statuses = [500, 429]
        body = marked(life.payload(fixture))
        assert SEARCH.find(body)
        # The credential belongs to another body or, where none covers the body, to nobody.
        of_another = {"consent": {"X-Connector-Secret": "guessed-0123456789"}}.get(source)
        of_another = of_another or life_of_another(life, source, body)
        forged = life.post(source, body + b" ", {"X-About": value_of("header"), **of_another})
        answers = [forged, life.post(source, body), life.post(source, body), life.post(source, body[: len(body) // 2])]
        assert [one.status_code // 100 for one in answers] == [4, 2, 2, 4]
        life.run(20)
        if example != "onetrust-consent":
            assert [state for state, _ in life.states] == ["completed"]
        seen = [f"{one.headers} {one.text}" for one in answers]
        seen += [path for _, path in life.lytics.access_log] + [path for _, path, _, _ in life.platform.calls]
        seen += [str(capfd.readouterr())]
        assert [found for one in seen for found in SEARCH.find(one)] == []
        assert SEARCH.find(all_bytes(life.site.database)) == []


# -- how a vendor is asked --------------------------------------------------------------------------------------------


def test_with_the_look_up_by_get_only_its_own_address_holds_a_value_and_no_other(
    tmp_path: Path, capfd: Capture
) -> None:
    """`look_up_call = "get"` is the one setting that puts a value into a URL, as the vendor's own call has it."""
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    with watched(store_url, tmp_path, capfd, 'accounts.main.look_up_call="get"') as watch:
        watch.deletes()
        findings = watch.findings()
        assert findings
        assert {one.partition(":")[0] for one in findings} == {"access log of FakeLytics, GET"}
        named = [url for _, url in watch.life.lytics.access_log if SEARCH.find(url)]
        assert all(re.fullmatch(r"/v2/identity/user/[a-z_]+/[^/?]+", one) for one in named)


# -- whether it could fail ---------------------------------------------------------------------------------------------


def into_the_log(watch: Watched) -> None:
    watch.life.site.log.info("delivery_accepted", reason=EMAIL.partition("@")[0])


def into_the_output(_watch: Watched) -> None:
    print(EMAIL.upper())  # noqa: T201 - somebody forgot it


def into_an_error(_watch: Watched) -> None:
    Temporary(Code.REMOTE_FAULT, f"no profile of {value_of('loyalty id')}")


def into_a_url(watch: Watched) -> None:
    url = f"{watch.life.lytics.url}/v2/identity/user/email/{EMAIL}"
    requests.get(url, headers={"Authorization": value_of("lytics token")}, timeout=20)


def into_a_header(watch: Watched) -> None:
    url = f"{watch.life.lytics.url}/v2/identity/user/email/x"
    headers = {"Authorization": value_of("lytics token"), "X-Person": value_of("user id")}
    requests.get(url, headers=headers, timeout=20)


def into_the_store(watch: Watched) -> None:
    with watch.life.site.database.write() as connection:
        connection.execute(update(history).values(reason=value_of("telephone")))


PLANTS: Mapping[Callable[[Watched], None], str] = {
    into_the_log: "the log: email as text",
    into_the_output: "standard output of the processes: email as text",
    into_an_error: "an error, remote_fault: loyalty id as text",
    into_a_url: "access log of FakeLytics, GET: email as text",
    into_a_header: "the headers of a call of FakeLytics, lookup_get: user id as text",
    into_the_store: "the store: telephone as text",
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda one: one.__name__)
def test_a_leak_is_found_wherever_it_is_and_named(
    plant: Callable[[Watched], None], tmp_path: Path, capfd: Capture
) -> None:
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd) as watch:
        watch.life.accept(watch.ask())
        watch.life.run_for(1)
        assert watch.findings() == []
        plant(watch)
        assert PLANTS[plant] in watch.findings()
        assert EMAIL not in str(watch.findings())


def test_a_run_in_which_nobody_was_in_play_is_no_proof(tmp_path: Path, capfd: Capture) -> None:
    with watched(f"sqlite:///{tmp_path / 'store.db'}", tmp_path, capfd) as watch:
        watch.life.run_for(1)
        with pytest.raises(AssertionError, match="no marked person was in play"):
            watch.require_nothing_seen()
