"""From the runs' threads to the event loop: events in their order, for whoever waits or passes them on there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from linda_cli.lifecycle.events import Event

Carrier = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    number: str
    names: Collection[str]
    found: asyncio.Future[Event]


class Relay:
    """Listens to the hub; ``run`` carries what it heard on. One for each server."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: asyncio.Queue[Event] = asyncio.Queue()
        self._waiting: list[_Waiting] = []

    def __call__(self, told: Event) -> None:
        """Called from any thread. Before the loop runs and after it has ended nobody is there to hear."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._arrive, told)

    def _arrive(self, told: Event) -> None:
        for one in self._waiting:
            if one.number == told.session and told.event in one.names and not one.found.done():
                one.found.set_result(told)
        self._arrived.put_nowait(told)

    async def run(self, carry: Carrier) -> None:
        """Pass every event on, one after the other, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await carry(await self._arrived.get())
        finally:
            self._loop = None

    async def wait_for(
        self, number: str, names: Collection[str], act: Awaitable[object], seconds: float
    ) -> Event | None:
        """Do ``act`` and give the first event of these names that the account tells from before it on; else None."""
        waiting = _Waiting(number, names, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await act
            return await asyncio.wait_for(waiting.found, seconds)
        except TimeoutError:
            return None
        finally:
            self._waiting.remove(waiting)
