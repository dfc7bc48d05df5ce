"""One run of one session, from the lock to the last backup: startup, stay, shutdown.

::

    number -> run lock -> ladder (browser, profile, backups, link) -> ready -> saved -> stay ... -> leave

The run's own thread decides everything. The browser's connection, signals and other threads only put messages into its
inbox. What happens is told by callback; nothing here prints.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser import launch
from linda_cli.browser.binaries import browser_version, find_browser, find_driver, remember_version
from linda_cli.browser.features import Features, refuse_dropping
from linda_cli.browser.flags import Wish, arguments
from linda_cli.errors import BrowserFailed, Failed, Interrupted, LindaError
from linda_cli.lifecycle import orphans
from linda_cli.lifecycle.events import Event, OnEvent, event, head
from linda_cli.lifecycle.live import Live, bring_up
from linda_cli.lifecycle.options import Options
from linda_cli.lifecycle.patience import Patience
from linda_cli.sessions import story_log
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.durable import make_folder
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.store import Store
from linda_cli.whatsapp.signals import Signals, load
from linda_cli.whatsapp.state import PageState

if TYPE_CHECKING:
    from linda_cli.lifecycle.bot import Bot


class Stopped(Exception):
    """The run was asked to stop. Not an error: whoever holds a browser closes it on the way out."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the page of one browser said. Words of a browser that was let go of meanwhile are not listened to."""

    live: Live
    state: PageState


@dataclass(frozen=True, slots=True)
class Stop:
    """``keep_browser`` None: as the run's options have it."""

    reason: str
    keep_browser: bool | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """Something that the run waits for has changed elsewhere."""


