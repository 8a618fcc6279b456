"""A small internet for tests: names, addresses and TLS servers, all of it on the loopback interface.

The resolver answers what a test tells it, and connections to its addresses end at a real server with a certificate of
an authority of its own, so that names, certificates and bytes on the wire are those of a real exchange.
"""

from __future__ import annotations

import _socket
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Of example.com itself: documentation addresses are not public, and a guarded client refuses them.
PUBLIC, ELSEWHERE = "93.184.215.14", "23.192.228.80"
PUBLIC_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
HOST = "keys.example.com"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serve = Callable[[socket.socket, bytes], None]


class Authority:
    """Issues certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example Authority")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.bundle = folder / "authority.pem"
        certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str) -> ssl.SSLContext:
        """A server's context whose certificate is for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        made = self._builder(subject, key.public_key()).add_extension(alternative, critical=False)
        path = self._folder / f"{names[0]}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


class Server:
    """Answers each request of each connection with `serve`, which is given the connection and the request's head."""

    def __init__(self, context: ssl.SSLContext | None, serve: Serve) -> None:
        self.serve = serve
        self.names: list[str | None] = []
        self.heads: list[bytes] = []
        self._context = context
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            if self._context is not None:
                connection = stack.enter_context(self._context.wrap_socket(connection, server_side=True))
                self._open.append(connection)
            while head := self._head(connection):
                self.heads.append(head)
                self.serve(connection, head)

    @staticmethod
    def _head(connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65_536)
            if not piece:
                return b""
            received += piece
        return received


def says(answer: bytes, *, then_closes: bool = False) -> Serve:
    """Give every request the same answer."""

    def serve(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(answer)
        if then_closes:
            connection.shutdown(socket.SHUT_RDWR)

    return serve


class Internet:
    """Names and where they lead; every address leads to the one server, if there is any."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> None:
        self._authority = authority
        self._answers: dict[str, list[list[str]]] = {}
        self._server: Server | None = None
        self.asked: list[str] = []
        self.connected: list[str] = []
        self.unreachable: set[str] = set()
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", self._connect())
        monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(authority.bundle))

    def resolve(self, name: str, *answers: list[str]) -> None:
        """Let a name lead to the addresses of the first answer, the next time to those of the next; the last stays."""
        self._answers[name] = list(answers)

    @contextlib.contextmanager
    def server(self, serve: Serve, *names: str) -> Iterator[Server]:
        """Run a TLS server with a certificate for these names behind every address."""
        with self.listening(Server(self._authority.context(*(names or (HOST,))), serve)) as server:
            yield server

    @contextlib.contextmanager
    def listening(self, server: Server) -> Iterator[Server]:
        self._server = server
        try:
            yield server
        finally:
            server.stop()
            self._server = None

    def _getaddrinfo(self, host, port, family=0, type=0, *_rest, **_options):  # noqa: A002 - as in the library
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(host)
            return [_entry(str(address), port, type)]
        self.asked.append(host)
        answers = self._answers.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_entry(one, port, type) for one in found]

    def _connect(self):
        def connect(connection: socket.socket, address: tuple[str, int]) -> None:
            self.connected.append(address[0])
            if self._server is None or address[0] in self.unreachable:
                raise ConnectionRefusedError
            _socket.socket.connect(connection, ("127.0.0.1", self._server.port))

        return connect


def _entry(address: str, port: int, kind: int):
    # Resolvers and kernels read a zone id; the form of the address is theirs.
    if ":" in address:
        return (socket.AF_INET6, kind, socket.IPPROTO_TCP, "", (address, port, 0, 0))
    return (socket.AF_INET, kind, socket.IPPROTO_TCP, "", (address, port))
