"""What ``linda cleanup`` looks at, and why each thing stays or goes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from linda_cli.errors import LindaError
from linda_cli.sessions import backups, manifest, profiles, sharing
from linda_cli.sessions.checks import look
from linda_cli.sessions.clock import now_ms
from linda_cli.sessions.durable import remove_tree, sync_folder, tree_size
from linda_cli.sessions.home import Stamped
from linda_cli.sessions.locks import holder_of
from linda_cli.sessions.results import Cleaned, Item
from linda_cli.sessions.retention import Policy
from linda_cli.sessions.values import Backup

if TYPE_CHECKING:
    from linda_cli.sessions.saving import Saving

# What each leftover was, for the reason that is printed.
_LEFTOVER = {
    "making": "a backup that was never finished",
    "restoring": "a restore that was never finished",
    "discarding": "the rest of something removed",
    "aside": "the profile that an interrupted restore had moved; it is put back or kept in quarantine",
    "quarantining": "a profile on its way to quarantine; it is kept there",
}

# A linking folder without a login is dead once nobody links in it; the hour is for whoever is just starting.
_LINKING_AGE_MS = 3_600_000


@dataclass(slots=True)
class Cleanup:
    """One cleanup over a whole home."""

    store: Saving
    policy: Policy
    dry_run: bool
    each: Callable[[int, int], None]
    items: list[Item] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self) -> Cleaned:
        """Look at everything, remove what may go (unless it is a dry run), and tell of each."""
        home = self.store.home
        saved: dict[str, list[Backup]] = {}
        for backup in manifest.listed(home):
            saved.setdefault(backup.session, []).append(backup)
        aside: dict[str, list[Stamped]] = {}
        for stamped in home.stamped("quarantine"):
            aside.setdefault(stamped.number, []).append(stamped)
        left = {number for _, _, number, _ in home.leftovers()}
        numbers = sorted({*saved, *aside, *left})
        for index, number in enumerate(numbers):
            try:
                if self.dry_run:
                    self._session(number, saved.get(number, []), aside.get(number, []))
                else:
                    self._session_locked(number, aside.get(number, []))
            except (LindaError, OSError) as problem:
                self.errors.append(f"{number}: {problem.message if isinstance(problem, LindaError) else problem}")
            self.each(index + 1, len(numbers))
        self._dead_linkings()
        self._strays()
        gone = [item for item in self.items if item.action == "remove"]
        return Cleaned(
            self.dry_run,
            tuple(self.items),
            len(gone),
            sum(item.size for item in gone),
            len(numbers),
            tuple(self.errors),
        )

    def _session_locked(self, number: str, aside: list[Stamped]) -> None:
        home = self.store.home
        before = list(home.leftovers(number))
        sizes = {path: tree_size(path) for path, _, _, _ in before}
        # Taking the lock tidies the leftovers.
        with self.store.store_lock(number):
            self._leftovers(before, sizes)
            self._session(number, manifest.listed(home, number), aside)

    def _session(self, number: str, saved: list[Backup], aside: list[Stamped]) -> None:
        home = self.store.home
        if self.dry_run and holder_of(home.store_lock(number)) is None:
            self._leftovers(list(home.leftovers(number)))
        by_name = {backup.name: backup for backup in saved}
        for decision in self.store.decide(number, self.policy, saved):
            size = by_name[decision.name].size
            if not decision.keep and not self.dry_run:
                backups.drop(home, profiles.find_stamped(home, number, decision.name))
            self._note(number, decision.name, "backup", decision.keep, decision.reason, size)
        if not self.dry_run:
            sharing.keep_apart(home, number)
        for stamped in aside:
            old = now_ms() - stamped.ms > self.policy.older_than * 1000
            path = home.at(stamped)
            size = tree_size(path)
            if old and not self.dry_run:
                backups.drop(home, stamped)
            reason = "past the age" if old else "within the age"
            self._note(number, stamped.name, "quarantine", not old, reason, size)

    def _leftovers(self, found: list[tuple[Path, str, str, int]], sizes: Mapping[Path, int] | None = None) -> None:
        for path, kind, number, _ in found:
            kept = kind in ("aside", "quarantining")
            size = sizes[path] if sizes else tree_size(path)
            stays = not self.dry_run and not kept and os.path.lexists(path)
            reason = f"could not be removed: sudo rm -r {shlex.quote(str(path))}" if stays else _LEFTOVER[kind]
            self._note(number, path.name, "leftover", kept or stays, reason, size)

    def _dead_linkings(self) -> None:
        home = self.store.home
        for linking in home.linkings():
            if (
                now_ms() - int(linking.name.split("-")[1]) < _LINKING_AGE_MS
                or holder_of(home.run_lock("linking")) is not None
                or self.store.world.running(linking) is not None
                or not self._holds_no_login(linking)
            ):
                continue
            size = tree_size(linking)
            if not self.dry_run:
                remove_tree(linking)
                sync_folder(home.sessions)
            self._note("", linking.name, "leftover", False, "a linking that never happened", size)

    def _holds_no_login(self, linking: Path) -> bool:
        """What cannot be read is not known to hold none."""
        seen = look(linking, number=None)
        return seen.login is None and not seen.trace and not seen.unknown_format

    def _strays(self) -> None:
        for stray in self.store.world.strays(self.store.home.sessions):
            if self.dry_run or self.store.world.end(stray):
                kind, _, number = stray.profile.name.partition("-")
                number = number if kind == "session" else ""
                self._note(number, f"chromedriver {stray.pid}", "leftover", False, "its linda was killed", 0)

    def _note(self, number: str, name: str, kind: str, keep: bool, reason: str, size: int) -> None:
        self.items.append(Item(number, name, kind, "keep" if keep else "remove", reason, size))
