"""A server that is web.whatsapp.com for whoever goes through its proxy and trusts its certificate."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from linda_cli.sandbox import tls
from tests.environment.proxies import proxy


@dataclass(slots=True)
class WhatsApp:
    """``ahead``: seconds by which this server's clock is ahead of ours."""

    environ: dict[str, str]
    ahead: float = 0.0
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def whatsapp(folder: Path, ahead: float = 0.0) -> Iterator[WhatsApp]:
    """One that is reached through ``LINDA_PROXY``, and trusted by ``SSL_CERT_FILE``."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tls.certificate(folder)
    there = WhatsApp({}, ahead)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            there.asked.append(self.headers["Host"])
            self.send_response(200)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + there.ahead, usegmt=True)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = made.context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with proxy(leads={"web.whatsapp.com:443": f"127.0.0.1:{server.server_address[1]}"}) as way:
            there.environ.update(LINDA_PROXY=f"http://127.0.0.1:{way.port}", SSL_CERT_FILE=str(made.path))
            yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
