"""What a run tells: one value per event, the same for the terminal, for JSON lines and for a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from linda_cli.sessions.clock import iso, now_ms


@dataclass(frozen=True, slots=True)
class Event:
    """``at`` ISO 8601 UTC; ``elapsed_ms`` since the process began; ``facts`` by the contract's names."""

    event: str
    session: str | None
    at: str
    elapsed_ms: int
    facts: Mapping[str, Any]


OnEvent = Callable[[Event], None]


def process_age_ms() -> int:
    """Milliseconds since this process was started, Python's own start-up included."""
    try:
        # Field 22 of /proc/self/stat: start in clock ticks since boot, as CLOCK_BOOTTIME counts.
        with open("/proc/self/stat", encoding="ascii") as file:
            ticks = int(file.read().rsplit(") ", 1)[1].split()[19])
        # Ticks are 10 ms; sysconf would say the same on every Linux that Python supports.
        return max(0, round(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) - ticks * 10)
    except (OSError, ValueError, IndexError, AttributeError):
        return round(time.process_time() * 1000)


def head(told: Event) -> dict[str, Any]:
    """What every event object begins with, by the contract's names."""
    return {"event": told.event, "session": told.session, "at": told.at, "elapsedMs": told.elapsed_ms}


def event(name: str, session: str | None, facts: Mapping[str, Any], *, began: float | None = None) -> Event:
    """An event of this moment. ``began``: when its run began, by the monotonic clock; None: with the process.

    A run of the main thread begins with its process; those of a server begin whenever their accounts do.
    """
    elapsed = process_age_ms()
    if began is not None and threading.current_thread() is not threading.main_thread():
        elapsed = round((time.monotonic() - began) * 1000)
    return Event(name, session, iso(now_ms()), elapsed, facts)
