"""Where events of all accounts meet and go on from. What a listener does wrong is never a session's trouble."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from linda_cli.lifecycle.events import Event, OnEvent


class Hub:
    """Tells every event to every listener, in order, on the thread it came from. Listeners must be quick."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        self._trouble = trouble
        self._listeners: list[OnEvent] = []

    def listen(self, listener: OnEvent) -> None:
        """Hear every event from now on."""
        self._listeners.append(listener)

    def tell(self, told: Event) -> None:
        """Pass an event on."""
        for listener in self._listeners:
            try:
                listener(told)
            except Exception:  # noqa: BLE001 - logged as a bug; the other subscribers hear it
                # A database that is away, a bug in a webhook: said, and the session goes on.
                self._trouble(f"passing on {told.event} of {told.session} failed: {traceback.format_exc(limit=-3)}")
