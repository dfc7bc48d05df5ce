"""The session store: everything linda does to what is on disk, each call holding the locks it needs for seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from linda_cli.errors import BackupUnusable, LindaError, ProfileDamaged, SessionNotFound, StoreUnreadable, UnknownFormat
from linda_cli.sessions import backups as saved_copies
from linda_cli.sessions import manifest, profiles
from linda_cli.sessions.cleanup import Cleanup
from linda_cli.sessions.home import Stamped
from linda_cli.sessions.login import read_login
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.ownership import recorded_owner
from linda_cli.sessions.results import Cleaned, Cleared, LoggedOutSession, Restorable, Restored
from linda_cli.sessions.retention import KEEP, OLDER_THAN, Policy
from linda_cli.sessions.saving import Saving
from linda_cli.sessions.spelling import camel
from linda_cli.sessions.values import Backup


class Store(Saving):
    """Restore, clear and cleanup, and what the ladder of a run does to the disk."""

    # -- restore

    def restorable(self, number: str | None = None) -> Restorable:
        """What ``linda restore --list`` shows: every backup read in full."""
        number = self.only(number)
        listed = self.with_revoked(number, manifest.listed(self.home, number, thorough=True))
        return Restorable(number, listed, tuple(one.name for one in self.home.stamped("quarantine", number)))

    def restore(self, number: str | None = None, backup: str | None = None) -> Restored:
        """Put a backup, or a quarantined profile, in the profile's place; the present one goes to quarantine.

        Without ``backup``: the newest that verifies. Raises ``BackupUnusable`` where none does or the named one does
        not, ``BackupNotFound``, ``InUse``.
        """
        number = self.only(number)
        with self.both_locks(number):
            problem = self._no_backup(number)
            for chosen, only in self._candidates(number, backup):
                try:
                    return self.place(number, chosen)
                except BackupUnusable as worse:
                    if only:
                        raise
                    problem.facts.setdefault("tried", worse.message)
            raise problem

    def _candidates(self, number: str, name: str | None) -> Iterator[tuple[Stamped, bool]]:
        """What to restore, (it, whether nothing may take its place): newest first where no name was given."""
        there = self.home.stamped("backup", number)
        if name not in (None, "latest"):
            yield profiles.find_stamped(self.home, number, str(name)), True
        elif name == "latest":
            if there and self.revoked_at(number, there[0].name) is not None:
                raise self._no_backup(number)
            yield from ((one, True) for one in there[:1])
        else:
            condemned = self.state.forgotten(number).condemned
            owner = recorded_owner(self.state.entry(number))
            for stamped in there:
                # A backup without a readable manifest restores nothing.
                with contextlib.suppress(BackupUnusable):
                    folder = self.home.at(stamped)
                    told = manifest.read_manifest(folder)
                    if told.owner == owner and not manifest.is_of(folder, told, condemned):
                        yield stamped, False

    def _no_backup(self, number: str) -> BackupUnusable:
        there = self.home.stamped("backup", number)
        revoked = self.revoked_at(number, there[0].name) if there else None
        if revoked is not None:
            return BackupUnusable(
                f"{number} was unlinked at {revoked}, and no backup is of another login: it must be linked again",
                f"linda start {number}",
                session=number,
                revokedAt=revoked,
            )
        return BackupUnusable(
            f"there is no usable backup of {number}" if there else f"there is no backup of {number}",
            f"linda restore {number} --list",
            session=number,
        )

    def keep_present(self, number: str, reason: str) -> None:
        """Back up what another login is about to replace, where it is worth it; the caller holds both locks."""
        with contextlib.suppress(LindaError):
            # Worth having, and no reason to refuse: the profile itself goes to quarantine anyway.
            self._backup(number, None, reason, False, self.profile(number))

    def place(self, number: str, chosen: Stamped) -> Restored:
        """Put one in place; the caller holds both locks. It is proven while it is copied; before that nothing is
        changed."""
        described = self.described(chosen) if chosen.kind == "backup" else None

        def proven(told: manifest.Manifest | None) -> None:
            self.check_world(told.sandbox if told is not None else None)
            self.keep_present(number, "before-restore")

        put = profiles.put_back(self.home, chosen, number, "a person restored another one", proven)
        # restoreCount is for the first ready; here only what is known now changes.
        self._note_placed(number, chosen, isLinked=True, lastState="stopped")
        if described is not None:
            # A login brings its owner back with it.
            self.state.own(number, manifest.read_manifest(self.home.at(chosen)).owner)
            described = replace(described, valid=True)
        login = read_login(put.profile)
        named = frozenset({described.login}) if described is not None and described.login else frozenset()
        self.state.welcome(number, pardon=named | (login.digests if login is not None else frozenset()))
        self._pardon_fingerprint(number, put.profile)
        self.retain(number)
        return Restored(number, described, put.aside, chosen.name)

    def _pardon_fingerprint(self, number: str, profile: Path) -> None:
        rejected = self.state.entry(number).get("rejected") or []
        if rejected:
            print_ = self.fingerprint(number, profile)
            self.state.save(number, rejected=[one for one in rejected if one != print_])

    # -- the ladder's own: the caller holds the run lock

    def climbable(self, number: str, most: int) -> Iterator[tuple[Backup, str | None]]:
        """Backups for the ladder, newest first, at most ``most`` usable ones: (backup, why it is passed over).

        Passed over are those that do not verify, whose fingerprint was rejected, whose login is condemned or somebody
        else's, or that are older than ``linkAfter``.
        """
        usable = 0
        for stamped in self.home.stamped("backup", number):
            if usable >= most:
                return
            try:
                told = manifest.read_manifest(self.home.at(stamped))
            except BackupUnusable as problem:
                yield manifest.describe(self.home, stamped, 0), str(problem.facts.get("reason") or problem.message)
                continue
            backup = self.described(stamped, valid=True)
            forgotten = self.state.forgotten(number)
            rejected = self.state.entry(number).get("rejected") or ()
            wrong: str | None = None
            if manifest.is_of(self.home.at(stamped), told, forgotten.condemned):
                wrong = "logged out"
            elif forgotten.link_after and stamped.ms < forgotten.link_after_ms:
                wrong = "forgotten"
            elif told.fingerprint in rejected:
                wrong = "rejected before"
            elif told.owner != recorded_owner(self.state.entry(number)):
                wrong = "of another owner"
            elif told.sandbox != self.home.is_sandbox:
                wrong = "of another world"
            else:
                wrong = manifest.trouble(self.home.at(stamped), told, thorough=True)
            usable += wrong is None
            yield backup, wrong

    def put_in_place(self, number: str, name: str, reason: str) -> profiles.PutInPlace:
        """Make a backup the profile; what was there goes to quarantine."""
        with self.store_lock(number):
            stamped = profiles.find_stamped(self.home, number, name)
            put = profiles.put_back(self.home, stamped, number, reason)
            self._note_placed(number, stamped)
            return put

    def _note_placed(self, number: str, stamped: Stamped, **fields: Any) -> None:
        # From here on only backups of what was put in place say how far its logs had grown.
        self.state.save(number, placed={"from": stamped.name, "at": self.home.next_ms(number)}, **fields)

    def quarantine(self, number: str, profile: Path, reason: str) -> str | None:
        """Put a profile aside; None where there was none."""
        with self.store_lock(number):
            return profiles.quarantine(self.home, number, profile, reason)

    def quarantine_copy(self, number: str, profile: Path, reason: str) -> str:
        """Copy a profile's login aside and leave the profile."""
        with self.store_lock(number):
            return profiles.quarantine_copy(self.home, number, profile, reason)

    def adopt(self, linking: Path, number: str) -> Path:
        """Give a linked ``linking-<ms>`` its number's name; its browser must be gone."""
        with self.store_lock(number):
            return profiles.adopt(self.home, linking, number, self.tell)

    def remember_rejected(self, number: str, print_: str | None) -> None:
        """Never try these very bytes again by ourselves."""
        if print_ is None:
            return

        def change(entry: dict[str, Any]) -> None:
            # The newest fifty are plenty: retention keeps five backups.
            entry["rejected"] = list(dict.fromkeys([*(entry.get("rejected") or []), print_]))[-50:]
            entry["lastState"] = "rejected"

        self.state.update(number, change)

    # -- state, clear, cleanup

    def save_state(self, number: str, **fields: Any) -> Mapping[str, Any]:
        """Set fields of ``session-state.json``, by the file's names or in snake_case; unknown ones are kept."""
        number = parse_number(number)
        self.home.make()
        return self.state.save(number, **{camel(name): value for name, value in fields.items()})

    def clear(self, number: str, backups: bool = False) -> Cleared:
        """Forget a session: back it up if its login is sound, put its profile aside, let no older login come back.

        With ``backups`` its backups are removed and none is made; the quarantined profile is what is left.
        """
        number = self.only(parse_number(number))
        with self.both_locks(number):
            profile = self.profile(number)
            saved: Backup | None = None
            if not backups:
                # What is not sound, or cannot be read, is kept all the same: the quarantine is whole.
                with contextlib.suppress(ProfileDamaged, SessionNotFound, UnknownFormat, StoreUnreadable):
                    saved, _ = self._backup(number, None, "before-clear", False, profile)
            # First what must not come back, then what goes: a kill in between leaves a cleared session.
            self.state.forget(number, "cleared")
            aside = profiles.quarantine(self.home, number, profile, "cleared by a person")
            removed = self._remove_backups(number) if backups else self.retain(number)
        return Cleared(number, saved, aside, tuple(removed))

    def forget_login(self, number: str) -> LoggedOutSession:
        """Never use the login of a session again, without a word to WhatsApp: there the device stays linked.

        Its profile goes to quarantine. Raises ``SessionNotFound`` and ``InUse``.
        """
        number = self.only(parse_number(number))
        with self.both_locks(number):
            login, known = read_login(self.profile(number)), self.state.entry(number).get("login")
            # Of a profile that is gone the login of the last ready is known, or that of the newest backup.
            newest = manifest.listed(self.home, number)[:1]
            digest = login.digest if login is not None else known if isinstance(known, str) else None
            self.state.forget(number, "logged_out", condemn=digest or (newest[0].login if newest else None))
            aside = profiles.quarantine(
                self.home, number, self.profile(number), "forgotten here by linda logout --local"
            )
        return LoggedOutSession(number, False, self.state.forgotten(number).link_after, aside)

    def _remove_backups(self, number: str) -> list[str]:
        gone = []
        for stamped in self.home.stamped("backup", number):
            saved_copies.drop(self.home, stamped)
            gone.append(stamped.name)
        return gone

    def cleanup(
        self,
        older_than: float = OLDER_THAN,
        keep: int = KEEP,
        dry_run: bool = False,
        each: Callable[[int, int], None] = lambda *_: None,
    ) -> Cleaned:
        """Retention for every session, leftovers of interrupted work, quarantine past the age (seconds)."""
        self.require()
        return Cleanup(self, Policy(keep, older_than), dry_run, each).run()
