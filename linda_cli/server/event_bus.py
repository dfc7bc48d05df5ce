"""One path for every event: publish, dispatch, and a bounded queue for each subscriber.

``publish`` only enqueues. A dispatcher gives each subscriber its event; each works on a thread of its own, so that none
holds up a session or another subscriber. One that falls behind loses its oldest events; one that dies is started again.
Both are said.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from linda_cli.lifecycle.events import Event

_INCOMING = 20_000
_WAITING = 5_000
_WATCH = 0.2


@dataclass(frozen=True, slots=True)
class Published:
    """An event and whose it is: the owner at the moment in which it happened."""

    event: Event
    owner: str | None


Subscriber = Callable[[Published], None]


@dataclass(slots=True)
class _Subscription:
    """One subscriber's queue and thread. ``dropped``: events that it lost because it was too slow."""

    name: str
    subscriber: Subscriber
    waiting: queue.Queue[Published | None]
    say: Callable[[str], None]
    dropped: int = 0
    thread: threading.Thread | None = None
    _said: float = field(default=0.0)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"subscriber-{self.name}", daemon=True)
        self.thread.start()

    def put(self, published: Published) -> None:
        """Never waits: where the queue is full the oldest event goes."""
        while True:
            try:
                self.waiting.put_nowait(published)
                return
            except queue.Full:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self.waiting.get_nowait()
        except queue.Empty:
            return  # it has caught up meanwhile
        self.waiting.task_done()
        self.dropped += 1
        if time.monotonic() - self._said > 60:
            self._said = time.monotonic()
            self.say(f"the subscriber {self.name} is too slow: {self.dropped} events were dropped so far")

    def _run(self) -> None:
        while True:
            published = self.waiting.get()
            try:
                if published is None:
                    return
                self.subscriber(published)
            except Exception:  # noqa: BLE001 - a bug in one subscriber is said, and the next event is told all the same
                name = published.event.event if published is not None else "the end"
                self.say(f"the subscriber {self.name} failed at {name}: {traceback.format_exc(limit=-3)}")
            finally:
                self.waiting.task_done()


class EventBus:
    """``owner_of``: whose a number is. ``say``: a line for the log."""

    def __init__(self, owner_of: Callable[[str], str | None], say: Callable[[str], None]) -> None:
        self._owner_of = owner_of
        self._say = say
        self._incoming: queue.Queue[Published | None] = queue.Queue(_INCOMING)
        self._subscriptions: list[_Subscription] = []
        self._dispatcher: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()
        self.dropped = 0

    def subscribe(self, name: str, subscriber: Subscriber, waiting: int = _WAITING) -> None:
        """Hear every event from now on, on a thread of the subscriber's own."""
        subscription = _Subscription(name, subscriber, queue.Queue(waiting), self._say)
        subscription.start()
        self._subscriptions.append(subscription)

    def publish(self, event: Event, *, owner: str | None = None) -> None:
        """Pass an event on, for its account's owner unless one is named. Waits for nothing."""
        if owner is None and event.session is not None:
            owner = self._owner_of(event.session)
        published = Published(event, owner)
        with self._lock:
            if self._closed:
                return
            if self._dispatcher is None or not self._dispatcher.is_alive():
                if self._dispatcher is not None:
                    self._say("the dispatcher of events had ended and was started again")
                self._dispatcher = threading.Thread(target=self._dispatch, name="event-dispatcher", daemon=True)
                self._dispatcher.start()
            try:
                self._incoming.put_nowait(published)
            except queue.Full:
                self.dropped += 1

    def _dispatch(self) -> None:
        while True:
            try:
                published = self._incoming.get(timeout=_WATCH)
            except queue.Empty:
                self._watch()
                continue
            if published is None:
                return
            for subscription in list(self._subscriptions):
                subscription.put(published)
            self._watch()

    def _watch(self) -> None:
        for one in list(self._subscriptions):
            if one.thread is not None and not one.thread.is_alive() and not self._closed:
                self._say(f"the subscriber {one.name} had ended and was started again")
                one.start()

    def waiting(self) -> dict[str, int]:
        """How many events wait for each subscriber."""
        return {one.name: one.waiting.qsize() for one in list(self._subscriptions)}

    def lost(self) -> dict[str, int]:
        """How many events each subscriber has lost."""
        return {one.name: one.dropped for one in list(self._subscriptions)}

    def close(self, within: float = 2.0) -> bool:
        """Let what was published be heard, then end; False where a subscriber did not keep up in time."""
        deadline = time.monotonic() + within
        with self._lock:
            self._closed = True
            dispatcher = self._dispatcher
        if dispatcher is not None:
            try:
                self._incoming.put(None, timeout=within)
            except queue.Full:
                return False
            dispatcher.join(max(0.0, deadline - time.monotonic()))
        done = True
        for one in self._subscriptions:
            while one.waiting.unfinished_tasks and time.monotonic() < deadline:
                time.sleep(0.005)
            done = done and not one.waiting.unfinished_tasks
            try:
                one.waiting.put_nowait(None)
            except queue.Full:
                done = False
        return done
