"""From ready to saved: the login has been seen on disk, and a backup of it exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from linda_cli.errors import BrowserFailed
from linda_cli.lifecycle.observations import SaveResult
from linda_cli.lifecycle.options import Options
from linda_cli.sessions.clock import ms_of, now_ms
from linda_cli.sessions.login import read_login
from linda_cli.sessions.results import BackedUp
from linda_cli.sessions.storage.damage import Damage
from linda_cli.sessions.storage.local_storage import texts_of
from linda_cli.sessions.store import Store
from linda_cli.sessions.values import Backup
from linda_cli.whatsapp.status import PageReading

if TYPE_CHECKING:
    from pathlib import Path

    from linda_cli.lifecycle.browser_session import BrowserSession

Told = tuple[str, Mapping[str, Any]]

RESTORED = ("browser", "profile", "backup")


class Held(Protocol):
    """What of a run's resources saving needs."""

    profile: Path
    session: BrowserSession | None
    began_ms: int
    fingerprint: str | None
    source: str | None
    was_ready: bool
    login: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action found, and the events by which that is told."""

    result: object = None
    events: tuple[Told, ...] = ()


@dataclass(slots=True)
class Saver:
    """Saves one run's login. ``reading``: what the page said last."""

    store: Store
    options: Options
    held: Held
    number: Callable[[], str | None]
    reading: PageReading | None = None
    entries: Mapping[str, str] = field(default_factory=dict)

    def save(self, login: str | None) -> Outcome:
        """Say ``saved`` where the login that is ready is on disk and a backup of it exists; else why not yet."""
        held, number = self.held, self.number()
        assert number is not None
        on_disk = read_login(held.profile)
        if self.reading is not None and not self.reading.keys:
            # The page has no keys under the names that we know: all that it has stored must be on disk.
            wrong = self._entries_missing()
        elif on_disk is None:
            wrong = "the login is not on disk yet"
        elif login is not None and on_disk.digest != login:
            wrong = "the login on disk is not the one that is ready"
        else:
            wrong = ""
        if wrong:
            return Outcome(SaveResult(False, wrong))
        if held.session is not None and self.options.driver_at_once:
            # Attached beside all this; what keeps ChromeDriver from it must come out before anybody relies on it.
            try:
                held.session.prove_driver()
            except BrowserFailed as problem:
                return Outcome(SaveResult(False, problem.message))
        # Only now, so that a kill between ready and this leaves what must not come back forgotten.
        self.store.state.welcome(number)
        digest = on_disk.digest if on_disk is not None else held.login
        held.login = digest
        events: list[Told] = []
        there = self._good_enough(number, digest)
        if there is not None:
            self.store.raise_verified(number, there.name)
            made = BackedUp(number, replace(there, verified=True), False, 0.0)
        else:
            made = self.store.backup(
                number,
                reason="restored" if held.source in RESTORED else "linked",
                verified=True,
                profile=held.profile,
            )
            if made.is_new:
                events.append(("backed_up", {"backup": made.backup, "reason": made.backup.reason}))
        # The backup is durable already; now the profile is, too: a power cut costs neither.
        self.store.make_durable(held.profile)
        events.append(("saved", {"backup": made.backup, "isNew": made.is_new}))
        return Outcome(SaveResult(True, login=digest), tuple(events))

    def _entries_missing(self) -> str:
        """What of the page's localStorage is not on disk yet, "" where all of it is.

        An entry that the page changes all the time never is; so those count that were the same at the last look.
        """
        session = self.held.session
        try:
            entries = session.stored_entries() if session is not None else {}
        except (OSError, TimeoutError) as problem:
            return f"the page's entries could not be read: {problem}"
        steady = {name: text for name, text in entries.items() if self.entries.get(name) == text}
        first, self.entries = not self.entries, entries
        if not entries:
            return "the page has stored nothing"
        if first:
            return "the page's entries were read for the first time"
        try:
            there = texts_of(self.held.profile, steady)
        except Damage as damage:
            return str(damage)
        missing = [name for name, text in steady.items() if there.get(name) != text]
        return f"{len(missing)} of {len(steady)} entries of the page are not on disk yet" if missing else ""

    def _good_enough(self, number: str, login: str | None) -> Backup | None:
        """A backup that makes another one needless now: the very bytes that became ready, or for a browser that ran
        on all the while a recent one of its login."""
        held = self.held
        if held.source in ("profile", "backup"):
            return self.store.backup_of(number, held.fingerprint)
        if held.source == "browser" and self.options.backup_every:
            newest = self.store.newest_of(number, login) if login is not None else None
            age = now_ms() - (ms_of(newest.created_at) or 0) if newest is not None else None
            if age is not None and 0 <= age < self.options.backup_every * 1000:
                return newest
        return None

    def back_up(self, reason: str, *, replaces: bool = False) -> Outcome:
        """Back up along the way. Raises the named errors."""
        held, number = self.held, self.number()
        if number is None:
            return Outcome()
        on_disk = read_login(held.profile)
        made = self.store.backup(
            number,
            reason=reason,
            verified=held.was_ready and (on_disk.digest if on_disk is not None else held.login) == held.login,
            replaces_since=held.began_ms if replaces else None,
            profile=held.profile,
        )
        if made.is_new:
            return Outcome(made.backup, (("backed_up", {"backup": made.backup, "reason": made.backup.reason}),))
        return Outcome(made.backup)
