"""The public Python API: the store, and ``start`` for bots."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linda_cli.browser import warm
from linda_cli.errors import BadNumber, LindaError, Misused
from linda_cli.lifecycle.events import Event, OnEvent
from linda_cli.lifecycle.options import Engine, LinkMethod, Options, Pace, chosen
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.start import prepare
from linda_cli.lifecycle.world import Machine
from linda_cli.sandbox.beside import stand_in
from linda_cli.sessions.clock import parse_age
from linda_cli.sessions.home import find_home
from linda_cli.sessions.sizes import parse_megabytes
from linda_cli.sessions.store import Store as _Store

if TYPE_CHECKING:
    from linda_cli.browser.driver import WebDriver


class Store(_Store):
    """The sessions of one home, without a browser.

    ``home``: a folder, else found as the command line finds it. Every method raises the named errors of
    ``linda_cli.errors`` and returns the value that the command of the same name prints.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        found = find_home(_path(home, "home"))
        super().__init__(found, Machine(found.home))


class Session:
    """A session that is up. ``driver`` is Selenium on a page that is ready."""

    def __init__(self, run: Run, events: queue.SimpleQueue[Event | None]) -> None:
        self._run = run
        self._events = events

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
        while (event := self._events.get()) is not None:
            yield event


Live = Session
"""The name that ``Session`` had before; it stays."""


@contextlib.contextmanager
def start(
    number: str | None = None,
    on_event: OnEvent | None = None,
    *,
    home: Path | str | None = None,
    sandbox: bool = False,
    link_with: Literal["qr", "code"] = "qr",
    no_link: bool = False,
    headful: bool = False,
    engine: Literal["selenium", "undetected"] = "selenium",
    once: bool = False,
    keep_browser: bool = False,
    timeout: float = 120.0,
    qr_timeout: float = 0.0,
    qr_file: Path | str | None = None,
    max_generations: int = 3,
    backup_every: float | str = "6h",
    takeover: bool = False,
    hung_after: float = 10.0,
    signals: Path | str | None = None,
    max_memory: int | str = 0,
    proxy: str | None = None,
    remote: str | None = None,
    browser_args: Sequence[str] = (),
    can_show: bool = True,
    link_again: bool = True,
    driver_at_once: bool = True,
    pace: Pace | None = None,
) -> Iterator[Session]:
    """Bring a session up as ``linda start`` does, and stay with it until the block ends.

    The options are those of ``linda start``. Times are seconds; ``backup_every`` also takes ``"6h"``, and 0 is never.
    ``max_memory``: megabytes, or ``"1.5G"``, past which the browser is restarted in a quiet moment; 0 is never.
    ``sandbox``: the sandbox's home below this one, and its page instead of WhatsApp Web. ``driver_at_once`` False:
    ChromeDriver starts when ``driver`` is first asked for, which saves its memory. ``can_show`` False: nobody can see
    a code, so that a logout ends the run; ``link_again`` False: it ends the run in any case.
    ``pace``: how patient the run is, for tests that cannot wait as long as the real page needs.
    ``remote``: an object store that gets the backups, else ``LINDA_REMOTE``.
    ``on_event`` is called from the run's own thread; a code to scan is the event ``qr``.

    Raises the named errors of ``linda_cli.errors``: ``BadNumber`` and ``Misused`` for arguments that are wrong, before
    anything is touched.
    """
    _check(number, on_event, sandbox, browser_args)
    options: dict[str, Any] = {
        "no_link": no_link,
        "headful": headful,
        "once": once,
        "keep_browser": keep_browser,
        "timeout": timeout,
        "qr_timeout": qr_timeout,
        "qr_file": _path(qr_file, "qr_file"),
        "max_generations": max_generations,
        "backup_every": parse_age(backup_every) if isinstance(backup_every, str) else backup_every,
        "takeover": takeover,
        "hung_after": hung_after,
        "signals": _path(signals, "signals"),
        "max_memory": parse_megabytes(max_memory) if isinstance(max_memory, str) else max_memory,
        "can_show": can_show,
        "link_again": link_again,
        "driver_at_once": driver_at_once,
        "pace": pace if pace is not None else Pace(),
    }
    Options(**options, link_with=chosen(LinkMethod, link_with, "link_with"), engine=chosen(Engine, engine, "engine"))
    where = find_home(_path(home, "home")).home
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    ready = threading.Event()
    problem: list[BaseException] = []

    def tell(event: Event) -> None:
        events.put(event)
        if on_event is not None:
            on_event(event)
        if event.event == "ready":
            ready.set()

    with contextlib.ExitStack() as around:
        arguments = tuple(browser_args)
        if sandbox:
            where = where.sandbox()
            arguments = (*around.enter_context(stand_in(where.sandbox_server, keep=keep_browser)), *arguments)
        run = prepare(
            where,
            number,
            tell,
            browser_args=arguments,
            proxy=proxy,
            remote=remote,
            link_with=link_with,
            engine=engine,
            **options,
        )

        def walk() -> None:
            try:
                run.execute()
            except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
                problem.append(failure)
            finally:
                events.put(None)
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
            yield Session(run, events)
        finally:
            run.stop("the block ended")
            thread.join()
        if problem:
            raise problem[0]


def _check(number: object, on_event: object, sandbox: object, browser_args: object) -> None:
    """What annotations ask for, asked again of callers who do not check types."""
    if number is not None and not isinstance(number, str):
        raise BadNumber(f"a number is a string, not {number!r}", f"start({str(number)!r})")
    if on_event is not None and not callable(on_event):
        raise Misused(f"on_event is a function of one event, not {on_event!r}", _HINT)
    if type(sandbox) is not bool:
        raise Misused(f"sandbox is True or False, not {sandbox!r}", _HINT)
    if isinstance(browser_args, str) or not isinstance(browser_args, Sequence):
        raise Misused(f"browser_args is a list of strings, not {browser_args!r}", _HINT)
    for argument in browser_args:
        if not isinstance(argument, str):
            raise Misused(f"browser_args is a list of strings, and {argument!r} is none", _HINT)


def _path(given: object, name: str) -> Path | None:
    if given is None or isinstance(given, Path):
        return given
    if not isinstance(given, str):
        raise Misused(f"{name} is a path, not {given!r}", _HINT)
    return Path(given)


_HINT = "python -c 'import linda_cli; help(linda_cli.start)'"
