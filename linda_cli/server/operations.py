"""What became of a 202: each accepted request has an operation that can be asked about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from linda_cli.errors import LindaError
from linda_cli.server.auth import new_id
from linda_cli.server.event_bus import Published
from linda_cli.sessions.clock import iso, now_ms

_KEPT = 2000

_DONE = ("ready", "qr", "pairing_code", "passkey_required")
_FAILED = ("error", "session_restoration_failed", "logged_out", "stopped")


@dataclass(frozen=True, slots=True)
class Operation:
    """``kind``: ``start`` or ``remove``. ``state``: ``running``, ``done``, ``failed``; ``problem``: why it failed."""

    id: str
    kind: str
    client_id: str
    owner: str
    state: str
    began_at: str
    ended_at: str | None = None
    problem: str | None = None


class Operations:
    """The last two thousand, in memory. A subscriber of the bus: a start is done once it is ready or shows a code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: OrderedDict[str, Operation] = OrderedDict()

    def begin(self, kind: str, number: str, owner: str) -> Operation:
        """Note that something was accepted."""
        made = Operation(new_id(), kind, number, owner, "running", iso(now_ms()))
        with self._lock:
            self._all[made.id] = made
            while len(self._all) > _KEPT:
                self._all.popitem(last=False)
        return made

    def end(self, id_: str, problem: LindaError | str | None = None) -> None:
        """It is done, or it failed for this reason."""
        with self._lock:
            there = self._all.get(id_)
            if there is not None and there.state == "running":
                why = problem.message if isinstance(problem, LindaError) else problem
                state = "failed" if problem is not None else "done"
                self._all[id_] = replace(there, state=state, ended_at=iso(now_ms()), problem=why)

    def find(self, id_: str) -> Operation | None:
        """One of them, None where it is not known (any more)."""
        with self._lock:
            return self._all.get(id_)

    def __call__(self, published: Published) -> None:
        """Hear how starts went."""
        event = published.event
        if event.event not in (*_DONE, *_FAILED):
            return
        with self._lock:
            started = [
                one.id
                for one in self._all.values()
                if one.kind == "start" and one.state == "running" and one.client_id == event.session
            ]
        why = str(event.facts.get("reason") or event.facts.get("message") or event.event)
        for id_ in started:
            self.end(id_, why if event.event in _FAILED else None)
