"""The network between the pages and the server: up, down, without a name service, or silent."""

from __future__ import annotations

import threading
import time
from enum import Enum

_LONGEST_SILENCE = 3600.0


class NetworkMode(Enum):
    """How the network is."""

    UP = "up"
    DOWN = "down"
    """Connections are closed, and new ones refused."""
    DNS = "dns"
    """The same; browsers that start meanwhile cannot look up the name either."""
    SILENT = "silent"
    """Connections stay, and nothing that is sent on them is ever answered."""


class Network:
    """Guarded by the state's condition, which is notified at every change."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.mode = NetworkMode.UP

    @property
    def is_up(self) -> bool:
        """Whether pages and server hear each other."""
        return self.mode is NetworkMode.UP

    @property
    def accepts(self) -> bool:
        """Whether a connection can be made, answered or not."""
        return self.mode in (NetworkMode.UP, NetworkMode.SILENT)

    def become(self, mode: NetworkMode) -> None:
        """Change it; who waits in silence goes on."""
        with self._changed:
            self.mode = mode
            self._changed.notify_all()

    def wait_while_silent(self) -> None:
        """Hold whoever calls for as long as nothing gets through, an hour at most."""
        if self.mode is not NetworkMode.SILENT:
            return
        until = time.monotonic() + _LONGEST_SILENCE
        with self._changed:
            while self.mode is NetworkMode.SILENT and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
