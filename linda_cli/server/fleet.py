"""All accounts of one server: who is up, bringing up, stopping, restoration and cleanup."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from linda_cli.errors import LindaError
from linda_cli.lifecycle.events import Event, OnEvent, event, head
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.start import prepare
from linda_cli.lifecycle.store import store_at
from linda_cli.server.accounts import LOCAL, Account, Accounts
from linda_cli.server.hub import Hub
from linda_cli.server.keeper import Keeper
from linda_cli.server.restoration import Restoration
from linda_cli.server.settings import Settings
from linda_cli.server.view import View
from linda_cli.sessions import story_log
from linda_cli.sessions.home import Home


class Fleet:
    """The accounts that this server looks after. Its methods may be called from any thread."""

    def __init__(self, home: Home, settings: Settings, accounts: Accounts, hub: Hub, note: OnEvent) -> None:
        self.home = home
        self.settings = settings
        self.accounts = accounts
        self.restoration = Restoration(settings)
        self._hub = hub
        self._note = note
        self._keepers: dict[str, Keeper] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    # -- one account

    def view(self, number: str) -> View:
        """What is known of an account here and now."""
        keeper = self._keepers.get(number)
        return keeper.view if keeper is not None else View()

    def views(self) -> dict[str, View]:
        """The same of every account that was up."""
        return {number: keeper.view for number, keeper in list(self._keepers.items())}

    def keeper(self, number: str) -> Keeper:
        """Who looks after this number."""
        with self._lock:
            if number not in self._keepers:
                self._keepers[number] = Keeper(number, self._make_run, self.tell, self.say, self.settings.pace)
            return self._keepers[number]

    def start(self, number: str, link: str | None) -> None:
        """Bring an account up; ``link`` is how to link where nothing is left to restore."""
        if not self._closing.is_set():
            self.keeper(number).start(link)

    def stop(self, number: str, *, wait: float = 0.0) -> bool:
        """Close an account's browser. True when it has ended within ``wait`` seconds."""
        keeper = self.keeper(number)
        keeper.stop("asked to")
        return keeper.join(wait)

    def forget(self, number: str) -> None:
        """An account that was taken off the record."""
        with self._lock:
            self._keepers.pop(number, None)

    def _make_run(self, number: str, on_event: OnEvent, link: str | None) -> Run:
        settings = self.settings
        return prepare(
            self.home,
            number,
            on_event,
            browser_args=settings.browser_args,
            link_with=link or "qr",
            no_link=link is None,
            timeout=settings.timeout,
            qr_timeout=settings.qr_timeout,
            backup_every=settings.backup_every,
            takeover=settings.takeover,
            engine=settings.engine,
            pace=settings.pace,
            # After a logout nobody may be looking: whoever wants to link again asks for it.
            link_again=False,
            driver_at_once=False,
        )

    def tell(self, told: Event) -> None:
        """Pass an event of an account on to all who hear."""
        if told.event == "session_restoration_failed":
            story_log.append(self.home.session_log(str(told.session)), {**head(told), **told.facts})
        self._hub.tell(told)

    def say(self, what: str) -> None:
        """A line for the server's log."""
        self._note(event("note", None, {"what": what}))

    @property
    def closing(self) -> bool:
        """Whether the server is on its way out."""
        return self._closing.is_set()

    # -- the whole

    def begin(self) -> None:
        """Start restoration and cleanup beside whatever else goes on."""
        for name, what in (("restoration", self._restore), ("cleanup", self._clean_up)):
            threading.Thread(target=what, name=name, daemon=True).start()

    def _restore(self) -> None:
        store = store_at(self.home)

        def start(number: str, settled: Callable[[bool], None]) -> None:
            self.keeper(number).start(None, settled)

        try:
            self.restoration.run(
                self._to_restore, start, lambda number: store.world.running(store.profile(number)) is not None
            )
        except Exception as problem:  # noqa: BLE001 - logged as a bug; the other accounts go on
            self.say(f"restoration failed: {problem}")
        if not self._closing.is_set():
            self.say(f"restoration has finished: {self.restoration.restored} ready, {self.restoration.failed} failed")

    def _to_restore(self) -> list[Account]:
        self.adopt()
        return self.accounts.valid()

    def adopt(self) -> None:
        """Put sessions that the command line has made on record, and believe it where it has restored one."""
        store = store_at(self.home)
        known = {one.client_id: one for one in self.accounts.all()}
        for number in store.numbers():
            entry = store.state.entry(number)
            linked, state = bool(entry.get("isLinked")), str(entry.get("lastState") or "new")
            there = known.get(number)
            if there is None:
                self.accounts.add(number, LOCAL, linked=linked, auth_state=state)
            elif linked and not there.session_data.session_valid:
                self.accounts.change(number, {"session_valid": True, "auth_state": state})

    def _clean_up(self) -> None:
        while not self._closing.wait(self.settings.cleanup_every):
            try:
                done = store_at(self.home, self.say).cleanup()
            except (LindaError, OSError) as problem:
                self.say(f"cleanup failed: {problem}")
                continue
            if done.removed:
                self.say(f"cleanup removed {done.removed} things, {done.freed // 1_000_000} MB")

    def close(self) -> list[str]:
        """End every run side by side, within the settings' time. Gives the numbers that did not end in it."""
        self._closing.set()
        self.restoration.stop()
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.stop("the server stops", keep_browser=self.settings.keep_browsers)
        deadline = time.monotonic() + self.settings.stop_within
        return [one.number for one in keepers if not one.join(max(0.0, deadline - time.monotonic()))]


def plain(told: Event) -> Event:
    """An event without what would let somebody in, for a log."""
    return replace(told, facts=story_log.plain(told.event, told.facts))
