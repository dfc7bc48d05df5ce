"""HTTP connections with deadlines and a cap, before anything of them is believed.

uvicorn waits for a request's headers for ever. Here a connection has ten seconds for the headers of a request and half
a minute between two requests, and there are never more connections than the process has file descriptors for.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_WITHIN = 10.0
IDLE_WITHIN = 30
LARGEST_HEADERS = 192_000
"""Bytes until the headers are complete; the body that comes with them in one piece counts, too."""
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
)
_BUSY_BODY = (
    b'{"type": "urn:linda:problem:Unavailable", "title": "Temporarily unavailable", "status": 503, '
    b'"detail": "too many connections", "name": "Unavailable", "hint": "retry later"}'
)
_MOST_FILES = 65_536
_RESERVED = 96
"""Descriptors for the database, logs, listening sockets and what is being started."""
_FOR_A_BROWSER = 8


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have, within reason; gives the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft  # a container may forbid it; then there are fewer connections
        return wanted
    return soft


def most_connections(file_limit: int, accounts: int) -> int:
    """How many connections there may be, so that browsers and the database still find a descriptor."""
    return max(16, min(20_000, file_limit - _RESERVED - _FOR_A_BROWSER * max(accounts, 4)))


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. ``most``: of all together; set before the server starts."""

    most = 1000
    open_connections = 0
    refused_connections = 0

    _counted = False
    _is_refused = False
    _header_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count it, or answer 503 and close."""
        kind = type(self)
        if kind.open_connections >= kind.most:
            kind.refused_connections += 1
            transport.write(_BUSY % (len(_BUSY_BODY), _BUSY_BODY))
            transport.close()
            self._is_refused = True
            return
        kind.open_connections += 1
        self._counted = True
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place to another."""
        self._stop_expecting()
        if self._counted:
            self._counted = False
            type(self).open_connections -= 1
        if not self._is_refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a connection that was refused are not looked at, nor are headers without an end."""
        if self._is_refused:
            return
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > LARGEST_HEADERS:
                self._stop_expecting()
                self.send_400_response("Request headers too large.")
                return
        super().data_received(data)

    def eof_received(self) -> None:
        """The same for its end."""
        if not self._is_refused:
            super().eof_received()

    def on_message_begin(self) -> None:
        """The first byte of a request: the rest of its headers must come soon."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect_headers()

    def on_headers_complete(self) -> None:
        """They are there."""
        self._stop_expecting()
        self._header_bytes = 0
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADERS_WITHIN, self._too_slow)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """A WebSocket is another protocol from here on, and still one connection of ours."""
        transport = self.transport
        super().handle_websocket_upgrade()
        protocol = transport.get_protocol()
        if protocol is not self and self._counted:
            self._counted = False
            _hand_on(protocol, type(self))


def _hand_on(protocol: Any, kind: type[BoundedHttpProtocol]) -> None:
    """Count a connection until its new protocol loses it."""
    lost = protocol.connection_lost

    def connection_lost(exc: Exception | None) -> None:
        kind.open_connections -= 1
        lost(exc)

    protocol.connection_lost = connection_lost
