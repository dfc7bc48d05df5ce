"""The phone's side of the stand-in: plain HTTP on loopback, one POST a verb."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from linda_cli.errors import LindaError, Misused
from linda_cli.sandbox.phone_api import do
from linda_cli.sandbox.state import SandboxState
from linda_cli.sandbox.status import status

_LARGEST_BODY = 1 << 20


class ControlServer(ThreadingHTTPServer):
    """Never hit by a dropped network: the phone has its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, state: SandboxState, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.state = state

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a caller that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: ControlServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._is_ours():
            self._send(403, {"error": "not from a web page"})
        elif path == "/id":
            self._send(200, {"id": self.server.state.registry.id})
        elif path == "/status":
            self._send(200, status(self.server.state))
        else:
            self._send(404, {"error": "GET /id or /status, or POST a verb"})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            return
        text = self.rfile.read(length)
        if not self._is_ours():
            self._send(403, {"error": "not from a web page"})
            return
        try:
            body = json.loads(text or b"{}")
            if not isinstance(body, dict):
                raise Misused("the body is a JSON object")
            self._send(200, do(self.server.state, urlsplit(self.path).path.strip("/"), body))
        except LindaError as wrong:
            self._send(400 if isinstance(wrong, Misused) else 409, {"error": wrong.message, "hint": wrong.hint})
        except ValueError:
            self._send(400, {"error": "the body is a JSON object", "hint": ""})

    def _is_ours(self) -> bool:
        # A web page in a person's own browser can reach loopback too; it cannot help sending one of these.
        host = (self.headers.get("Host") or "").partition(":")[0]
        return self.headers.get("Origin") is None and host in ("127.0.0.1", "localhost")

    def _send(self, code: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: verbs carry codes."""
