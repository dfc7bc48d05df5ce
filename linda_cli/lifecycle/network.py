"""One look at the network for all runs of a process, at most every two seconds.

Two hundred sessions that lose the network at once ask once, not two hundred times; and a session that is told so a
moment later is told what the first has found. Runs whose browsers reach the network by other ways (a proxy, resolver
rules) do not share an answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Answer = tuple[bool | None, str]
FRESH = 1.9
"""Seconds for which an answer is good for others."""

_PATIENCE = 12.0


@dataclass(slots=True)
class _Way:
    asking: threading.Lock = field(default_factory=threading.Lock)
    answer: Answer = (None, "")
    at: float = float("-inf")


class NetworkProbe:
    """Shares answers among the runs of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ways: dict[tuple[str, ...], _Way] = {}

    def ask(self, way: tuple[str, ...], ask: Callable[[], Answer]) -> Answer:
        """An answer of the last two seconds, else what ``ask`` finds now. ``way``: how the browser gets out."""
        with self._lock:
            known = self._ways.setdefault(way, _Way())
        if not known.asking.acquire(timeout=_PATIENCE):
            return None, ""
        try:
            if time.monotonic() - known.at < FRESH:
                return known.answer
            answer = ask()
            if answer[0] is not None:
                known.answer, known.at = answer, time.monotonic()
            return answer
        finally:
            known.asking.release()


SHARED = NetworkProbe()
"""The probe of this process."""


def way_out(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a browser's arguments by which it gets out."""
    names = ("--proxy", "--host-resolver", "--host-rules", "--dns")
    return tuple(sorted(one for one in arguments if one.lstrip("-").startswith(tuple(name[2:] for name in names))))
