"""A small WSGI server for the loopback interface: threads, HTTP/1.1 keep-alive, one write per answer, silent.

The ready-made development servers close the connection after each answer; a rehearsal makes thousands of calls, so
this one keeps it open. It binds 127.0.0.1 only and is no server for real traffic.
"""

from __future__ import annotations

import io
import socket
import socketserver
import threading
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST: Final = "127.0.0.1"
#: environ key by which the application asks for an answer that ends before its Content-Length.
CUT_BODY: Final = "sandbox.cut_body"
#: environ key by which the application asks for an answer that trickles: seconds between two bytes.
TRICKLE: Final = "sandbox.trickle"
_MAX_BODY_BYTES: Final = 80 * 1024 * 1024
_JOIN_S: Final = 5.0


class DropConnection(Exception):
    """Raised by the application to close the connection without an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        environ = self._environ(body)
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Any:
            head[:] = [status, headers]
            return lambda _data: None

        try:
            chunks = self.server.app(environ, start_response)
            content = b"".join(chunks)
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        except DropConnection:
            self.close_connection = True
            return
        status = int(head[0].split(" ", 1)[0])
        self._write(status, head[1], content, cut=bool(environ.get(CUT_BODY)), pause_s=environ.get(TRICKLE))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 (http.server names them)

    def _read_body(self) -> bytes | None:
        """Return the body, or None after refusing a call without a usable length."""
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdigit() or int(length) > _MAX_BODY_BYTES:
            self.close_connection = True
            self._write(411, [], b"", cut=False)
            return None
        return self.rfile.read(int(length))

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "iso-8859-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "SERVER_NAME": HOST,
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ

    def _write(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool, pause_s: float | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() != "content-length"]
        if status not in {204, 304}:
            lines.append(f"Content-Length: {len(content)}")
        if cut:
            content = content[: len(content) // 2]
            self.close_connection = True
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        whole = head if self.command == "HEAD" else head + content
        if pause_s is None:
            self.wfile.write(whole)
            return
        for place in range(len(whole)):
            self.wfile.write(whole[place : place + 1])
            self.wfile.flush()
            if self.server.stopping.wait(pause_s):
                break

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it)
        """Stay silent: a rehearsal's own output must stay readable, and paths could hold identities."""


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, app: WSGIApplication, stopping: threading.Event) -> None:
        self.app = app
        self.stopping = stopping
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self._run, args=(request, client_address), daemon=True, name="sandbox-call")
        with self._open_lock:
            self._open[request] = thread
        thread.start()

    def _run(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client went away in the middle of an answer."""

    def hang_up(self) -> None:
        """End every open connection, so that nobody is served after the stop."""
        with self._open_lock:
            still_open = dict(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in still_open.values():
            thread.join(_JOIN_S)


class LoopbackServer:
    """Serves one WSGI application on 127.0.0.1 in a daemon thread. Port 0 takes a free one, kept for a restart."""

    def __init__(self, app: WSGIApplication, port: int = 0) -> None:
        self.port = port
        self.stopping = threading.Event()
        self._app = app
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; known once the server was started."""
        if not self.port:
            raise RuntimeError("the server has no port yet; start it first")
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        """Bind and serve. `OSError` when the port is taken."""
        if self._listener is not None:
            raise RuntimeError("the server is already running")
        self.stopping.clear()
        listener = _Listener(self.port, self._app, self.stopping)
        self.port = int(listener.server_address[1])
        self._listener = listener
        self._thread = threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True, name="sandbox-server"
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection. Stopping twice does no harm."""
        listener, thread = self._listener, self._thread
        if listener is None or thread is None:
            return
        self._listener = self._thread = None
        self.stopping.set()
        listener.shutdown()
        thread.join(_JOIN_S)
        listener.server_close()
        listener.hang_up()

    def __enter__(self) -> Self:
        return self if self._listener is not None else self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
