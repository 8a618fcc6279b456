"""A journey with marked people and marked secrets, and everything that it lets out, kept to be searched.

What the product may say to a vendor, in the body of a call or in its header `Authorization`, is noted apart: it shows
that a marked value was in play at all. Everything else that anybody can see is searched.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import make_url
from werkzeug import Response
from werkzeug.wrappers import Request

from connector.cli.main import main
from connector.errors import ConnectorError
from connector.proof.keys import new_pem
from connector.sandbox.fake import Fake
from connector.sandbox.onetrust_credentials import Hmac
from connector.sandbox.onetrust_outbound import Workflow
from tests.acceptance.journey import LABELS, ROOT, Journey, journey, logging_as_it_was
from tests.support.canary import PEOPLE, Search, value_of
from tests.support.stores import all_bytes

SEARCH = Search()
PERSON = Search(PEOPLE)
# The files that the settings below refer to.
_FILES = {
    "webhook": "webhook secret",
    "lytics": "lytics token",
    "client": "onetrust client secret",
    "sealing": "sealing key",
    "pseudonym": "pseudonym key",
    "share": "share key",
    "api": "api token",
    "token-signing": "token signing secret",
    "next-sealing": "sealing key after the rotation",
}
NAMES = {"first_name": value_of("first name"), "last_name": value_of("last name")}
IDENTIFIERS = {
    "Loyalty ID": value_of("loyalty id"),
    "Phone Number": value_of("telephone"),
    "user_id": value_of("user id"),
    "Street": value_of("street"),
    "Town": value_of("town"),
    "Postcode": value_of("postcode"),
    "Comment": value_of("comment"),
}
IGNORED = ["First name", "Last name", "Street", "Town", "Postcode", "Comment"]


@dataclass
class Watched:
    """A running site, and what was seen of it from outside.

    Attributes:
        seen: what everybody may see: where, and what.
        said: what went over the wire to or from a system that has to know.
        settings: with which a command of another process sees the same site.
    """

    life: Journey
    folder: Path
    capfd: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    settings: Sequence[str] = ()
    seen: list[tuple[str, bytes]] = field(default_factory=list, repr=False)
    said: list[bytes] = field(default_factory=list, repr=False)

    def saw(self, place: str, content: bytes | str) -> None:
        self.seen.append((place, content.encode(errors="surrogatepass") if isinstance(content, str) else content))

    def ask(self, email: str = "", **given: Any) -> Any:
        """Let the marked person ask for erasure, by everything that is known of them."""
        given = {"identifiers": IDENTIFIERS, **NAMES, **given}
        asked = self.life.ask(email or value_of("email"), **given)
        self.life.onetrust.subtask(asked.subtask_id).add_comment(value_of("comment"), at=0.0, by=value_of("last name"))
        return asked

    def knows(self, email: str = "", **fields: str) -> None:
        """Let Lytics have the marked person's profile."""
        known = {"loyalty_id": value_of("loyalty id"), "phone": value_of("telephone"), "user_id": value_of("user id")}
        self.life.knows((email or value_of("email")).lower(), **(fields or {**known, **NAMES}))

    def told(self, asked: Any, seconds: float = 60.0) -> None:
        self.life.run_until_told(asked, seconds=seconds)

    def deletes(self) -> Any:
        """Bring one deletion of the marked person to its end."""
        self.knows()
        asked = self.ask()
        self.life.accept(asked)
        self.told(asked)
        assert self.life.status(asked) == "COMPLETED"
        return asked

    def run(self, *arguments: str, status: int | None = 0, more: Sequence[str] = ()) -> str:
        """Give a command, keep what it says, and return its standard output."""
        self.take_streams()
        with pytest.MonkeyPatch.context() as patch, logging_as_it_was():
            patch.setenv("CONNECTOR_CONFIG", str(ROOT / "config/connector.toml"))
            patch.setenv("CONNECTOR_SET", json.dumps([*self.settings, *more]))
            patch.setenv("COLUMNS", "400")
            patch.setattr(sys, "argv", ["connector", *arguments])
            # What it writes down has the time of the site.
            for module in ("connector.cli.context", "connector.wiring"):
                patch.setattr(f"{module}.SystemClock", lambda: self.life.clock)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = self.capfd.readouterr()
        name = " ".join(one for one in arguments if not one.startswith("/"))
        self.saw(f"standard output of `connector {name}`", out)
        self.saw(f"standard error of `connector {name}`", err)
        assert status is None or (ended.value.code or 0) == status, f"{name}: {ended.value.code}, {err}"
        return out

    @property
    def url(self) -> str:
        """The receiver's address."""
        workflow = self.life.onetrust.outbound.workflow
        assert workflow is not None
        return workflow.url.partition("/webhooks/onetrust")[0]

    def post(self, body: bytes, **headers: str) -> int:
        """Send a signed body to the receiver; headers are laid over those of the signature. Return the status."""
        signed = Hmac(value_of("webhook secret"), prefix="sha256=")
        with requests.Session() as session:
            given = signed.headers(body, self.life.onetrust.now(), session, spoil=False)
            given |= {"Content-Type": "application/json", **headers}
            return session.post(f"{self.url}/webhooks/onetrust", body, headers=given, timeout=20).status_code

    def take_streams(self) -> None:
        """Keep what was written to the standard streams by now."""
        out, err = self.capfd.readouterr()
        self.saw("standard output of the processes", out)
        self.saw("the log", err)

    def _everything(self) -> Iterable[tuple[str, bytes]]:
        self.take_streams()
        yield from self.seen
        for fake in (self.life.lytics, self.life.onetrust):
            for method, url in fake.access_log:
                yield f"access log of {type(fake).__name__}, {method}", url.encode()
        yield "the store", all_bytes(self.life.site.database)

    def findings(self) -> list[str]:
        """Return where which marked value is seen that nobody may see."""
        return sorted({f"{place}: {one}" for place, content in self._everything() for one in SEARCH.find(content)})

    def require_nothing_seen(self) -> None:
        """Fail if a marked value is seen anywhere, or if none was in play."""
        assert any(PERSON.find(one) for one in self.said), "no marked person was in play"
        found = self.findings()
        assert not found, "\n".join(found)


