"""Everything there is to know of a home without changing it. Imported by commands that must answer at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linda_cli.errors import AmbiguousSession, BackupUnusable, SessionNotFound
from linda_cli.sessions import finding, manifest, memory_history
from linda_cli.sessions.checks import Look, look
from linda_cli.sessions.copies import other_copy
from linda_cli.sessions.fingerprints import profile_entries, vouching
from linda_cli.sessions.home import Found, parse_stamped, require
from linda_cli.sessions.locks import holder_of
from linda_cli.sessions.login import Login, read_login
from linda_cli.sessions.login_files import LOCAL_STORAGE, SQLITE_ROOTS, fingerprint, is_sqlite, login_files
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.other_names import OtherLogin, other_logins
from linda_cli.sessions.state import State
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.storage.inspection import never
from linda_cli.sessions.storage.paths import IDB_SQLITE
from linda_cli.sessions.values import (
    AllReady,
    Backup,
    Info,
    Overview,
    Readiness,
    RunBy,
    Running,
    Summary,
    World,
)  # fmt: skip
from linda_cli.sessions.verdict import can_restore, verdict
from linda_cli.storage_format import StorageFormat

# After any other last word the entries of a page may be those of one that showed a code.
_IN_USE = frozenset({"ready", "authenticated", "disconnected", "stopped"})

Tell = Callable[[str], None]


class Reading:
    """The sessions, backups and states of one home, looked at. Nothing here changes the disk.

    ``world`` says what the machine knows (the installed browser, running processes); ``tell`` hears one line for
    everything that was tidied along the way.
    """

    def __init__(self, found: Found, world: World, tell: Tell = lambda _: None) -> None:
        self._found = found
        self.home = found.home
        self.world = world
        self.tell = tell
        self.state = State(self.home)

    # -- which session

    def require(self) -> None:
        """Raise ``HomeNotFound`` where there is no home."""
        require(self._found)

    def numbers(self) -> list[str]:
        """Every number with a profile, a backup or a state."""
        known = {
            *finding.numbers(self.home),
            *(one.number for one in self.home.stamped("backup")),
            *self.state.entries(),
        }
        return sorted(known)

    def resolve(self, number: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
        """The number asked for, else ``LINDA_NUMBER``, else the only session there is, else None.

        Raises ``BadNumber``, and ``AmbiguousSession`` with a list where there are several.
        """
        named = number if number is not None else environ.get("LINDA_NUMBER") or None
        if named is not None:
            return parse_number(named)
        there = self.numbers()
        if len(there) > 1:
            raise AmbiguousSession(
                f"there are {len(there)} sessions: {', '.join(there[:20])}{', …' if len(there) > 20 else ''}",
                f"linda info {there[0]}",
                sessions=there,
            )
        return there[0] if there else None

    def only(self, number: str | None) -> str:
        """Like :meth:`resolve` for a session that must be there. Raises ``SessionNotFound``."""
        # What is no number is refused before anything else is looked at.
        found = self.resolve(number)
        self.require()
        if found is None:
            raise self._not_found("there is no session in this home yet", "linda start", found)
        if found not in self.numbers() and not self.home.stamped("quarantine", found):
            nothing = f"nothing is known of {found}: no profile, no backup, no state"
            raise self._not_found(nothing, f"linda start {found}", found)
        return found

    def _not_found(self, message: str, hint: str, number: str | None) -> SessionNotFound:
        """No such session; but where its login lies under another name, that and how to use it."""
        other = next((one for one in self.other_logins() if number in (None, one.session)), None)
        if other is not None:
            message, hint = f"{message}; {Path(other.path).name} in sessions/ holds a login of it", other.command
        return SessionNotFound(message, hint, session=number)

    def profile(self, number: str) -> Path:
        """Where this number's profile is or would be."""
        return finding.profile_of(self.home, number)

    # -- looking

    def look(self, number: str, profile: Path | None = None, *, deep: bool = False) -> tuple[Look, str]:
        """The five checks and the verdict. Changes nothing on disk.

        Without ``deep`` the tables that no backup has vouched for are read in full too where the home remembers any.
        """
        profile = profile or self.profile(number)
        seen = look(
            profile,
            number=number,
            surroundings=self.world.around(profile),
            deep=deep,
            vouched=never if deep else vouching(self.home, number, profile),
            grown_to=self._grown_to(number, profile),
            once_ready=self._once_ready(number),
        )
        return seen, self.judge(number, profile, seen)

    def look_before_start(self, number: str, profile: Path) -> tuple[Look, str]:
        """As :meth:`look`, reading in full every table that no backup has vouched for."""
        seen = look(
            profile,
            number=number,
            surroundings=self.world.around(profile),
            deep=True,
            vouched=vouching(self.home, number, profile),
            grown_to=self._grown_to(number, profile),
            once_ready=self._once_ready(number),
        )
        return seen, self.judge(number, profile, seen)

    def _once_ready(self, number: str) -> bool:
        """Whether a browser was ready on this session's profile, as far as is known, and nothing ended its login."""
        entry = self.state.entry(number)
        if self.state.forgotten(number).link_after or entry.get("lastState") not in _IN_USE:
            return False
        return bool(entry.get("isLinked")) and (
            bool(entry.get("lastReady")) or bool(self.home.stamped("backup", number))
        )

    def _grown_to(self, number: str, profile: Path) -> Callable[[Path], int | None]:
        """How large each log was when this login was last backed up: what was cut off a log leaves no other sign.

        Only backups that were made of this very profile count, and the one it was restored from: an older
        generation that was put back has shorter logs, and nothing is wrong with it. Put back by hand it is known by
        its fingerprint: it is another backup, byte for byte, or what WhatsApp has refused before.
        """
        if not _might_have_lost_something(profile):
            return lambda _: None
        login = read_login(profile)
        placed = self.state.entry(number).get("placed") or {}
        since, source = int(placed.get("at") or 0), placed.get("from")
        for stamped in self.home.stamped("backup", number) if login is not None else ():
            if stamped.ms < since and stamped.name != source:
                continue
            # A backup without a readable manifest is no backup of this login.
            with contextlib.suppress(BackupUnusable):
                told = manifest.read_manifest(self.home.at(stamped))
                if login is not None and manifest.is_of(self.home.at(stamped), told, login.digests):
                    sizes = _log_sizes(profile, self.home.at(stamped), told)
                    return lambda path: None if sizes(path) and self._is_known(number, profile) else sizes(path)
        return lambda _: None

    def _is_known(self, number: str, profile: Path) -> bool:
        known = set(self.state.entry(number).get("rejected") or ())
        for stamped in self.home.stamped("backup", number):
            # A backup without a readable manifest vouches for nothing.
            with contextlib.suppress(BackupUnusable):
                known.add(manifest.read_manifest(self.home.at(stamped)).fingerprint)
        return self.fingerprint(number, profile) in known

    def judge(self, number: str, profile: Path, seen: Look) -> str:
        """The verdict over a look."""
        forgotten = self.state.forgotten(number)
        login = seen.login
        old = bool(forgotten.link_after) and (login is None or _written(profile) < forgotten.link_after_ms)
        condemned = login is not None and not login.digests.isdisjoint(forgotten.condemned)
        running = self.world.running(profile) is not None
        # A fingerprint reads the whole login, so it is taken only where there is one to compare it with.
        rejected = False
        if (login is not None or seen.keys_unknown) and not running:
            bad = self.state.entry(number).get("rejected") or ()
            rejected = bool(bad) and self.fingerprint(number, profile) in bad
        return verdict(
            seen,
            running=running,
            cleared=old and forgotten.reason != "logged_out",
            logged_out=condemned or (old and forgotten.reason == "logged_out"),
            rejected=rejected,
        )

    def fingerprint(self, number: str, profile: Path) -> str | None:
        """The fingerprint of a profile as it lies there; None where a file cannot be read."""
        try:
            return fingerprint(profile_entries(self.home, number, profile))
        except OSError:
            return None

    def can_restore(self, number: str) -> bool:
        """Whether a start would come back without a QR code from the profile itself."""
        number = parse_number(number)
        return can_restore(self.look(number)[1])

    def info(self, number: str, *, deep: bool = False) -> Info:
        """All there is to say of one session, without a browser. Raises ``SessionNotFound``."""
        number = self.only(number)
        profile = self.profile(number)
        seen, judged = self.look(number, profile, deep=deep)
        backups = self.with_revoked(number, manifest.listed(self.home, number, thorough=deep))
        summary = self._summary(number, profile, seen, judged, self.state.entry(number), backups)
        return Info.of(
            summary,
            seen.checks,
            memory=memory_history.read(self.home.memory_history(number)),
            other_logins=tuple(one for one in self.other_logins() if one.session == number),
        )

    def _summary(
        self,
        number: str,
        profile: Path,
        seen: Look,
        judged: str,
        state: Mapping[str, Any],
        backups: tuple[Backup, ...],
    ) -> Summary:
        return Summary(
            session=number,
            profile=str(profile),
            verdict=judged,
            can_restore=can_restore(judged),
            exists=profile.is_dir(),
            linked_as=seen.login.number if seen.login else None,
            running=self._running(number, profile),
            state=state,
            backups=backups,
            other_copy=other_copy(state, seen.login.digests) if seen.login else None,
        )

    def overview(self, each: Callable[[int, int], None] = lambda *_: None) -> Overview:
        """Every session of the home; ``each`` hears (done, of)."""
        self.require()
        entries = self.state.entries()
        saved: dict[str, list[Backup]] = {}
        for backup in manifest.listed(self.home):
            saved.setdefault(backup.session, []).append(backup)
        numbers = sorted({*finding.numbers(self.home), *saved, *entries})
        told = []
        for index, number in enumerate(numbers):
            profile = self.profile(number)
            seen, judged = self.look(number, profile)
            state = entries.get(number) or self.state.entry(number)
            told.append(
                self._summary(number, profile, seen, judged, state, self.with_revoked(number, saved.get(number, ())))
            )
            each(index + 1, len(numbers))
        return Overview(str(self.home.root), tuple(told), self.other_logins())

    def other_logins(self) -> tuple[OtherLogin, ...]:
        """Logins in ``sessions/`` that no start would find, because their folders have other names."""
        return other_logins(self.home, self._is_revoked)

    def _is_revoked(self, number: str, login: Login) -> bool:
        return not login.digests.isdisjoint(self.state.forgotten(number).condemned)

    def with_revoked(self, number: str, backups: Sequence[Backup]) -> tuple[Backup, ...]:
        """The same, each with the moment in which its login was unlinked."""
        if not backups or not self.state.forgotten(number).condemned:
            return tuple(backups)
        return tuple(replace(one, revoked_at=self.revoked_at(number, one.name)) for one in backups)

    def revoked_at(self, number: str, name: str) -> str | None:
        """When the login in a backup or a quarantined profile was unlinked, None where it was not, or is not read."""
        forgotten = self.state.forgotten(number)
        folder = self.home.at(name)
        if not forgotten.condemned or parse_stamped(name) is None:
            return None
        logins: frozenset[str] = frozenset()
        # A backup says whose it is; only where its own word does not settle it are its files read.
        with contextlib.suppress(BackupUnusable):
            told = manifest.read_manifest(folder)
            logins = frozenset({told.login} if told.login in forgotten.condemned else manifest.digests(folder, told))
        if not logins and (login := read_login(folder)) is not None:
            logins = login.digests
        return min((forgotten.revoked_at[one] for one in forgotten.condemned if one in logins), default=None)

    def _running(self, number: str, profile: Path) -> Running | None:
        running = self.world.running(profile, memory=True)
        if running is None:
            return None
        holder = self.run_holder(number)
        return Running(running.pid, running.debugger_address, holder, running.memory_mb)

    def readiness(self, numbers: Sequence[str]) -> AllReady:
        """Whether the runs that hold these sessions say ready. Nothing of a login is read: it takes milliseconds."""
        entries = self.state.entries()
        each = tuple(self._readiness(number, entries.get(number) or {}) for number in numbers)
        return AllReady(bool(each) and all(one.ready for one in each), each)

    def _readiness(self, number: str, entry: Mapping[str, Any]) -> Readiness:
        if holder_of(self.home.run_lock(number)) is None:
            return Readiness(number, False, "no run holds it")
        state = str(entry.get("lastState") or "new")
        return Readiness(number, state == "ready", "" if state == "ready" else state.replace("_", " "))

    def run_holder(self, number: str) -> RunBy | None:
        """The linda that is running this session now."""
        holder = holder_of(self.home.run_lock(number))
        return RunBy(holder.pid, holder.command) if holder else None


