"""A small proxy on loopback, HTTP (``CONNECT``) and SOCKS5, which wants a user and a password, or not."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class TestProxy:
    """What was asked of it, and how it answers. ``leads``: names to where they are; others are refused."""

    __test__ = False

    user: str = ""
    password: str = ""
    refuses: int = 0
    silent: bool = False
    leads: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    denied: int = 0
    port: int = 0
    _made: list[socket.socket] = field(default_factory=list)

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                made, _ = listening.accept()
            except OSError:
                return
            self._made.append(made)
            threading.Thread(target=self._one, args=(made,), daemon=True).start()

    def cut(self) -> None:
        """Close every connection that goes through it."""
        for made in self._made:
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)

    def _one(self, made: socket.socket) -> None:
        with made, contextlib.suppress(OSError, EOFError, ValueError):
            first = _exactly(made, 1)
            if self.silent:
                made.recv(1 << 16)
                made.recv(1 << 16)
                return
            there = self._socks(made) if first == b"\5" else self._http(made, first)
            if there is not None:
                with there:
                    _relay(made, there)

    def _http(self, made: socket.socket, first: bytes) -> socket.socket | None:
        head = first
        while b"\r\n\r\n" not in head:
            more = made.recv(4096)
            if not more:
                return None
            head += more
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        expected = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.user and fields.get("proxy-authorization") != expected:
            self.denied += 1
            made.sendall(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="here"\r\nContent-Length: 0\r\n\r\n')
            return None
        there = self._lead(target) if method == "CONNECT" and not self.refuses else None
        if there is None:
            made.sendall(f"HTTP/1.1 {self.refuses or 403} No\r\nContent-Length: 0\r\n\r\n".encode())
            return None
        made.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
        return there

    def _socks(self, made: socket.socket) -> socket.socket | None:
        methods = _exactly(made, _exactly(made, 1)[0])
        wanted = 2 if self.user else 0
        if wanted not in methods:
            self.denied += 1
            made.sendall(b"\5\xff")
            return None
        made.sendall(bytes([5, wanted]))
        if self.user:
            _exactly(made, 1)
            user = _exactly(made, _exactly(made, 1)[0]).decode()
            password = _exactly(made, _exactly(made, 1)[0]).decode()
            if (user, password) != (self.user, self.password):
                self.denied += 1
                made.sendall(b"\1\1")
                return None
            made.sendall(b"\1\0")
        kind = _exactly(made, 4)[3]
        host = socket.inet_ntoa(_exactly(made, 4)) if kind == 1 else _exactly(made, _exactly(made, 1)[0]).decode()
        (port,) = struct.unpack(">H", _exactly(made, 2))
        there = self._lead(f"{host}:{port}") if not self.refuses else None
        made.sendall(bytes([5, 0 if there is not None else self.refuses or 2, 0, 1]) + bytes(6))
        return there

    def _lead(self, target: str) -> socket.socket | None:
        self.asked.append(target)
        there = self.leads.get(target, self.leads.get("*", ""))
        host, _, port = (target if there == "there" else there).rpartition(":")
        return socket.create_connection((host, int(port)), timeout=10) if host else None


def _exactly(made: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = made.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _relay(one: socket.socket, other: socket.socket) -> None:
    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    other.settimeout(None)
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()


@contextlib.contextmanager
def proxy(**how: object) -> Iterator[TestProxy]:
    """Such a proxy, for as long as the block lasts. By default it leads wherever it is asked to."""
    made = TestProxy(**{"leads": {"*": "there"}, **how})  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made.port = listening.getsockname()[1]
        thread = threading.Thread(target=made.serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            # Closing alone does not wake who accepts.
            listening.shutdown(socket.SHUT_RDWR)
            made.cut()
            thread.join(5)