@dataclass(frozen=True)
class Api:
    """A program that may do everything at the API."""

    watch: Watched

    def _url(self, path: str) -> str:
        return f"{self.watch.url}/api/v1/{path}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {value_of('api token')}"}

    def get(self, path: str) -> requests.Response:
        return requests.get(self._url(path), headers=self._headers, timeout=20)

    def post(self, path: str, body: object) -> requests.Response:
        return requests.post(self._url(path), json=body, headers=self._headers, timeout=20)


def secret_files(folder: Path) -> None:
    for file, name in _FILES.items():
        (folder / file).write_text(value_of(name), encoding="utf-8")
    (folder / "signing.pem").write_text(new_pem(bytes(range(32))), encoding="utf-8")


def settings_for(folder: Path) -> list[str]:
    """Return the settings with which every secret of the site is a marked one."""
    check = (
        'check="signature", header="X-OneTrust-Signature", prefix="sha256=", timestamp_header="X-OneTrust-Timestamp", '
        f'secrets=["file:{folder}/webhook"]'
    )
    return [
        f'store.pseudonym_key="file:{folder}/pseudonym"',
        f'store.sealing_keys=["file:{folder}/sealing"]',
        f'proof.signing_keys=["file:{folder}/signing.pem"]',
        f'accounts.main.token="file:{folder}/lytics"',
        f'sources.onetrust.report.client_secret="file:{folder}/client"',
        f"sources.onetrust.verify=[{{{check}}}]",
        f"sources.onetrust.ignore_kinds={json.dumps(IGNORED)}",
        f'suppression.share_key="file:{folder}/share"',
        f'api.clients.program={{secrets=["file:{folder}/api"], scopes=["preview", "approve", "suppression"]}}',
        f'dashboard.users_file="{folder}/users.json"',
        "accounts.main.batch_wait_s=0",
    ]


