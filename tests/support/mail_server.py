"""A mail server on this machine, as far as a client needs one (RFC 5321, RFC 3207, RFC 4954)."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests.support.certificates import authority, certificate


@dataclass
class Post:
    """What the server does and what came in.

    Attributes:
        offers_tls: whether it offers STARTTLS.
        tls_at_once: whether it speaks TLS from the first byte.
        asks: the user and password that it asks for.
        says: command word → the answer in place of its own.
    """

    tls: ssl.SSLContext | None = None
    offers_tls: bool = True
    tls_at_once: bool = False
    asks: tuple[str, str] | None = None
    says: dict[str, str] = field(default_factory=dict)
    port: int = 0
    mails: list[tuple[str, list[str], str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


class _Session(socketserver.StreamRequestHandler):
    post: Post

    def setup(self) -> None:
        if self.post.tls_at_once and self.post.tls is not None:
            self.request = self.post.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self.secure = self.post.tls_at_once
        self.sender, self.to = "", list[str]()
        self.say("220 mail.example.com ESMTP")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word in self.post.says:
                self.say(self.post.says[word])
            elif not self.answer(word, line):
                return

    def finish(self) -> None:
        super().finish()
        # The one below it is closed by the server.
        self.connection.close()

    def answer(self, word: str, line: str) -> bool:
        match word:
            case "EHLO":
                tls = ["250-STARTTLS"] if self.post.offers_tls and not self.secure else []
                auth = ["250-AUTH PLAIN"] if self.post.asks else []
                self.say("\r\n".join(["250-mail.example.com", *tls, *auth, "250 OK"]))
            case "STARTTLS":
                assert self.post.tls is not None
                self.say("220 go on")
                self.connection = self.post.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                self.secure = True
            case "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.say("235 welcome" if (user, password) == self.post.asks else "535 who are you, operator?")
            case "MAIL":
                self.sender = line
                self.say("250 OK")
            case "RCPT":
                self.to.append(line)
                self.say("250 OK")
            case "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.post.mails.append((self.sender, self.to, "\n".join(lines)))
                self.post.encrypted.append(self.secure)
                self.say("250 taken")
            case _:
                self.say("221 bye" if word == "QUIT" else "250 OK")
                return word != "QUIT"
        return True

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


@contextmanager
def mail_server(**given: object) -> Iterator[Post]:
    """Serve as long as the context lasts."""
    post = Post(**given)  # type: ignore[arg-type]
    server = _Server(("127.0.0.1", 0), type("Session", (_Session,), {"post": post}))
    post.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield post
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def server_context(folder: Path, name: str = "localhost") -> ssl.SSLContext:
    """Return what a server of that name shows."""
    # A real clock looks at it.
    holder = certificate(name, valid=(datetime(1960, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))
    (folder / "cert.pem").write_bytes(holder.pem)
    (folder / "key.pem").write_bytes(
        holder.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def client_context() -> ssl.SSLContext:
    """Return what believes in the authority of these tests, and checks the name."""
    return ssl.create_default_context(cadata=authority().pem.decode())
