"""How much memory the browser of a session took over the last day: the largest of each five minutes."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from linda_cli.sessions.clock import iso, ms_of, now_ms
from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.state import read_json

SLOT_MS = 300_000
MOST = 288
"""Samples: one day."""

_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class MemorySample:
    """``at``: when its five minutes began."""

    at: str
    memory_mb: int


class MemoryHistory:
    """The history of one session. A file is written when five minutes are over, and not for each measurement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slot = 0
        self._largest = 0
        self._day = read(path)
        self._lock = threading.Lock()

    def add(self, memory_mb: int, at_ms: int | None = None) -> None:
        """Take in a measurement. Raises ``OSError`` where it cannot be kept; the next five minutes try again."""
        at = (now_ms() if at_ms is None else at_ms) // SLOT_MS
        with self._lock:
            if at == self._slot:
                self._largest = max(self._largest, memory_mb)
                return
            slot, largest = self._slot, self._largest
            self._slot, self._largest = at, memory_mb
        if slot:
            self._day = (*read(self._path), MemorySample(iso(slot * SLOT_MS), largest))[-MOST:]
            rows = [{"at": one.at, "memoryMb": one.memory_mb} for one in self._day]
            write_whole(self._path, json.dumps({"version": 1, "samples": rows}).encode() + b"\n")

    @property
    def peak_mb(self) -> int:
        """The largest of the last day. From memory."""
        return max([self._largest, *(one.memory_mb for one in self._day)])


def read(path: Path, at_ms: int | None = None) -> tuple[MemorySample, ...]:
    """The samples of the last day, oldest first; empty where there are none that can be read."""
    since = (now_ms() if at_ms is None else at_ms) - MOST * SLOT_MS
    try:
        told = read_json(path, _LARGEST)
        rows = told["samples"] if isinstance(told, dict) else []
        found = [MemorySample(str(one["at"]), int(one["memoryMb"])) for one in rows[-MOST:]]
    except (OSError, ValueError, KeyError, TypeError):
        # Nothing depends on it: a garbled history begins anew.
        return ()
    return tuple(one for one in found if (ms_of(one.at) or 0) >= since)
