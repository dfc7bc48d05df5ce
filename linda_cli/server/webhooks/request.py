"""One try to deliver: a POST to an address that was looked up before, in fifteen seconds as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from urllib.parse import SplitResult

from linda_cli.server.webhooks.addresses import port_of

WITHIN = 15.0
"""Seconds for a whole try: the look-up, the connection, the request and the answer."""
LARGEST_ANSWER = 64_000
"""Bytes of an answer that are read; what they say is of no interest, and nothing is decompressed."""


def signature(secret: str, moment: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body: what was recorded cannot be sent again later."""
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def post(parts: SplitResult, address: str, headers: Mapping[str, str], body: bytes, within: float) -> int:
    """The status that a POST was answered with. Raises ``OSError`` or ``http.client.HTTPException``.

    No redirect is followed: it could lead inside.
    """
    deadline = time.monotonic() + within
    # The name is not looked up a second time; the certificate is checked for the name all the same.
    connection = _connection(parts, address, within)
    try:
        connection.connect()
        with _cut_off(connection.sock, deadline - time.monotonic()):
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": parts.netloc, **headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answered = connection.getresponse()
            left = LARGEST_ANSWER
            while left > 0 and (chunk := answered.read1(left)):
                left -= len(chunk)
            return answered.status
    finally:
        connection.close()


class _Pinned(http.client.HTTPSConnection):
    """HTTPS to an address, with the certificate of a name."""

    def __init__(self, address: str, port: int, name: str, timeout: float) -> None:
        self._context_of_ours = ssl.create_default_context()
        super().__init__(address, port, timeout=timeout, context=self._context_of_ours)
        self._name = name

    def connect(self) -> None:
        sock = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context_of_ours.wrap_socket(sock, server_hostname=self._name)


def _connection(parts: SplitResult, address: str, timeout: float) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        return _Pinned(address, port_of(parts), parts.hostname or "", timeout)
    return http.client.HTTPConnection(address, port_of(parts), timeout=timeout)


@contextlib.contextmanager
def _cut_off(sock: socket.socket, seconds: float):  # type: ignore[no-untyped-def]
    """End the connection after so many seconds, however busily the other side sends."""

    def cut() -> None:
        with contextlib.suppress(OSError):  # it may have ended by itself in this moment
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