@dataclass(slots=True)
class Run:
    """What one run knows. ``number`` None until the account is known; ``profile`` is where its browser runs."""

    store: Store
    options: Options
    on_event: OnEvent
    number: str | None = None
    profile: Path = field(default_factory=Path)
    live: Live | None = None
    stop_reason: str | None = None
    keep_browser: bool | None = None
    began_ms: int = field(default_factory=now_ms)
    was_ready: bool = False
    saved: bool = False
    source: str | None = None
    # The login that was ready in this run, by its digest; the page wipes the keys at a logout, so it is noted before.
    login: str | None = None
    fingerprint: str | None = None
    linking: bool = False
    root_said: bool = False
    unkept: list[dict[str, Any]] = field(default_factory=list)
    # The bot beside a run has a thread and events of its own.
    keeping: threading.Lock = field(default_factory=threading.Lock)
    patience: Patience = field(default_factory=lambda: Patience(0.0))
    locks: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    signals: Signals = field(init=False)
    bot: Bot | None = None
    inbox: queue.SimpleQueue[Said | Stop | Wake] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self.signals = load(self.options.signals)

    # -- from outside, any thread, signal handlers too

    def stop(self, reason: str, *, keep_browser: bool | None = None) -> None:
        """Ask the run to end; ``keep_browser`` overrules its options."""
        self.inbox.put(Stop(reason, keep_browser))

    def wake(self) -> None:
        """Make the run look again at what it waits for."""
        self.inbox.put(Wake())

    # -- telling

    def tell(self, what: str, /, **facts: Any) -> None:
        """Tell one event, and keep it in the session's log."""
        told = event(what, self.number, facts)
        self.keep(told)
        self.on_event(told)

    def keep(self, told: Event) -> None:
        """Keep an event, from any thread; those of a run that does not know its number yet wait for it."""
        with self.keeping:
            self.unkept.append({**head(told), **story_log.plain(told.event, told.facts)})
            if self.number is not None:
                for one in self.unkept:
                    story_log.append(self.store.home.session_log(self.number), one)
                self.unkept.clear()

    def note(self, **fields: Any) -> None:
        """Keep what is known of the session in the state file."""
        if self.number is not None:
            self.store.state.save(self.number, **fields)

    # -- hearing

    def hear(self, timeout: float | None) -> PageState | None:
        """The next word of the page that is watched now, None after ``timeout`` seconds. Raises ``Stopped``."""
        if self.stop_reason is not None:
            raise Stopped
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                message = self.inbox.get(timeout=patience)
            except queue.Empty:
                return None
            if isinstance(message, Stop):
                self._obey(message)
                raise Stopped
            if isinstance(message, Wake):
                return None
            if message.live is self.live:
                return message.state

    def interrupted(self) -> bool:
        """Whether a stop waits in the inbox; what else is there is of no browser that is watched yet."""
        with contextlib.suppress(queue.Empty):
            while True:
                message = self.inbox.get_nowait()
                if isinstance(message, Stop):
                    self._obey(message)
                    return True
        return self.stop_reason is not None

    def _obey(self, stop: Stop) -> None:
        self.stop_reason = stop.reason
        self.keep_browser = stop.keep_browser

    def heard(self, live: Live, state: PageState) -> None:
        """Called from the browser's thread."""
        self.inbox.put(Said(live, state))

    # -- browsers

    @contextlib.contextmanager
    def browser(self) -> Iterator[Live]:
        """Start a browser on ``profile`` and watch it. On any failure inside, it is closed again before that goes on.

        Raises ``Stopped``, ``BrowserFailed``, ``InUse``.
        """
        live = self._launch()
        self.live = live
        try:
            yield live
        except BaseException:
            self.close_browser()
            raise

    def _launch(self) -> Live:
        home = self.store.home
        binary = find_browser()
        find_driver()
        version = browser_version(binary, home.browser_facts)
        make_folder(self.profile)
        self.store.await_readers(self.profile, stop=self.interrupted)
        if self.stop_reason is not None:
            raise Stopped
        as_root = os.geteuid() == 0
        if as_root and not self.root_said:
            self.root_said = True
            self.tell("note", what="running as root, so Chromium runs without its own sandbox (--no-sandbox)")
        wish = Wish(
            profile=self.profile,
            url=self.options.url,
            version=version,
            headful=self.options.headful,
            as_root=as_root,
            extra=self.options.browser_args,
            formats=formats_of(self.profile),
        )
        starting = launch.begin(binary, arguments(wish), self.profile, home.browser_log(self.profile))
        try:
            live = bring_up(
                starting,
                self.interrupted,
                **self.watching(),
            )
        except (OSError, TimeoutError) as problem:
            launch.end(starting)
            raise BrowserFailed(
                f"the browser came up and went away again: {problem}", f"cat {starting.log}"
            ) from problem
        except BaseException:
            launch.end(starting)
            raise
        if live is None:
            raise Stopped
        # The browser's own word corrects what was remembered of it.
        with contextlib.suppress(OSError, TimeoutError):
            true_version = live.version()
            if true_version != version:
                remember_version(binary, true_version, home.browser_facts)
        return live

    def watching(self) -> dict[str, Any]:
        """How every browser of this run is watched and driven."""
        patched = self.store.home.drivers if self.options.engine == "undetected" else None
        return {
            "signals": self.signals,
            "tell": self.heard,
            "undetected": patched,
            "driver_at_once": self.options.driver_at_once,
        }

    def close_browser(self) -> bool:
        """Close the browser and wait until it has gone; True when it flushed everything."""
        live, self.live = self.live, None
        return live.close() if live is not None else True

    # -- ends

    def execute(self) -> None:
        """The whole run. Raises the named errors; returns where it was asked to stop or was done."""
        from linda_cli.lifecycle import ladder, leaving, staying

        try:
            with self.locks:
                self._take_session()
                try:
                    ladder.climb(self)
                    # Now, while the driver of this run attaches beside it: before the browser it would cost time.
                    for line in self.store.end_strays(self.profile):
                        self.tell("repaired", what=line)
                    staying.stay(self)
                    self._judge_bot()
                except Stopped:
                    if self.options.once and not self.saved:
                        raise Interrupted(
                            "stopped before the login was saved", f"linda start {self.number or ''}".strip()
                        ) from None
                finally:
                    leaving.leave(self)
        finally:
            self.locks.close()
            if self.bot is not None:
                self.bot.end()
                self.bot.close()

    @property
    def bot_runs(self) -> bool:
        """Whether a bot is beside this run that has not ended for good."""
        return self.bot is not None and self.bot.ended is None

    def _judge_bot(self) -> None:
        if self.bot is not None and self.bot.ended:
            raise Failed(
                f"the bot ended with exit code {self.bot.ended}", shlex.join(self.bot.command), code=self.bot.ended
            )

    def _take_session(self) -> None:
        store, home = self.store, self.store.home
        home.make()
        for line in orphans.end_dead_linkings(store):
            self.tell("repaired", what=line)
        store.adopt_leftovers()
        self.number = store.resolve(self.number, {} if self.number else os.environ)
        self.locks.enter_context(store.run_lock(self.number or "linking", run=True))
        if self.number is None:
            self.profile = home.new_linking()
        else:
            # An interrupted restore or linking of this session is put right before anyone looks at it.
            with store.store_lock(self.number):
                pass
            self.profile = store.profile(self.number)
        # Before anything is moved: with these the browser would drop a store that is there.
        refuse_dropping(Features.of(self.options.browser_args), formats_of(self.profile))

    def learn_number(self, number: str) -> None:
        """From now on this run is of ``number``: its lock is held too. Raises ``InUse``."""
        if self.number is None:
            self.locks.enter_context(self.store.run_lock(number, run=True))
            self.number = number

    def check_world(self, sandbox: bool | None) -> None:
        """Raise ``WorldsApart`` where this run and a login are of different worlds."""
        self.store.check_world(sandbox)

    def stopped_facts(self) -> Mapping[str, Any]:
        """What is kept of the end of a run."""
        problem = sys.exc_info()[1]
        reason = problem.message if isinstance(problem, LindaError) else None
        return {"lastStopped": iso(now_ms()), "lastStopReason": reason or self.stop_reason or "done"}
