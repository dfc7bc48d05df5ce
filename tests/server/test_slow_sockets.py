"""Socket.IO clients that do not read: they are cut off, and neither the server's memory nor another client notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from typing import Any

import psutil
import pytest
import socketio
import uvicorn
import websocket

from linda_cli.server import outbox
from linda_cli.server.namespace import NAMESPACE, BoundedServer
from linda_cli.server.outbox import MOST_WAITING, BoundedWebSocketProtocol, Outbox

EVENTS, SIZE = 2500, 12_000


class Everybody(socketio.AsyncNamespace):  # type: ignore[misc]
    """Whoever connects hears everything."""

    async def on_connect(self, sid: str, *_: object) -> None:
        await self.enter_room(sid, "all")


class Serving:
    """The Socket.IO server as ``linda serve`` has it, on a port of its own, in a thread."""

    def __init__(self) -> None:
        self.sockets = BoundedServer(async_mode="asgi", cors_allowed_origins="*")
        self.sockets.register_namespace(Everybody(NAMESPACE))
        self.most_waiting = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        config = uvicorn.Config(
            socketio.ASGIApp(self.sockets), lifespan="off", log_config=None, ws=BoundedWebSocketProtocol,
            ws_per_message_deflate=False, ws_ping_interval=None, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve(sockets=[self._listening]))
        # Engine.IO's own tasks go on until they are told to end.
        for task in (left := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    async def tell(self, count: int) -> None:
        """That many events to everybody, as fast as a client that reads can take them."""
        for at in range(count):
            await self.sockets.emit("note", {"at": at, "what": "x" * SIZE}, room="all", namespace=NAMESPACE)
            waiting = [one.queue.waiting for one in self.sockets.eio.sockets.values()]
            self.most_waiting = max(self.most_waiting, *waiting, 0)
            await asyncio.sleep(0.0005)

    @property
    def connected(self) -> int:
        return len(self.sockets.eio.sockets)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(outbox, "READ_WITHIN", 1.0)
    made = Serving()
    yield made
    made.stop()


def client(serving: Serving, *, small: bool = True) -> websocket.WebSocket:
    """One that has connected to the namespace. ``small``: its own buffer, so that it is full soon."""
    made = websocket.WebSocket(sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)] if small else [])
    made.connect(f"ws://127.0.0.1:{serving.port}/socket.io/?EIO=4&transport=websocket", timeout=30)
    made.recv()
    made.send(f"40{NAMESPACE},")
    assert made.recv().startswith(f"40{NAMESPACE},")
    return made


def until(holds: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_cut(slow: websocket.WebSocket) -> bool:
    """Whether the connection ends, once everything that had come before was read."""
    slow.settimeout(10)
    try:
        while slow.sock.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_one_that_does_not_read_is_cut_off_and_the_others_hear_everything(serving: Serving) -> None:
    good, slow = client(serving, small=False), client(serving)
    heard: list[int] = []

    def read() -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):  # the end of the test
            while len(heard) < EVENTS:
                heard.append(len(good.recv()))

    reader = threading.Thread(target=read)
    reader.start()
    before = psutil.Process().memory_info().rss
    serving.do(serving.tell(EVENTS))
    grown = psutil.Process().memory_info().rss - before
    reader.join(60)
    assert len([one for one in heard if one > SIZE]) == EVENTS
    until(lambda: serving.connected == 1)
    assert serving.most_waiting <= MOST_WAITING
    # 30 MB were told; without a bound all of it would wait.
    assert grown < 18e6
    assert is_cut(slow)
    good.close()


def test_one_that_asks_for_answers_and_does_not_read_them_is_cut_off(serving: Serving) -> None:
    slow = client(serving)
    slow.settimeout(20)
    with contextlib.suppress(OSError, websocket.WebSocketException):  # it is being cut off
        # Each of these is answered with the same bytes, whether somebody reads or not: 25 MB.
        for _ in range(200_000):
            slow.ping("x" * 125)
    until(lambda: serving.connected == 0)
    slow.shutdown()


def test_one_that_never_polls_is_cut_off(serving: Serving) -> None:
    url = f"http://127.0.0.1:{serving.port}/socket.io/?EIO=4&transport=polling"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opened = opener.open(url, timeout=10).read().decode()
    sid = opened.split('"sid":"')[1].split('"')[0]
    opener.open(f"{url}&sid={sid}", f"40{NAMESPACE},".encode(), timeout=10).read()
    until(lambda: serving.connected == 1)
    serving.do(serving.tell(MOST_WAITING // SIZE + 50))
    until(lambda: serving.connected == 0)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        opener.open(f"{url}&sid={sid}", timeout=10)


def test_a_single_packet_is_taken_whatever_its_size() -> None:
    async def play() -> None:
        cut: list[Outbox] = []
        box = Outbox(cut.append)
        whole = socketio.packet.Packet(data=None)
        whole.data = "x" * (2 * MOST_WAITING)
        await box.put(whole)
        assert (box.qsize(), cut) == (1, [])
        await box.put(whole)
        await box.put(whole)
        assert cut == [box]
        assert await box.get() is None
        assert box.waiting == 0

    asyncio.run(play())
