"""The queue of one webhook and the thread that empties it. One that hangs holds up nobody else.

Events go out in order as long as they are taken. One that is refused waits for its next try while those behind it go
on; a receiver that takes nothing at all is left alone for longer and longer, up to a minute.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from linda_cli.errors import NotAllowed
from linda_cli.server.webhooks.journal import Delivery
from linda_cli.sessions.clock import iso, now_ms

WAITING = 1000
"""Events that wait for one webhook; more than these push the oldest out, which is said."""
_LONGEST_REST = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between tries: ``first``, twice that, ... ``cap``; after ``tries`` of them an event is given up."""

    first: float = 1.0
    cap: float = 600.0
    tries: int = 12


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    due: float = 0.0
    tries: int = 0
    pause: float = 0.0


@dataclass(slots=True)
class Condition:
    """How a webhook fares. ``last_status``: an HTTP status, or why there was none."""

    last_status: int | str | None = None
    last_at: str | None = None
    failing_since: str | None = None
    dropped: int = 0


@dataclass(slots=True)
class Line:
    """``send`` does one try and gives the status; ``gone``: a delivery needs no memory any more."""

    name: str
    send: Callable[[Delivery], int]
    gone: Callable[[str], None]
    told: Callable[[str, str], None]
    pace: Pace
    condition: Condition = field(default_factory=Condition)
    _waiting: list[_Waiting] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _closing: bool = False
    _refused: int = 0
    _rest_until: float = 0.0

    @property
    def waiting(self) -> int:
        """Events that wait to be delivered."""
        with self._changed:
            return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Never waits: where the line is full the oldest event goes."""
        with self._changed:
            if self._closing:
                return
            while len(self._waiting) >= WAITING:
                oldest = self._waiting.pop(0)
                self._give_up(oldest, "too many events wait")
            self._waiting.append(_Waiting(delivery))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"webhook-{self.name}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Try no more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def idle(self) -> bool:
        """Whether nothing waits that could go out now."""
        with self._changed:
            return not any(one.due <= time.monotonic() for one in self._waiting)

    def _run(self) -> None:
        while (one := self._next()) is not None:
            self._try(one)

    def _next(self) -> _Waiting | None:
        """The oldest that is due; waits for one, and gives None at the end."""
        with self._changed:
            while not self._closing:
                moment = time.monotonic()
                if moment >= self._rest_until:
                    due = next((one for one in self._waiting if one.due <= moment), None)
                    if due is not None:
                        return due
                    soonest = min((one.due for one in self._waiting), default=None)
                else:
                    soonest = self._rest_until
                self._changed.wait(None if soonest is None else max(0.0, soonest - moment))
            return None

    def _try(self, one: _Waiting) -> None:
        status: int | None = None
        try:
            status = self.send(one.delivery)
            outcome: int | str = status
        except NotAllowed as problem:
            outcome = problem.message
        except (OSError, http.client.HTTPException, ValueError) as problem:
            outcome = f"no answer: {type(problem).__name__}"
        well = status is not None and 200 <= status < 300
        with self._changed:
            self._note(outcome, well)
            if well:
                self._refused = 0
                self._remove(one)
                return
            one.tries += 1
            if one.tries >= self.pace.tries:
                self._remove(one)
                self._give_up(one, str(outcome))
            else:
                one.pause = min(self.pace.cap, one.pause * 2) if one.pause else self.pace.first
                one.due = time.monotonic() + one.pause
            self._refused += 1
            if self._refused > 1:
                # Nothing was taken since: not this event but the receiver is the trouble.
                rest = min(_LONGEST_REST, self.pace.cap, self.pace.first * 2.0 ** min(self._refused - 2, 10))
                self._rest_until = time.monotonic() + rest

    def _note(self, outcome: int | str, well: bool) -> None:
        condition = self.condition
        condition.last_status, condition.last_at = outcome, iso(now_ms())
        self.told("delivered" if well else "failed", "")
        if well:
            condition.failing_since = None
        elif condition.failing_since is None:
            condition.failing_since = condition.last_at
            self.told("first-failure", str(outcome))

    def _remove(self, one: _Waiting) -> None:
        if one in self._waiting:
            self._waiting.remove(one)
            self.gone(one.delivery.id)

    def _give_up(self, one: _Waiting, why: str) -> None:
        self.condition.dropped += 1
        self.gone(one.delivery.id)
        self.told("dropped", f"{one.delivery.event} was given up: {why}")
