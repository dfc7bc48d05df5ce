"""What waits for a Socket.IO client that does not read is bounded, and such a client is cut off.

Engine.IO keeps every packet that a client has not taken, without a bound, and uvicorn waits for ever until it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import engineio
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST_WAITING = 4_000_000
"""Bytes that may wait for one client. The answer about a thousand accounts is one of 1 MB."""
_PACKET = 256
"""Bytes that a packet takes beside its text."""
READ_WITHIN = 30.0
"""Seconds in which a client whose socket is full must have read something."""
MOST_WRITTEN = 1_000_000
"""Bytes that may stand in a socket's own buffer: answers to pings go there whether a client reads or not."""


class Outbox(asyncio.Queue[Any]):
    """The packets that wait for one client. ``overflow`` is called where there would be too many; they are dropped."""

    def __init__(self, overflow: Callable[[Outbox], None]) -> None:
        super().__init__()
        self._overflow = overflow
        self._is_cut = False
        self.waiting = 0

    async def put(self, item: Any) -> None:
        """Take a packet in, if there is room. One alone is taken whatever its size; None ends the writer."""
        if item is not None and (self._is_cut or (self.waiting and self.waiting + _size(item) > MOST_WAITING)):
            if not self._is_cut:
                self.cut()
                self._overflow(self)
            return
        await super().put(item)

    def cut(self) -> None:
        """Drop everything, and let the writer end."""
        self._is_cut = True
        while not self.empty():
            self.get_nowait()
            self.task_done()
        self.put_nowait(None)

    def _put(self, item: Any) -> None:
        self.waiting += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.waiting -= _size(item)
        return item


def _size(item: Any) -> int:
    data = getattr(item, "data", None)
    return _PACKET + (len(data) if isinstance(data, str | bytes) else 0)


class BoundedEngine(engineio.AsyncServer):  # type: ignore[misc]
    """Engine.IO that gives each client an :class:`Outbox`."""

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        """One for each client; Engine.IO's own name for it."""
        return Outbox(self._overflow)

    def _overflow(self, outbox: Outbox) -> None:
        sid = next((sid for sid, socket in self.sockets.items() if socket.queue is outbox), None)
        if sid is not None:
            self.start_background_task(self._cut_off, sid)

    async def _cut_off(self, sid: str) -> None:
        socket = self.sockets.pop(sid, None)
        if socket is not None:
            # It would not read a goodbye either.
            await socket.close(wait=False, abort=True, reason=self.reason.TRANSPORT_ERROR)


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket whose other end must read."""

    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The socket is full."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whoever asks and asks and does not read the answers is cut off at once."""
        if self.transport.get_write_buffer_size() > MOST_WRITTEN:
            self.transport.abort()
            return
        super().data_received(data)

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
