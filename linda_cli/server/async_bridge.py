"""From the subscribers' threads to the event loop: events in their order, for whoever waits or passes them on there."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from linda_cli.lifecycle.events import Event
from linda_cli.server.event_bus import Published

Carrier = Callable[[Published], Awaitable[None]]
_WAITING = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    number: str
    names: Collection[str]
    found: asyncio.Future[Event]


class AsyncBridge:
    """A subscriber of the bus; ``run`` passes on what it heard. One for each server. ``say``: a line for the log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: asyncio.Queue[Published] = asyncio.Queue(_WAITING)
        self._waiters: list[_Waiter] = []
        self.dropped = 0

    def __call__(self, published: Published) -> None:
        """Called from the subscriber's thread. Before the loop runs and after it has ended nobody is there to hear."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._arrive, published)
        except RuntimeError:
            self._loop = None  # the loop was closed in this very moment

    def _arrive(self, published: Published) -> None:
        event = published.event
        for waiter in self._waiters:
            if waiter.number == event.session and event.event in waiter.names and not waiter.found.done():
                waiter.found.set_result(event)
        if self._arrived.full():
            self._arrived.get_nowait()
            self.dropped += 1
        self._arrived.put_nowait(published)

    async def run(self, carry: Carrier) -> None:
        """Pass every event on, one after the other, until cancelled. One that fails is said; the next is passed on."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                published = await self._arrived.get()
                try:
                    await carry(published)
                except Exception:  # noqa: BLE001 - see below
                    # A bug at one event must not end the hearing of all that come after it.
                    self._say(f"passing on {published.event.event} failed: {traceback.format_exc(limit=-3)}")
        finally:
            self._loop = None

    async def wait_for(
        self, number: str, names: Collection[str], act: Awaitable[object], seconds: float
    ) -> Event | None:
        """Do ``act`` and give the account's first event of these names from before it on; None after ``seconds``."""
        waiter = _Waiter(number, names, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await act
            return await asyncio.wait_for(waiter.found, seconds)
        except TimeoutError:
            return None
        finally:
            self._waiters.remove(waiter)
