"""What systemd would hear: a socket of the test's own that keeps every datagram with its time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Manager:
    """``heard``: (seconds, line) in the order of coming."""

    address: str
    heard: list[tuple[float, str]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, data: bytes) -> None:
        with self._changed:
            self.heard += [(time.monotonic(), line) for line in data.decode().splitlines()]
            self._changed.notify_all()

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.heard]

    def wait_for(self, beginning: str, count: int = 1, within: float = 60) -> None:
        """Until so many lines began like this."""
        with self._changed:
            enough = self._changed.wait_for(lambda: self.count(beginning) >= count, within)
        assert enough, (beginning, self.lines)

    def count(self, beginning: str) -> int:
        return sum(line.startswith(beginning) for _, line in self.heard)


@contextlib.contextmanager
def service_manager(folder: Path, *, abstract: bool = False) -> Iterator[Manager]:
    """One that listens while the block lasts."""
    name = f"@linda-test-{folder.name}-{time.monotonic_ns()}" if abstract else str(folder / "notify")
    made = Manager(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if abstract else name)
        listening.settimeout(0.1)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                with contextlib.suppress(TimeoutError):  # nothing came: look whether the test is over
                    made.take(listening.recv(4096))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            done.set()
            thread.join(5)
