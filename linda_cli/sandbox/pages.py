"""One open page of the stand-in, as the server sees it: a stream of events down, and what it last said of itself."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count

from linda_cli.sandbox.codes import Code

_turn = count(1)


class Page:
    """Lives as long as its event stream; the state's lock guards every field but the stream itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.opened = next(_turn)
        self.wid: str | None = None
        """The device this page is logged in as, now."""
        self.displaced: str | None = None
        """The device it was logged in as until another page or computer took over."""
        self.nonce: str | None = None
        self.linking: str | None = None
        """The number whose phone has accepted this page, until the page has registered its keys."""
        self.awaiting_passkey = False
        self.code: Code | None = None
        self.codes_given = 0
        self.pairing: Code | None = None
        self.says: Mapping[str, object] = {}
        self._events: deque[bytes] = deque()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        self._over = False

    def tell(self, event: str, **facts: object) -> None:
        """Send an event down; it waits in line if the page is slow."""
        self._events.append(f"event: {event}\ndata: {json.dumps(facts)}\n\n".encode())
        self._ring()

    def end(self) -> None:
        """Let the stream end."""
        self._over = True
        self._ring()

    def stream(self, connection: socket.socket, send: Callable[[bytes], object]) -> None:
        """Carry events until either side ends.

        A page never sends anything up its stream, so a readable connection means that the browser has gone. Waiting
        on both ends at once is what lets the server know of a killed browser within milliseconds.
        """
        with selectors.DefaultSelector() as waiting:
            waiting.register(connection, selectors.EVENT_READ)
            waiting.register(self._bell, selectors.EVENT_READ)
            while not self._over:
                while self._events:
                    send(self._events.popleft())
                for ready, _ in waiting.select():
                    if ready.fileobj is connection:
                        return
                    # Another event has emptied the bell already.
                    with contextlib.suppress(BlockingIOError):
                        self._bell.recv(4096)

    def close(self) -> None:
        """Give the file descriptors back."""
        self._over = True
        self._bell.close()
        self._rope.close()

    def _ring(self) -> None:
        # Full means it rings already; closed means that nobody listens any more.
        with contextlib.suppress(OSError):
            self._rope.send(b"!")
