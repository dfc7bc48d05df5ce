"""All accounts of one server: who is up, bringing up, stopping, restoration and cleanup."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from linda_cli.errors import LindaError
from linda_cli.lifecycle.events import Event, OnEvent, event, head
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.start import prepare
from linda_cli.lifecycle.store import store_at
from linda_cli.server.account_state import AccountState, columns, reduce
from linda_cli.server.accounts import Account, Accounts
from linda_cli.server.config import Settings
from linda_cli.server.event_bus import EventBus
from linda_cli.server.rate_limit import RateLimit
from linda_cli.server.startup import Restoration
from linda_cli.server.supervisor import AccountSupervisor
from linda_cli.sessions import backups as saved_copies
from linda_cli.sessions import story_log
from linda_cli.sessions.home import Home
from linda_cli.sessions.manifest import read_manifest
from linda_cli.sessions.memory_history import MemoryHistory
from linda_cli.sessions.ownership import login_owner

STOPPED_BY_A_PERSON = "stopped by you"
_MEMORY_EVERY = 10.0


class Supervisors:
    """The accounts that this server looks after. Its methods may be called from any thread."""

    def __init__(
        self, home: Home, settings: Settings, accounts: Accounts, bus: EventBus, limit: RateLimit, note: OnEvent
    ) -> None:
        self.home = home
        self.settings = settings
        self.accounts = accounts
        self.restoration = Restoration(settings)
        self._bus = bus
        self._limit = limit
        self._note = note
        self._all: dict[str, AccountSupervisor] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._memory: dict[str, int] = {}
        self._histories: dict[str, MemoryHistory] = {}

    # -- one account

    def state(self, number: str) -> AccountState:
        """What is known of an account here and now."""
        supervisor = self._all.get(number)
        return supervisor.state if supervisor is not None else AccountState()

    def states(self) -> dict[str, AccountState]:
        """The same of every account that was up."""
        return {number: supervisor.state for number, supervisor in list(self._all.items())}

    def supervisor(self, number: str) -> AccountSupervisor:
        """Who looks after this number."""
        with self._lock:
            if number not in self._all:
                self._all[number] = AccountSupervisor(
                    number, self._make_run, self.publish, self.say, self.settings.pace,
                    lambda: self._limit.hit(self.accounts.owner_of(number) or ""),
                )  # fmt: skip
            return self._all[number]

    def start(self, number: str, link: str | None, *, counted: bool = False) -> None:
        """Bring an account up; ``link`` is how to link where nothing is left to restore."""
        if not self._closing.is_set():
            self.supervisor(number).start(link, counted=counted, take_back=link is None)

    def stop(self, number: str, *, wait: float = 0.0) -> bool:
        """Close an account's browser. True when it has ended within ``wait`` seconds."""
        supervisor = self.supervisor(number)
        supervisor.stop(STOPPED_BY_A_PERSON)
        return supervisor.join(wait)

    def forget(self, number: str) -> None:
        """An account that was taken off the record, or is somebody else's now."""
        with self._lock:
            self._all.pop(number, None)

    def _make_run(self, number: str, on_event: OnEvent, link: str | None) -> Run:
        settings = self.settings
        return prepare(
            self.home,
            number,
            on_event,
            browser_args=settings.browser_args,
            owner=self.accounts.owner_of(number),
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
            max_memory=settings.max_memory,
            proxy=self.accounts.proxy_of(number),
            remote=settings.remote,
        )

    def publish(self, heard: Event) -> None:
        """Record an event of an account and pass it on. Waits for nobody."""
        if heard.session is not None:
            self.accounts.change(heard.session, columns(heard))
        if heard.event in ("session_restoration_failed", "removal_failed"):
            story_log.append(self.home.session_log(str(heard.session)), {**head(heard), **heard.facts})
        self._bus.publish(heard)

    def tell_problem(self, told: Event) -> None:
        """The same for an event that did not come from a run, and belongs to the account's state."""
        supervisor = self.supervisor(str(told.session))
        supervisor.state = reduce(supervisor.state, told)
        self.publish(told)

    def say(self, what: str) -> None:
        """A line for the server's log."""
        self._note(event("note", None, {"what": what}))

    @property
    def closing(self) -> bool:
        """Whether the server is on its way out."""
        return self._closing.is_set()

    # -- memory

    def memory(self) -> dict[str, int]:
        """Megabytes of each account's browser with its processes, at most some ten seconds old."""
        return dict(self._memory)

    def memory_peak(self, number: str) -> int | None:
        """Megabytes that the account's browser took at most over the last day, None where it was never measured."""
        history = self._histories.get(number)
        return history.peak_mb if history is not None else None

    def measure(self) -> int:
        """Megabytes of all browsers; those that came up since the last look are looked at now. Takes a while."""
        up = {number for number, state in self.states().items() if state.up}
        if up != self._memory.keys():
            self._look(up)
        return sum(self._memory.values())

    def _look(self, up: set[str]) -> None:
        store = store_at(self.home)
        found: dict[str, int] = {}
        for number in up:
            running = store.world.running(store.profile(number), memory=True)
            found[number] = running.memory_mb if running is not None else 0
            if running is not None:
                history = self._histories.setdefault(number, MemoryHistory(self.home.memory_history(number)))
                # A history that cannot be kept is no reason to measure no more.
                with contextlib.suppress(OSError):
                    history.add(running.memory_mb)
        self._memory = found

    def _measure(self) -> None:
        while not self._closing.wait(_MEMORY_EVERY):
            try:
                self._look({number for number, state in self.states().items() if state.up})
            except OSError as problem:
                self.say(f"the browsers' memory could not be read: {problem}")

    # -- the whole

    def begin(self) -> None:
        """Start restoration and cleanup beside whatever else goes on."""
        for name, what in (("restoration", self._restore), ("cleanup", self._clean_up), ("memory", self._measure)):
            threading.Thread(target=what, name=name, daemon=True).start()

    def _restore(self) -> None:
        store = store_at(self.home)

        def start(number: str, settled: Callable[[bool], None]) -> None:
            self.supervisor(number).start(None, settled)

        try:
            self.restoration.run(
                self._to_restore, start, lambda number: store.world.running(store.profile(number)) is not None
            )
        except Exception as problem:  # noqa: BLE001 - see below
            # Whatever keeps all accounts from coming up is said; the server goes on for what can be asked of it.
            self.say(f"restoration failed: {problem}")
        if not self._closing.is_set():
            self.say(f"restoration has finished: {self.restoration.restored} ready, {self.restoration.failed} failed")

    def _to_restore(self) -> list[Account]:
        self.adopt()
        return self.accounts.valid()

    def claim(self) -> None:
        """Take over what an older linda recorded without homes and without the owners of logins."""
        store = store_at(self.home)
        # The database in the home is this home's alone; of a shared one only what has a session here is known to be.
        taken = self.accounts.claim(store.numbers(), all_of_them=self.settings.database_url is None)
        for number, owner, linked in taken:
            if linked and "owner" not in store.state.entry(number):
                self._own(number, owner, from_owner=None)

    def _own(self, number: str, owner: str, from_owner: str | None) -> None:
        """Make a login and its backups an owner's; ``from_owner``: only those that were this one's."""
        store = store_at(self.home)
        with store.store_lock(number):
            store.state.own(number, owner)
            for stamped in self.home.stamped("backup", number):
                try:
                    told = read_manifest(self.home.at(stamped))
                except LindaError:
                    continue  # what cannot be read cannot be restored either
                if from_owner in (None, told.owner):
                    saved_copies.change(self.home, stamped, owner=owner)

    def give_login(self, number: str, owner: str, from_owner: str) -> None:
        """An owner's login and backups become another's."""
        self._own(number, owner, from_owner)

    def adopt(self) -> None:
        """Put sessions that the command line has made on record, and believe it where it has restored one."""
        store = store_at(self.home)
        known = {one.client_id: one for one in self.accounts.all()}
        for number, entry in store.state.entries().items():
            owner = login_owner(entry)
            linked, state = bool(entry.get("isLinked")), str(entry.get("lastState") or "new")
            there = known.get(number)
            if there is None:
                if owner is not None and (linked or state != "cleared"):
                    self.accounts.add(number, owner, linked=linked, auth_state=state)
                continue
            if owner is not None and owner != there.owner:
                self.hand_over(number, owner)
            if linked and not there.session_data.session_valid:
                self.accounts.change(number, {"session_valid": True, "auth_state": state})

    def hand_over(self, number: str, owner: str) -> None:
        """The row follows its login: somebody else linked this number."""
        before = self.accounts.owner_of(number)
        if before == owner:
            return
        self._bus.publish(event("removed", number, {}), owner=before)
        self.accounts.change(number, {"owner": owner, "label": None})
        self.say(f"{number} was linked by {owner!a}, so it is no longer an account of {before!a}")

    def publish_removed(self, number: str, owner: str | None) -> None:
        """Tell whoever had it that an account is gone for them."""
        self._bus.publish(event("removed", number, {}), owner=owner)

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
        supervisors = list(self._all.values())
        for supervisor in supervisors:
            supervisor.stop("the server stops", keep_browser=self.settings.keep_browsers)
        return _late(supervisors, time.monotonic() + self.settings.stop_within)


def _late(supervisors: Iterable[AccountSupervisor], deadline: float) -> list[str]:
    return [one.number for one in supervisors if not one.join(max(0.0, deadline - time.monotonic()))]


def without_codes(heard: Event) -> Event:
    """An event without what would let somebody in, for a log."""
    return replace(heard, facts=story_log.plain(heard.event, heard.facts))
