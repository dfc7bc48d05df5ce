"""The public Python API: the store, and ``start`` for bots."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser import warm
from linda_cli.errors import LindaError
from linda_cli.lifecycle.events import Event, OnEvent
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.start import prepare
from linda_cli.lifecycle.world import Machine
from linda_cli.sessions.home import find_home
from linda_cli.sessions.store import Store as _Store

if TYPE_CHECKING:
    from linda_cli.browser.driver import WebDriver


class Store(_Store):
    """The sessions of one home, without a browser: the seeds' ``SessionManager``.

    ``home``: a folder, else found as the command line finds it. Every method raises the named errors of
    ``linda_cli.errors`` and returns the value that the command of the same name prints.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        found = find_home(Path(home) if home is not None else None)
        super().__init__(found, Machine(found.home))


class Live:
    """A session that is up. ``driver`` is Selenium on a page that is ready."""

    def __init__(self, run: Run, heard: queue.SimpleQueue[Event | None]) -> None:
        self._run = run
        self._heard = heard

    @property
    def driver(self) -> WebDriver:
        """Selenium, attached to the browser; attached again where the browser was replaced."""
        if self._run.live is None:
            raise LindaError("the session is reconnecting", "wait for the event reconnected")
        return self._run.live.driver

    @property
    def number(self) -> str:
        """The linked number."""
        return str(self._run.number)

    def events(self) -> Iterator[Event]:
        """Everything that happened so far and happens from here on, until the run ends."""
        while (told := self._heard.get()) is not None:
            yield told


@contextlib.contextmanager
def start(
    number: str | None = None,
    on_event: OnEvent | None = None,
    *,
    home: Path | str | None = None,
    **options: Any,
) -> Iterator[Live]:
    """Bring a session up as ``linda start`` does and stay with it until the block ends.

    ``options`` are the long options of ``linda start`` with underscores (``keep_browser=True``, ``timeout=60.0``).
    ``driver_at_once=False`` attaches no ChromeDriver before ``live.driver`` is asked for, which spares its memory.
    ``on_event`` is called from the run's own thread. Raises the named errors; a code to scan is an event ``qr``.
    """
    heard: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    ready = threading.Event()
    problem: list[BaseException] = []

    def tell(told: Event) -> None:
        heard.put(told)
        if on_event is not None:
            on_event(told)
        if told.event == "ready":
            ready.set()

    run = prepare(find_home(Path(home) if home is not None else None).home, number, tell, **options)

    def walk() -> None:
        try:
            run.execute()
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
            problem.append(failure)
        finally:
            heard.put(None)
            ready.set()

    thread = threading.Thread(target=walk, name="linda", daemon=True)
    thread.start()
    if run.options.driver_at_once:
        # The bot is going to ask for it; a command line has no use for it.
        threading.Thread(target=warm.up_selenium, name="selenium", daemon=True).start()
    try:
        ready.wait()
        if problem:
            raise problem[0]
        yield Live(run, heard)
    finally:
        run.stop("the block ended")
        thread.join()
    if problem:
        raise problem[0]