def _might_have_lost_something(profile: Path) -> bool:
    """Whether there is anything of which only a backup could tell that it is less than it was."""
    formats = formats_of(profile)
    if StorageFormat.LEVELDB in (formats.indexed_db, formats.local_storage):
        return True
    if formats.indexed_db is not StorageFormat.SQLITE:
        return False
    from linda_cli.sessions.storage.sqlite.indexed_db import core_databases

    return not all(os.path.lexists(one) for one in core_databases(profile / IDB_SQLITE))


def _log_sizes(profile: Path, backup: Path, told: manifest.Manifest) -> Callable[[Path], int | None]:
    sizes = {entry.path: entry.size for entry in told.files if entry.path.endswith(".log") or is_sqlite(entry.path)}

    def size(path: Path) -> int | None:
        name = path.relative_to(profile).as_posix()
        saved = sizes.get(name)
        if is_sqlite(name):
            return None if os.path.lexists(path) else saved
        try:
            now = path.lstat().st_size
            # A shorter log that begins otherwise is another log of the same name, not this one cut.
            if saved is None or now >= saved or path.read_bytes() != (backup / name).read_bytes()[:now]:
                return None
        except OSError:
            return None
        return saved

    return size


def _written(profile: Path) -> int:
    """When the login on disk was last written, in ms; 0 where there is none."""
    newest = 0
    for path in login_files(profile, (LOCAL_STORAGE, *SQLITE_ROOTS[:2])):
        # A file that vanished meanwhile was not written last.
        with contextlib.suppress(OSError):
            newest = max(newest, (profile / path).lstat().st_mtime_ns // 1_000_000)
    return newest
