"""The one thread that writes what a run says, and the bounded queue before it."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

from linda_cli.console.stream_errors import GONE

MOST = 4 << 20
"""Bytes that may wait for a reader; what comes after them is left out, and how much it was is said."""

ROOM = 256 << 10
"""Bytes below which whoever has much to say (a bot) may go on."""

# A pipe or terminal that is ready takes this much without making the writer wait (PIPE_BUF).
_CHUNK = 4096
_LOOK_EVERY = 0.2
_LONGEST_END = 30.0


class _Lane:
    """What waits for one file. stdout and stderr of one terminal are one lane, so that their order holds."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.waiting: deque[memoryview] = deque()
        self.size = 0
        self.left_out = 0
        self.gone = False
        self.torn = False
        """A write failed in the middle of a line."""

    def add(self, data: bytes) -> bool:
        if self.gone:
            return False
        if self.size + len(data) > MOST:
            self.left_out += 1
            return False
        if self.left_out and self.size < ROOM:
            told = f"linda: {self.left_out} lines were left out here, nobody was reading\n".encode()
            self.left_out = 0
            # JSON lines have to stay JSON: there it is said by the gap in time alone.
            data = data if data.startswith(b"{") else told + data
        self.waiting.append(memoryview(data))
        self.size += len(data)
        return True

    def next_part(self) -> bytes:
        """What is to be written next. A line that was torn has ended: the next one starts on a line of its own."""
        part = bytes(self.waiting[0][:_CHUNK])
        return b"\n" + part if self.torn else part

    def took(self, count: int) -> None:
        """So many bytes of it were written."""
        count -= self.torn
        self.torn = False
        data = self.waiting.popleft()
        self.size -= count
        if count < len(data):
            self.waiting.appendleft(data[count:])

    def failed(self, problem: OSError) -> None:
        """It was not: what is left of this line is left out, and everything where nobody is there any more."""
        self.size -= len(self.waiting.popleft())
        self.left_out += 1
        self.torn = True
        if problem.errno in GONE:
            self.gone = True
            self.waiting.clear()
            self.size = 0


class Writer:
    """Takes text from any thread and never makes it wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[tuple[int, int, int], _Lane] = {}
        self._known: dict[int, _Lane] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def put(self, target: int, data: bytes) -> bool:
        """Let it be written in its turn; False where it is left out."""
        with self._changed:
            lane = self._known.get(target) or self._lane(target)
            added = lane is not None and lane.add(data)
            self._changed.notify_all()
            return added

    def is_behind(self, target: int) -> bool:
        """Whether more waits there than a reader who keeps up would leave."""
        with self._changed:
            lane = self._known.get(target)
            return lane is not None and lane.size > ROOM

    def wait_for_room(self, target: int, patience: float) -> bool:
        """Wait, for ``patience`` seconds at most, until a reader has caught up; False where it has not."""
        until = time.monotonic() + patience
        with self._changed:
            while (lane := self._known.get(target)) is not None and lane.size > ROOM:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return lane is None or not lane.gone

    def close(self, patience: float) -> None:
        """Write what is left; given up once nothing has been taken for ``patience`` seconds."""
        end = time.monotonic() + _LONGEST_END
        until = time.monotonic() + patience
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            before = self._left()
            while before and time.monotonic() < min(until, end):
                self._changed.wait(min(_LOOK_EVERY, patience))
                if (left := self._left()) < before:
                    before, until = left, time.monotonic() + patience

    def _left(self) -> int:
        return sum(lane.size for lane in self._lanes.values())

    def _lane(self, target: int) -> _Lane | None:
        try:
            status = os.fstat(target)
        except OSError:
            return None
        lane = self._lanes.setdefault((status.st_dev, status.st_ino, status.st_rdev), _Lane(target))
        self._known[target] = lane
        return lane

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (busy := [lane for lane in self._lanes.values() if lane.waiting]):
                    if self._closed:
                        return
                    self._changed.wait()
            for lane in self._ready(busy):
                self._write(lane)

    def _write(self, lane: _Lane) -> None:
        with self._changed:
            part = lane.next_part()
        try:
            # Not under the lock: a terminal may still make this thread wait, and it alone.
            count = os.write(lane.target, part)
        except BlockingIOError:
            return
        except OSError as problem:
            with self._changed:
                lane.failed(problem)
                self._changed.notify_all()
            return
        with self._changed:
            lane.took(count)
            self._changed.notify_all()

    def _ready(self, busy: list[_Lane]) -> list[_Lane]:
        asked = select.poll()
        for lane in busy:
            asked.register(lane.target, select.POLLOUT)
        ready = {target for target, _ in asked.poll(_LOOK_EVERY * 1000)}
        return [lane for lane in busy if lane.target in ready]
