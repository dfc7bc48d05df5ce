"""Locks, backups and retention: the half of the store that every run needs."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from linda_cli.errors import BackupUnusable, HomeUnusable, InUse, LindaError, SessionNotFound, WorldsApart
from linda_cli.sessions import backups, finding, manifest, profiles, sharing
from linda_cli.sessions.backups import Origin
from linda_cli.sessions.checks import look
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.fingerprints import profile_entries, remember
from linda_cli.sessions.home import Stamped
from linda_cli.sessions.locks import STORE_WAIT, held
from linda_cli.sessions.login_files import Entry, fingerprint, login_files, never_changes, sqlite_databases
from linda_cli.sessions.ownership import recorded_owner
from linda_cli.sessions.reading import Reading
from linda_cli.sessions.refusals import unknown_format
from linda_cli.sessions.results import BackedUp, BackedUpAll, BackedUpOne, Problem
from linda_cli.sessions.retention import Decision, Kept, Policy, plan
from linda_cli.sessions.storage.damage import spelled
from linda_cli.sessions.storage.durability import sync_files
from linda_cli.sessions.storage.sqlite.readers import first_holder
from linda_cli.sessions.values import Backup

_DEFAULT = Policy()
_WITHOUT_LOGIN = ("linking", "missing", "cleared", "logged_out")
"""Verdicts of a session that has no login to save: the next start shows a code."""

READERS_WAIT = 10.0
"""Seconds for which a program that reads a database of the login is waited for."""


def _never() -> bool:
    return False


class Saving(Reading):
    """The store as far as it saves: each call holds the locks it needs, for seconds."""

    # -- locks

    @contextlib.contextmanager
    def run_lock(self, number: str, *, run: bool = False) -> Iterator[None]:
        """Hold a session; ``run``: for a whole run. Raises ``InUse`` at once, naming pid and command."""
        what = f"session {number}" if number != "linking" else "the linking run"
        hint = f"linda stop {number}" if number != "linking" else "linda stop"
        with held(self.home.run_lock(number), what=what, run=run, hint=hint):
            yield

    @contextlib.contextmanager
    def store_lock(self, number: str, wait: float = STORE_WAIT) -> Iterator[None]:
        """Hold the files of a session for seconds; what an interrupted command left is tidied first."""
        with held(self.home.store_lock(number), wait=wait, what=f"the store of {number}"):
            try:
                for line in profiles.tidy(self.home, number):
                    self.tell(line)
                yield
            except OSError as problem:
                # Every step before this one left either the old state or the new one.
                where = problem.filename or self.home.root
                raise HomeUnusable(
                    f"{where}: {problem.strerror or problem}",
                    "df -h {0}; ls -ld {0}".format(shlex.quote(str(self.home.root))),
                ) from problem

    @contextlib.contextmanager
    def both_locks(self, number: str) -> Iterator[None]:
        """Both locks, and no browser on the profile: what restore and clear need."""
        with self.run_lock(number), self.store_lock(number):
            self.refuse_browser(number)
            yield

    def refuse_browser(self, number: str) -> None:
        """Raise ``InUse`` where a browser runs on the profile, kept ones included; the caller has the run lock."""
        running = self.world.running(self.profile(number))
        if running is not None:
            raise InUse(
                f"a browser runs on the profile of {number}: pid {running.pid}",
                f"linda stop {number}",
                pid=running.pid,
            )

    def adopt_leftovers(self) -> None:
        """Give the profiles of killed linking runs their number's name, where the browser is gone."""
        profiles.adopt_leftovers(self.home, lambda path: self.world.running(path) is not None, self.tell)

    def end_strays(self, profile: Path) -> list[str]:
        """End the drivers that a killed linda left on this profile, a line for each; the caller has the run lock.

        A linking run's profile has taken another name since: what drove a profile that is gone counts as well.
        """
        here = os.path.realpath(profile)
        return [
            f"ChromeDriver (pid {one.pid}), left behind by a linda that was killed, was ended"
            for one in self.world.strays(self.home.sessions)
            if (str(one.profile) == here or not one.profile.exists()) and self.world.end(one)
        ]

    # -- the disk

    def make_durable(self, profile: Path) -> None:
        """fsync what the browser has written of the login: from then on a power cut leaves it, too.

        Tables and blobs of LevelDB are left to their own time: a backup has them. Raises ``HomeUnusable``.
        """
        try:
            sync_files(profile, [path for path in login_files(profile) if not never_changes(path)])
        except OSError as problem:
            raise HomeUnusable(
                f"{profile}: {problem.strerror or problem}",
                "df -h {0}; ls -ld {0}".format(shlex.quote(str(self.home.root))),
            ) from problem

    def await_readers(self, profile: Path, seconds: float = READERS_WAIT, stop: Callable[[], bool] = _never) -> None:
        """Wait until no other program has a SQLite database of the login open, and no later than ``stop`` says.

        A reader that holds one while Chromium starts empties localStorage for good. Raises ``InUse`` with its pid.
        """
        deadline = time.monotonic() + seconds
        while not stop():
            found = first_holder(sqlite_databases(profile))
            if found is None:
                return
            if time.monotonic() > deadline:
                where, pid = found
                who = f"process {pid}" if pid else "another program"
                raise InUse(
                    f"{who} has {spelled(where.name)} of {profile.name} open: a browser started now would lose it",
                    f"ps -p {pid}" if pid else f"lsof {shlex.quote(str(where))}",
                    pid=pid or None,
                )
            time.sleep(0.05)

    # -- backups

    def backup(
        self,
        number: str | None = None,
        label: str | None = None,
        *,
        reason: str = "manual",
        verified: bool = False,
        replaces_since: int | None = None,
        profile: Path | None = None,
        retain: bool = True,
        count: bool = True,
    ) -> BackedUp:
        """Save the login of a session, unless a backup with these very bytes is there already.

        ``verified``: exactly this login was ready. ``replaces_since``: hot unlabelled backups made since this moment
        (ms) give way. Raises ``ProfileDamaged``, ``SessionNotFound``, ``InUse``, ``Failed``.
        """
        began = time.monotonic()
        number = self.only(number) if profile is None or number is None else number
        with self.store_lock(number):
            made, is_new = self._backup(number, label, reason, verified, profile or self.profile(number), count)
            if replaces_since is not None:
                self._replace_hot(number, made.name, replaces_since)
            if retain and is_new:
                self.retain(number)
        return BackedUp(number, made, is_new, round(time.monotonic() - began, 3))

    def backup_all(self, label: str | None = None, each: Callable[[int, int], None] = lambda *_: None) -> BackedUpAll:
        """Back up every session with a profile; one that fails does not keep the others."""
        self.require()
        results: list[BackedUpOne] = []
        numbers = finding.numbers(self.home)
        try:
            for index, number in enumerate(numbers):
                try:
                    one = self.backup(number, label, profile=self.profile(number), count=False)
                    results.append(BackedUpOne(number, one.backup, one.is_new, None))
                except LindaError as problem:
                    told = Problem(problem.name, problem.message, problem.hint)
                    waits = self.info(number).verdict in _WITHOUT_LOGIN
                    results.append(
                        BackedUpOne(number, None, False, None, "it waits to be linked")
                        if waits
                        else BackedUpOne(number, None, False, told)
                    )
                each(index + 1, len(numbers))
        finally:
            # In one go: the state of all sessions is one file, and to write it for each of a thousand takes minutes.
            made = [one.session for one in results if one.is_new]
            if made:
                self.state.update_all(made, _counting_a_backup)
        return BackedUpAll(tuple(results))

    def _backup(
        self, number: str, label: str | None, reason: str, verified: bool, profile: Path, count: bool = True
    ) -> tuple[Backup, bool]:
        since = time.time_ns()
        cold = self.world.running(profile) is None
        entries = self._entries(number, profile) if cold else None
        if entries:
            same = self._same(number, fingerprint(entries))
            if same is not None:
                # These very bytes were found sound when that backup was made.
                change: dict[str, Any] = {}
                told = manifest.read_manifest(self.home.at(same))
                self.check_world(told.sandbox)
                if label is not None and told.label != label:
                    change["label"] = label
                if verified and not told.verified:
                    change["verified"] = True
                if not told.cold:
                    change["cold"] = True
                if change:
                    backups.change(self.home, same, **change)
                remember(self.home, number, profile, entries, since)
                return self.described(same), False
        around = self.world.around(profile)
        seen = look(profile, number=number, surroundings=around, once_ready=self._once_ready(number))
        if seen.unknown_format:
            raise unknown_format(f"the login of {number}", seen)
        if seen.login is None and not seen.trace:
            raise SessionNotFound(f"{number} has no login on disk to back up", f"linda start {number}", session=number)
        self.check_world(seen.login.sandbox if seen.login else None)
        origin = Origin(
            number,
            reason,
            label,
            cold,
            verified,
            "Chromium",
            seen.written_by or around.browser_version,
            keys_unknown=seen.keys_unknown,
            sandbox=self.home.is_sandbox,
            owner=recorded_owner(self.state.entry(number)),
        )
        stamped = backups.take(self.home, profile, origin)
        if cold and self.world.running(profile) is not None:
            # A browser came up while we copied: the copy is sound, but nobody can call it the last word.
            backups.change(self.home, stamped, cold=False)
        remember(self.home, number, profile, manifest.read_manifest(self.home.at(stamped)).files, since)
        if count:
            self.state.update(number, _counting_a_backup)
        return self.described(stamped, valid=True), True

    def _entries(self, number: str, profile: Path) -> list[Entry] | None:
        try:
            return profile_entries(self.home, number, profile)
        except OSError:
            return None

    def _same(self, number: str, print_: str) -> Stamped | None:
        """A backup of these very bytes whose files are all there."""
        for stamped in self.home.stamped("backup", number):
            try:
                told = manifest.read_manifest(self.home.at(stamped))
            except BackupUnusable:
                continue
            if told.fingerprint == print_ and not manifest.trouble(self.home.at(stamped), told, thorough=False):
                return stamped
        return None

    def backup_of(self, number: str, print_: str | None) -> Backup | None:
        """The backup with this fingerprint whose files are all there, None where there is none."""
        same = self._same(number, print_) if print_ else None
        return self.described(same) if same else None

    def newest_of(self, number: str, login: str) -> Backup | None:
        """The newest backup of this very login whose files are all there."""
        for stamped in self.home.stamped("backup", number):
            backup = self.described(stamped)
            if backup.valid is False:
                continue
            folder = self.home.at(stamped)
            # A backup without a readable manifest cannot be this login's.
            with contextlib.suppress(BackupUnusable):
                if manifest.is_of(folder, manifest.read_manifest(folder), {login}):
                    return backup
        return None

    def described(self, stamped: Stamped, valid: bool | None = None) -> Backup:
        """One backup with its generation among the others."""
        names = [one.name for one in self.home.stamped("backup", stamped.number)]
        generation = names.index(stamped.name) + 1 if stamped.name in names else 0
        if valid is None:
            return manifest.describe(self.home, stamped, generation)
        return manifest.told_as(stamped, manifest.read_manifest(self.home.at(stamped)), generation, valid)

    def _replace_hot(self, number: str, cold_name: str, since: int) -> None:
        for stamped in self.home.stamped("backup", number):
            if stamped.ms < since or stamped.name == cold_name:
                continue
            with contextlib.suppress(BackupUnusable):
                told = manifest.read_manifest(self.home.at(stamped))
                # What a person asked for is not this run's own.
                if not told.cold and told.label is None and told.reason != "manual":
                    backups.drop(self.home, stamped)

    def raise_verified(self, number: str, name: str) -> None:
        """Say of a backup that exactly its login was ready."""
        with self.store_lock(number):
            stamped = profiles.find_stamped(self.home, number, name)
            # It was damaged since: nothing of it can be vouched for, and the next backup is verified anew.
            with contextlib.suppress(BackupUnusable):
                if not manifest.read_manifest(self.home.at(stamped)).verified:
                    backups.change(self.home, stamped, verified=True)
                    sharing.keep_apart(self.home, number)

    def decide(self, number: str, policy: Policy, known: list[Backup] | None = None) -> list[Decision]:
        """What retention says of a session's backups. Before anything goes, the one that stays is read in full."""
        there = known if known is not None else manifest.listed(self.home, number)
        bad: set[str] = set()
        while True:
            kept = [
                Kept(
                    one.name,
                    _ms(one.name),
                    one.label is not None,
                    False if one.name in bad else one.valid,
                    one.verified,
                )
                for one in there
            ]
            decisions = plan(kept, policy, now_ms())
            if all(decision.keep for decision in decisions):
                return decisions
            relied_on = [
                one
                for one in decisions
                if one.keep and one.reason in ("the newest valid backup", "the newest verified backup")
            ]
            worse = {one.name for one in relied_on if one.name not in bad and self._is_bad(one.name)}
            if not worse:
                return decisions
            bad |= worse

    def _is_bad(self, name: str) -> bool:
        folder = self.home.at(name)
        try:
            return manifest.trouble(folder, manifest.read_manifest(folder), thorough=True) is not None
        except BackupUnusable:
            return True

    def retain(self, number: str, policy: Policy = _DEFAULT) -> list[str]:
        """Let retention have its way with one session, holding its store lock; the names that went."""
        gone = []
        for decision in self.decide(number, policy):
            if not decision.keep:
                backups.drop(self.home, profiles.find_stamped(self.home, number, decision.name))
                gone.append(decision.name)
        sharing.keep_apart(self.home, number)
        return gone

    def check_world(self, sandbox: bool | None) -> None:
        """Raise ``WorldsApart`` where a login of the stand-in is in a real home or the other way round."""
        if sandbox is not None and sandbox != self.home.is_sandbox:
            raise WorldsApart(
                "a sandbox login cannot be used for the real WhatsApp Web"
                if sandbox
                else "a real login cannot be used in the sandbox",
                "linda start --sandbox" if sandbox else f"linda --home {shlex.quote(str(self.home.root.parent))} start",
            )


def _counting_a_backup(entry: dict[str, Any]) -> None:
    entry["backupCount"] = int(entry.get("backupCount") or 0) + 1
    entry["lastBackup"] = iso(now_ms())


def _ms(name: str) -> int:
    return int(name.rsplit("-", 1)[1])
