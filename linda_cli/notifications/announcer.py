"""From the events of runs to notices that are sent: nothing here ever keeps a session waiting.

One thread takes in events and looks at the home; each target has a bounded queue and a thread of its own. What is open
stands in the home, so that a program that is started again by a supervisor does not tell the same trouble again.
"""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from linda_cli.errors import LindaError
from linda_cli.lifecycle.events import Event
from linda_cli.notifications.targets import TRY, Target
from linda_cli.notifications.troubles import Key, Kind, Look, Notice, Troubles
from linda_cli.sessions.clock import iso, ms_of
from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.state import read_json

_EVENTS = 1000
_NOTICES = 100
LOOK_EVERY = 30.0
PAUSES = (5.0, 30.0)
"""Seconds before the second and the third try; after that a notice is given up, and that is said."""

_LARGEST_STATE = 64_000_000
_LARGEST_MEMORY = 1_000_000


class Announcer:
    """A listener to events. ``say``: a line for the log. Close it: what waits is sent then, for a bounded time."""

    def __init__(self, home: Home, targets: Sequence[Target], say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._events: queue.Queue[Event | None] = queue.Queue(_EVENTS)
        self._lines = [_Line(target, say) for target in targets]
        self._troubles = Troubles(told=_read(home))
        self._thread = threading.Thread(target=self._work, name="troubles", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Take an event in; never waits."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            # A thousand events behind is a machine that does nothing any more; the next ones tell the same.
            self._say("notifications are a thousand events behind: one was dropped")

    def close(self, within: float = TRY + 2) -> None:
        """Take in what was heard, and send what waits."""
        deadline = time.monotonic() + within
        try:
            self._events.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))
        for line in self._lines:
            line.close(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        next_look = 0.0
        while True:
            try:
                event = self._events.get(timeout=max(0.0, next_look - time.monotonic()))
            except queue.Empty:
                next_look = time.monotonic() + LOOK_EVERY
                self._take(self._troubles.seen(self._look(), time.time()))
                continue
            if event is None:
                return
            try:
                self._take(self._troubles.after(event.event, event.session, event.facts, time.time()))
            except Exception as bug:  # noqa: BLE001 - said; the next event is taken in all the same
                self._say(f"a bug in notifications at {event.event}: {bug!r}")

    def _take(self, result: tuple[Troubles, tuple[Notice, ...]]) -> None:
        before, (self._troubles, notices) = self._troubles, result
        if self._troubles.told != before.told:
            try:
                _write(self._home, self._troubles.told)
            except (OSError, LindaError) as problem:
                self._say(f"open troubles cannot be kept, and may be told again: {problem}")
        for notice in notices:
            event = spelled(notice, str(self._home.root), iso(time.time_ns() // 1_000_000))
            for line in self._lines:
                line.put(event)

    def _look(self) -> Look:
        try:
            free: int | None = shutil.disk_usage(self._home.root).free
        except OSError:
            free = None  # not known: nothing is said of it
        return Look(free, _last_ready(self._home))


class _Line:
    """One target's queue and thread."""

    def __init__(self, target: Target, say: Callable[[str], None]) -> None:
        self._target = target
        self._say = say
        self._waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_NOTICES)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def put(self, event: Mapping[str, Any]) -> None:
        """Never waits: where the queue is full the oldest goes."""
        while True:
            try:
                self._waiting.put_nowait(event)
                return
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                    self._say(f"{self._target.name}: a hundred notices wait, the oldest was dropped")
                except queue.Empty:
                    pass  # it was taken up in this moment: there is room now

    def close(self, within: float) -> None:
        """No pauses from here on; waits for what is being sent."""
        self._closing.set()
        self.put({})
        self._thread.join(within)

    def _work(self) -> None:
        while event := self._waiting.get():
            why: str | None = None
            for pause in (*PAUSES, None):
                try:
                    why = self._target.send(event)
                except Exception as bug:  # noqa: BLE001 - said; the next notice is sent all the same
                    why = type(bug).__name__
                if why is None or pause is None or self._closing.wait(pause):
                    break
            if why is not None:
                self._say(f"{self._target.name}: a notice could not be sent: {why}")


def spelled(notice: Notice, home: str, at: str) -> dict[str, Any]:
    """A notice as JSON: what a command reads on its stdin."""
    return {
        "version": 1, "event": "trouble_over" if notice.over else "trouble", "kind": notice.kind.value,
        "session": notice.session, "message": notice.message, "since": iso(round(notice.since * 1000)), "at": at,
        "home": home,
    }  # fmt: skip


def _last_ready(home: Home) -> dict[str, float]:
    """When each linked session was last ready; empty where the state cannot be read now."""
    try:
        told = read_json(home.state_file, _LARGEST_STATE)
        sessions = told["sessions"] if isinstance(told, dict) else {}
        moments = {
            str(number): ms_of(entry.get("lastReady"))
            for number, entry in sessions.items()
            if isinstance(entry, dict) and entry.get("isLinked")
        }
    except (OSError, ValueError, KeyError, AttributeError):
        return {}
    return {number: ms / 1000 for number, ms in moments.items() if ms is not None}


def _read(home: Home) -> dict[Key, float]:
    try:
        told = read_json(home.troubles, _LARGEST_MEMORY)
        return {
            (one["session"], Kind(one["kind"])): float(one["since"])
            for one in (told["told"] if isinstance(told, dict) else [])
        }
    except (OSError, ValueError, KeyError, TypeError):
        # Not there yet, or garbled: a trouble may be told once more.
        return {}


def _write(home: Home, told: Mapping[Key, float]) -> None:
    rows = [{"session": session, "kind": kind.value, "since": since} for (session, kind), since in told.items()]
    write_whole(home.troubles, json.dumps({"version": 1, "told": rows}).encode() + b"\n")
