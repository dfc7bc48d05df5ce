"""The HTTPS side of the stand-in: the page's files, its event stream, and its questions."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from linda_cli.errors import LindaError
from linda_cli.sandbox.page_api import answer
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.state import SandboxState

_TYPES = {".js": "text/javascript", ".css": "text/css"}
_FILES = {
    f"/{path.name}": (_TYPES[path.suffix], path.read_bytes())
    for path in (Path(__file__).parent / "page").iterdir()
    if path.suffix in _TYPES
}
_OLDEST_CHROME = 100
_LARGEST_QUESTION = 1 << 20


class WebServer(ThreadingHTTPServer):
    """One thread a connection; all of them daemons, so that nothing outlives the process."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, state: SandboxState, context: ssl.SSLContext, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.state = state
        self._context = context
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        state.hang_up = self.hang_up

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake is left to the connection's own thread, since a mute client must hold up nobody."""
        plain, address = super().get_request()
        return self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """No network: the connection is closed at once, and Chromium shows its own error page."""
        return self.state.network.accepts

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that a dropped network can cut it."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection before it is closed."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Cut every connection.

        Underneath the TLS layer: its own ``shutdown`` would leave the socket speaking plain text to the thread that
        still uses it.
        """
        with self._guard:
            for connection in self._open:
                # The page has closed its end already.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a browser that goes away in the middle is the daily business here."""


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        # The kernel has accepted the connection already; nothing that is sent on it is ever answered.
        self.server.state.network.wait_while_silent()
        self.request.settimeout(10)
        self.request.do_handshake()
        self.request.settimeout(None)
        super().setup()

    def do_GET(self) -> None:
        if not self._reachable():
            return
        path = urlsplit(self.path).path
        if path == "/w/stream":
            self._stream()
        elif path in ("/", "/index.html"):
            self._document()
        elif path in _FILES:
            self._send(200, *_FILES[path])
        else:
            self._send(404, "text/plain", b"")

    def do_POST(self) -> None:
        if not self._reachable():
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_QUESTION:
            self.close_connection = True
            return
        body = self.rfile.read(length)
        where = urlsplit(self.path)
        page = self.server.state.pages.get(_page(where.query))
        if page is None:
            # The page's stream is gone, or not yet up: to the page this is the same as no network.
            self._json(409, {"error": "no stream"})
            return
        try:
            asked = json.loads(body or b"{}")
            if not isinstance(asked, dict):
                raise ValueError("not an object")
            self._json(200, answer(self.server.state, page, where.path.removeprefix("/w/"), asked))
        except (LindaError, ValueError) as wrong:
            self._json(400, {"error": str(wrong)})

    def _document(self) -> None:
        supported = _is_supported(self.headers.get("User-Agent", ""))
        state = self.server.state
        with state.changed:
            body = state.documents.next_page(state.timing.boot) if supported else state.documents.unsupported_page()
        self._send(200, "text/html; charset=utf-8", body)

    def _stream(self) -> None:
        state = self.server.state
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        page = Page(_page(urlsplit(self.path).query))
        with state.changed:
            language, screens = state.documents.language, state.screens_told()
        page.tell("hello", timing=asdict(state.timing), language=language, screens=screens)
        state.opened(page)
        try:
            page.stream(self.connection, self._send_event)
        finally:
            state.closed(page)

    def _send_event(self, event: bytes) -> None:
        self.server.state.network.wait_while_silent()
        self.wfile.write(event)

    def _reachable(self) -> bool:
        # Asked again here: the connection may have been accepted just before the network was dropped.
        network = self.server.state.network
        network.wait_while_silent()
        if not network.accepts:
            self.close_connection = True
        return network.accepts

    def _json(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # A page from the cache would hide that the network is down.
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: a request line may hold what nobody should read."""


def _page(query: str) -> str:
    return parse_qs(query).get("page", [""])[0]


def _is_supported(agent: str) -> bool:
    """As the real server judges by name: "HeadlessChrome" is no Chrome to it."""
    version = re.search(r"(?<!Headless)Chrome/(\d+)", agent)
    return version is not None and int(version[1]) >= _OLDEST_CHROME