def _with_password(folder: Path, store_url: str) -> list[str]:
    """Return the setting that gives the store's URL a marked password, where the server asks for none."""
    url = make_url(store_url)
    if not store_url.startswith("postgresql") or url.password is not None:
        return []
    marked = url.set(password=value_of("store password"))
    (folder / "store-url").write_text(marked.render_as_string(hide_password=False), encoding="utf-8")
    return [f'store.url="file:{folder}/store-url"']


@contextmanager
def watched(
    store_url: str, folder: Path, capfd: pytest.CaptureFixture[str], *settings: str, quotes: bool = True, **given: Any
) -> Iterator[Watched]:
    """Start a site whose every secret is marked.

    Args:
        settings: beside those of `settings_for`.
        quotes: whether both vendors repeat the marked person in whatever error they answer.
    """
    secret_files(folder)
    chosen = [*settings_for(folder), *settings, *_with_password(folder, store_url)]
    kept: list[tuple[str, bytes]] = []
    said: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        _note_errors(patch, kept)
        with journey(store_url, *chosen, around=lambda app: _noting(app, kept, said), **given) as life:
            life.lytics.token = value_of("lytics token")
            life.onetrust.access.credential = (life.onetrust.access.credential[0], value_of("onetrust client secret"))
            workflow = life.onetrust.outbound.workflow
            assert workflow is not None
            signed = Hmac(value_of("webhook secret"), prefix="sha256=")
            life.onetrust.outbound.workflow = Workflow(workflow.url, credentials=(signed,), labels=LABELS)
            for fake in (life.lytics, life.onetrust):
                _overhear(patch, fake, kept, said, quotes=quotes)
            with_urls = [
                f"store.url={json.dumps(store_url)}",
                f'accounts.main.base_url="{life.lytics.url}"',
                f'sources.onetrust.report.base_url="{life.onetrust.url}"',
                *chosen,
            ]
            yield Watched(life, folder, capfd, patch, with_urls, kept, said)


def _note_errors(patch: pytest.MonkeyPatch, kept: list[tuple[str, bytes]]) -> None:
    """Keep the text of every error of the product that is made, wherever it ends."""
    make = ConnectorError.__init__

    def noted(self: ConnectorError, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        kept.append((f"an error, {self.code}", f"{self} {self!r} {self.detail}".encode(errors="surrogatepass")))

    patch.setattr(ConnectorError, "__init__", noted)


def _noting(app: Any, kept: list[tuple[str, bytes]], said: list[bytes]) -> Callable[..., Any]:
    """Keep what the receiver answers, and note what it was told."""

    def around(environ: Any, start_response: Any) -> Any:
        said.append(Request(environ).get_data())
        environ["wsgi.input"] = io.BytesIO(said[-1])
        answer = Response.from_app(app, environ)
        kept.append((f"an answer {answer.status_code} of the receiver", answer.get_data()))
        kept.append((f"the headers of an answer {answer.status_code} of the receiver", str(answer.headers).encode()))
        return answer(environ, start_response)

    return around


def _overhear(
    patch: pytest.MonkeyPatch, fake: Fake, kept: list[tuple[str, bytes]], said: list[bytes], *, quotes: bool
) -> None:
    """Note what a vendor is told; keep the headers of it; let its errors repeat who they are about."""
    observed, shaped = fake._observed, fake.error
    quoted = " ".join(one.value for one in PEOPLE)

    def overheard(request: Request, operation: str, *rest: Any) -> Any:
        said.append(request.get_data(cache=True))
        headers = {name: text for name, text in request.headers.items() if name != "Authorization"}
        kept.append((f"the headers of a call of {type(fake).__name__}, {operation}", repr(headers).encode()))
        response = observed(request, operation, *rest)
        if quotes and response.status_code >= 400:
            response.headers["X-About"] = value_of("email")
            if response.mimetype != "application/json":
                response.set_data(response.get_data() + quoted.encode())
        return response

    patch.setattr(fake, "_observed", overheard)
    if quotes:
        patch.setattr(
            fake, "error", lambda status, message, operation: shaped(status, f"{message}: {quoted}", operation)
        )
