"""One run of one session: a loop around a pure function.

::

    observation -> Knowledge.after(observation) -> decide(knowledge, now) -> actions -> observations -> ...

The loop's own thread decides everything. The browser's connection, signals, lanes and other threads only put
observations into its inbox. What happens is told by callback; nothing here prints.
"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser.binaries import find_browser, find_driver
from linda_cli.browser.features import Features, refuse_dropping
from linda_cli.errors import HomeUnusable, LindaError, Misused
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle import orphans
from linda_cli.lifecycle.actions import Actions, Reported
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.events import Event, OnEvent, event, head
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.observations import Observation
from linda_cli.lifecycle.options import LinkMethod, Options
from linda_cli.sessions import story_log
from linda_cli.sessions.copies import other_copy
from linda_cli.sessions.login import read_login
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.store import Store
from linda_cli.whatsapp.selectors import load

if TYPE_CHECKING:
    from linda_cli.lifecycle.bot import Bot
    from linda_cli.lifecycle.browser_session import BrowserSession
    from linda_cli.lifecycle.service_manager import ServiceManager

_LONGEST_WAIT = 60.0


class Run:
    """One run of one session. ``number`` None until the account is known."""

    def __init__(self, store: Store, options: Options, on_event: OnEvent, number: str | None = None) -> None:
        self.store = store
        self.options = options
        self.on_event = on_event
        self.number = number
        self.bot: Bot | None = None
        self.service_manager: ServiceManager | None = None
        self._inbox: queue.SimpleQueue[Observation] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._locks = contextlib.ExitStack()
        self._unkept: list[dict[str, Any]] = []
        # The bot beside a run has a thread and events of its own.
        self._keeping = threading.Lock()
        self._began = time.monotonic()
        self._actions = Actions(
            store,
            options,
            load(options.signals),
            self._inbox.put,
            self._tell_facts,
            lambda: self.number,
            self._take_number,
            self._stopping.is_set,
        )

    # -- from outside, any thread, signal handlers too

    def stop(self, reason: str, *, keep_browser: bool | None = None) -> None:
        """Ask the run to end; ``keep_browser`` overrules its options."""
        self._stopping.set()
        self._inbox.put(seen.StopAsked(reason, keep_browser, at=time.monotonic()))

    def wake(self) -> None:
        """Make the run look again at what it waits for."""
        self._inbox.put(seen.Woken(at=time.monotonic()))

    @property
    def live(self) -> BrowserSession | None:
        """The browser that is up now."""
        return self._actions.held.session

    # -- telling

    def tell(self, what: str, /, **facts: Any) -> None:
        """Tell one event, and keep it in the session's log."""
        self._tell_facts(what, facts)

    def _tell_facts(self, what: str, facts: Mapping[str, Any]) -> None:
        told = event(what, self.number, facts, began=self._began)
        self.keep(told)
        self.on_event(told)

    def keep(self, told: Event) -> None:
        """Keep an event, from any thread; those of a run that does not know its number yet wait for it."""
        with self._keeping:
            self._unkept.append({**head(told), **story_log.plain(told.event, told.facts)})
            if self.number is not None:
                self._keep_as(self.number)

    def _keep_as(self, name: str) -> None:
        for line in self._unkept:
            story_log.append(self.store.home.session_log(name), line)
        self._unkept.clear()

    # -- the run

    def execute(self) -> None:
        """The whole run. Raises the named errors; returns where it was asked to stop or was done."""
        error: LindaError | None = None
        try:
            with self._locks:
                try:
                    self._take_session()
                    error = self._loop()
                finally:
                    self._actions.abandon()
        except LindaError as problem:
            error = problem
        finally:
            if error is not None:
                self.keep(
                    event("error", self.number, {"name": error.name, "message": error.message}, began=self._began)
                )
            if self.number is None:
                with self._keeping:
                    # A first start that did not come to a number has a log that ``linda logs`` shows.
                    self._keep_as("linking")
            if self.bot is not None:
                self.bot.end()
                self.bot.close()
        if error is not None:
            raise error

    def _take_session(self) -> None:
        store, home = self.store, self.store.home
        if (
            self.options.link_with is LinkMethod.CODE
            and store.resolve(self.number, {} if self.number else os.environ) is None
        ):
            raise Misused(
                "a pairing code is made for a number, and none was named", "linda start 971505760056 --link-with code"
            )
        _require_utf8(home.root, home.sessions)
        # Before anything is moved: without a browser no restore step can hold.
        find_browser()
        if self.options.driver_at_once:
            find_driver()
        if self.number is not None:
            # Before anything is moved: with these features the browser would drop a store that is there.
            refuse_dropping(Features.of(self.options.browser_args), formats_of(store.profile(self.number)))
        home.make()
        for line in orphans.end_dead_linkings(store):
            self.tell("repaired", what=line)
        store.adopt_leftovers()
        self.number = store.resolve(self.number, {} if self.number else os.environ)
        self._locks.enter_context(store.run_lock(self.number or "linking", run=True))
        for other in store.other_logins():
            # A code would be shown beside a login that works.
            if self.number in (None, other.session):
                self.tell("note", what=other.warning)
        if self.number is None:
            self.tell("checked", verdict="missing", checks=())
        else:
            # An interrupted restore or linking of this session is put right before anyone looks at it.
            with store.store_lock(self.number):
                pass
            if store.state.entry(self.number).get("lastState") == "ready":
                # The word of a run that was killed: this one has not said it yet (linda info --check).
                self._actions.begin(do.Note({"lastState": "disconnected"}))
            self._warn_of_copies(self.number)

    def _warn_of_copies(self, number: str) -> None:
        """Say where this login may run as well: the two would take it from each other."""
        login = read_login(self.store.profile(number))
        copy = other_copy(self.store.state.entry(number), login.digests) if login is not None else None
        if copy is not None:
            self.tell("note", what=copy.warning)

    def _take_number(self, number: str) -> None:
        """From now on this run is of ``number``: its lock is held too. Raises ``InUse``."""
        if self.number is None:
            self._locks.enter_context(self.store.run_lock(number, run=True))
            self.number = number

    def _loop(self) -> LindaError | None:
        now = time.monotonic()
        know = Knowledge.at_start(self.options, self.number, now, random.random())
        know = know.after(seen.BotSeen(self._bot_runs(), at=know.began))
        self._actions.held.bot = self.bot
        orphans_ended = False
        while True:
            if self.service_manager is not None:
                # Here, because this is what must not hang.
                self.service_manager.alive()
            for action in self._decided(know):
                if isinstance(action, do.End):
                    return action.error
                if isinstance(action, do.Wait):
                    know = self._heard(know, action.until)
                    break
                for observation in self._actions.begin(action):
                    know = know.after(observation)
            know = know.after(seen.BotSeen(self._bot_runs(), self._bot_code(), at=time.monotonic()))
            if know.was_ready and not orphans_ended:
                orphans_ended = True
                # Now, while the driver of this run attaches beside it: before the browser it would cost time.
                for line in self.store.end_strays(self._actions.held.profile):
                    self.tell("repaired", what=line)

    def _decided(self, know: Knowledge) -> tuple[do.Action, ...]:
        return decide(know, time.monotonic())

    def _heard(self, know: Knowledge, until: float) -> Knowledge:
        """What is known after the next observations, or after a while."""
        longest = self.service_manager.every if self.service_manager is not None else None
        patience = min(longest or _LONGEST_WAIT, _LONGEST_WAIT, max(0.0, until - time.monotonic()))
        try:
            observation = self._inbox.get(timeout=patience)
        except queue.Empty:
            return know
        while True:
            know = self._taken(know, observation)
            try:
                observation = self._inbox.get_nowait()
            except queue.Empty:
                return know

    def _taken(self, know: Knowledge, observation: Observation) -> Knowledge:
        if isinstance(observation, Reported):
            for what, facts in observation.events:
                self._tell_facts(what, facts)
            observation = observation.observation
        elif isinstance(observation, seen.Remark):
            self.tell("note", what=observation.line)
        return know.after(observation)

    def _bot_runs(self) -> bool:
        """Whether a bot is beside this run that has not ended for good."""
        return self.bot is not None and self.bot.ended is None

    def _bot_code(self) -> int | None:
        return self.bot.ended if self.bot is not None else None


def _require_utf8(*folders: Path) -> None:
    """Chromium keeps no login in a folder whose path is not UTF-8: it starts, and opens another one.

    Raises ``HomeUnusable``.
    """
    for folder in folders:
        try:
            str(folder.absolute()).encode("utf-8")
        except UnicodeEncodeError as problem:
            raise HomeUnusable(
                f"the path {str(folder)!a} is not UTF-8, and Chromium cannot keep a login there",
                "linda --home ~/linda start",
            ) from problem
