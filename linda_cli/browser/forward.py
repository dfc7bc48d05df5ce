"""The way from one browser to its proxy, as a program of its own: it adds the user and the password, which Chromium
takes in no argument, and knows why a connection failed.

The browser speaks SOCKS5 without a password to a port on loopback; this passes each connection on to the proxy. It is
run by its path, knows nothing of linda, and lives exactly as long as the browser, which may outlive its linda.

The first line on stdin says where the proxy is, as JSON; the second, once there is a browser, its pid. A connection
whose first byte is no SOCKS is linda's question (``forwarding.ask``). Only this user's processes are let in: a port on
loopback is there for everybody on the machine.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Coroutine
from typing import Any

HANDSHAKE = 10.0
"""Seconds for a browser to say where it wants to go."""

PATIENCE = 20.0
"""Seconds for the proxy to have made the way."""

SILENT = 3.0
"""Seconds after which a proxy that has not answered yet is told to give no answer."""

HALF_CLOSED = 30.0
MOST_CONNECTIONS = 512
MOST_HEADERS = 16_384
_CHUNK = 65_536
_SOCKS = 5
_GRANTED, _FAILED = 0, 1
_CODES = {
    2: "does not allow the way", 3: "has no network for the way", 4: "finds no way", 5: "was refused on the way",
    6: "waited too long on the way",
}  # fmt: skip


class Refused(Exception):
    """The proxy has not made the way; why, in words that follow its name."""


class Forward:
    """All connections of one browser."""

    def __init__(self, told: bytes) -> None:
        wanted = json.loads(told)
        self._told = told
        self._scheme: str = wanted["scheme"]
        self._host: str = wanted["host"]
        self._port: int = wanted["port"]
        self._user: str = wanted["user"]
        self._password: str = wanted["password"]
        self._names: dict[str, str | None] = wanted["names"]
        self._problem = ""
        self._waiting: dict[int, float] = {}
        self._turns = 0
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end."""
        if self._open >= MOST_CONNECTIONS or not _is_ours(writer):
            writer.close()
            return
        self._open += 1
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            # One of the two ends has gone: so does the other.
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HANDSHAKE):
            first = (await reader.readexactly(1))[0]
            if first != _SOCKS:
                await self._answer(await reader.readline(), writer)
                return
            await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(bytes([_SOCKS, 0]))
            host, port = await _asked(reader)
        try:
            there, back = await self._through(host, port)
        except Refused as problem:
            self._problem = str(problem)
            writer.write(_reply(_FAILED))
            await writer.drain()
            return
        self._problem = ""
        try:
            writer.write(_reply(_GRANTED))
            await _both(_pump(reader, back), _pump(there, writer))
        finally:
            back.close()

    async def _answer(self, nonce: bytes, writer: asyncio.StreamWriter) -> None:
        """That this goes where linda thinks, proven without a word of it; and what is wrong."""
        silent = any(time.monotonic() - since > SILENT for since in self._waiting.values())
        problem = "gives no answer" if silent else self._problem
        proof = hmac.new(self._told, nonce.strip(), "sha256").hexdigest()
        writer.write(f"{proof} {problem}\n".encode())
        await writer.drain()

    async def _through(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to there by the proxy. Raises ``Refused``."""
        name = f"{host}:{port}"
        target = self._names.get(name, self._names.get("*", name))
        if target is None:
            raise Refused(f"is not asked: {host} is nowhere by --host-resolver-rules")
        place, _, number = target.rpartition(":")
        writer: asyncio.StreamWriter | None = None
        self._turns = turn = self._turns + 1
        self._waiting[turn] = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=MOST_HEADERS)
                _keep_alive(writer)
                if self._scheme == "http":
                    await self._connect(reader, writer, f"[{place}]:{number}" if ":" in place else target, host)
                else:
                    await self._socks(reader, writer, place, int(number), host)
            return reader, writer
        except Refused:
            if writer is not None:
                writer.close()
            raise
        except (OSError, EOFError, asyncio.LimitOverrunError) as problem:
            if writer is not None:
                writer.close()
            raise Refused(_plain(problem, connected=writer is not None)) from problem
        finally:
            self._waiting.pop(turn, None)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str, host: str
    ) -> None:
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self._user:
            word = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {word}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].split()
        if len(status) < 2 or not status[0].startswith(b"HTTP/") or not status[1].isdigit():
            raise Refused("does not answer as an HTTP proxy")
        code = int(status[1])
        if code == 407:
            raise Refused(self._unknown("(407)"))
        if not 200 <= code < 300:
            raise Refused(f"refused the way to {host} ({code})")

    async def _socks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: str, port: int, host: str
    ) -> None:
        writer.write(bytes([_SOCKS, 2, 0, 2]) if self._user else bytes([_SOCKS, 1, 0]))
        version, method = await reader.readexactly(2)
        if version != _SOCKS:
            raise Refused("does not answer as a SOCKS5 proxy")
        if method == 2 and self._user:
            words = [self._user.encode(), self._password.encode()]
            writer.write(b"\1" + b"".join(bytes([len(one)]) + one for one in words))
            if (await reader.readexactly(2))[1] != 0:
                raise Refused(self._unknown(""))
        elif method != 0:
            raise Refused(self._unknown(""))
        writer.write(bytes([_SOCKS, 1, 0]) + _address(place) + struct.pack(">H", port))
        _, code, _, kind = await reader.readexactly(4)
        if code != _GRANTED:
            raise Refused(f"{_CODES.get(code, 'refused the way')}, to {host}")
        await _read_address(reader, kind)

    def _unknown(self, code: str) -> str:
        said = "does not accept the user and the password" if self._user else "wants a user and a password"
        return f"{said} {code}".strip()


async def _asked(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Where a browser wants to go. Raises ``EOFError`` for what it never asks for."""
    _, command, _, kind = await reader.readexactly(4)
    if command != 1:
        raise EOFError("no connection is asked for")
    return await _read_address(reader, kind)


async def _read_address(reader: asyncio.StreamReader, kind: int) -> tuple[str, int]:
    if kind == 1:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind == 4:
        host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
    elif kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii", "replace").lower()
    else:
        raise EOFError("an unknown kind of address")
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    return host, port


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed


def _reply(code: int) -> bytes:
    return bytes([_SOCKS, code, 0, 1, 0, 0, 0, 0, 0, 0])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _both(*ways: Coroutine[Any, Any, None]) -> None:
    """Until both directions have ended; a failure of one ends the other, and an end leaves it half a minute."""
    tasks = [asyncio.ensure_future(one) for one in ways]
    try:
        done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if all(one.exception() is None for one in done) and left:
            await asyncio.wait(left, timeout=HALF_CLOSED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Notice within two minutes that the proxy's machine has gone, also where nothing is sent."""
    made: socket.socket = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _plain(problem: Exception, *, connected: bool) -> str:
    if isinstance(problem, TimeoutError):
        return f"gave no answer within {PATIENCE:g} s" if connected else "cannot be reached: no answer"
    if isinstance(problem, socket.gaierror):
        return "cannot be reached: its name is not found"
    if connected:
        return "closed the connection, or does not speak this protocol"
    number = problem.errno if isinstance(problem, OSError) else None
    return f"cannot be reached: {os.strerror(number).lower()}" if number else "cannot be reached"


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether a process of this user is at the other end, by the kernel's word."""
    here, there = (_in_kernel(writer.get_extra_info(name)) for name in ("sockname", "peername"))
    try:
        with open("/proc/net/tcp", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[1] == there and words[2] == here:
                    return int(words[7]) == os.getuid()
    except (OSError, IndexError, ValueError):
        # What cannot be known is not let in.
        return False
    return False


def _in_kernel(address: tuple[str, int]) -> str:
    number = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{number:08X}:{address[1]:04X}"


async def _browser_gone(lines: asyncio.StreamReader) -> None:
    """Until the browser has ended; at once where none ever came up."""
    line = await lines.readline()
    if not line.strip().isdigit():
        return
    pid = int(line)
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        # An old kernel: looked at now and then.
        while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110, ASYNC240 - nothing tells it, and /proc never blocks
            await asyncio.sleep(1)
        return
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, gone.set)
    await gone.wait()


async def _main(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=_CHUNK)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    told = await lines.readline()
    if not told:
        return
    forward = Forward(told.strip())
    server = await asyncio.start_server(forward.serve, sock=listening, limit=MOST_HEADERS)
    await _browser_gone(lines)
    server.close()


if __name__ == "__main__":
    # systemd sends these to everybody at once, and a browser that closes may still want to say good-bye.
    for _name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(_name, signal.SIG_IGN)
    asyncio.run(_main(socket.socket(fileno=int(sys.argv[1]))))
    # Connections that are left would be waited for.
    os._exit(0)
