"""Backups that share what did not change by hard link, and the two that count kept apart."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import BackupUnusable
from linda_cli.sessions.durable import can_clone, copy_hashed, hash_file, move, sync_file
from linda_cli.sessions.fingerprints import unchanged
from linda_cli.sessions.home import Home
from linda_cli.sessions.login_files import LOGIN_ROOTS, Entry
from linda_cli.sessions.manifest import MANIFEST, Manifest, read_manifest, through_a_link

# Tiny files are copied as fast as they are compared.
_WORTH_IT = 4096


def _nothing(_source: Path, _path: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Donor:
    """An earlier backup that may give its unchanged files to a new one."""

    folder: Path
    files: dict[str, Entry]
    known: Callable[[Path, str], str | None] = _nothing
    """The SHA-256 of a profile's file that cannot have changed since it was read."""

    def gives(self, source: Path, path: str, work: Path) -> Entry | None:
        """Link a file into the new backup; None where it has another one there, or its own has suffered since.

        Both are read, but for a file of the profile that cannot have changed: what is linked has been proven as well
        as what is copied.
        """
        entry = self.files.get(path)
        if entry is None or entry.size < _WORTH_IT:
            return None
        same = (entry.size, entry.sha256)
        try:
            if source.lstat().st_size != entry.size or through_a_link(self.folder, path):
                return None
            known = self.known(source, path)
            if (known != entry.sha256) if known else (hash_file(source) != same):
                return None
            if hash_file(self.folder / path) != same:
                return None
            os.link(self.folder / path, work / path, follow_symlinks=False)
        except OSError:
            # It is gone, or the filesystem knows no links, or the file has as many as it may have: the copy says more.
            return None
        return entry


def donor(home: Home, number: str, work: Path) -> Donor | None:
    """The second newest backup: so a new one and the one before it never share a file, and every second one does.

    Where copies share their blocks anyway there is none: such copies are as small, and apart for good.
    """
    for stamped in home.stamped("backup", number)[1:2]:
        folder = home.at(stamped)
        try:
            if can_clone(folder / MANIFEST, work):
                return None
            files = {entry.path: entry for entry in read_manifest(folder).files}
            return Donor(folder, files, unchanged(home, number))
        except (BackupUnusable, OSError):
            return None
    return None


def keep_apart(home: Home, number: str) -> None:
    """See to it that the newest verified backup shares no file with at least one other, whatever went in between.

    Where it shares some with all of them, the newest other one gets files of its own.
    """
    known = []
    for stamped in home.stamped("backup", number):
        # A backup without a readable manifest counts as none of the two that are kept apart.
        with contextlib.suppress(BackupUnusable):
            known.append((stamped, read_manifest(home.at(stamped))))
    best = next((one for one in known if one[1].verified), known[0] if known else None)
    others = [one for one in known if one is not best]
    if best is None or not others:
        return
    mine = _inodes(home.at(best[0]), best[1]).keys()
    if any(not mine & _inodes(home.at(stamped), told).keys() for stamped, told in others):
        return
    folder, told = home.at(others[0][0]), others[0][1]
    theirs = _inodes(folder, told)
    for key in mine & theirs.keys():
        path = folder / theirs[key].path
        fresh = path.with_name(f".{os.getpid()}.apart")
        try:
            fresh.unlink(missing_ok=True)
            copy_hashed(path, fresh)
            sync_file(fresh)
            move(fresh, path)
        except OSError:
            # A full disk: they stay together until there is room; both are as good as before.
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            return


def unfinished_parts(folder: Path) -> list[Path]:
    """What is left in a backup of a :func:`keep_apart` that was killed."""
    found: list[Path] = []
    for place in dict.fromkeys(str(one) for root in LOGIN_ROOTS[:-1] for one in (root, root.parent)):
        if not through_a_link(folder, f"{place}/x"):
            found += (folder / place).glob(".*.apart")
    return found


def _inodes(folder: Path, told: Manifest) -> dict[tuple[int, int], Entry]:
    found = {}
    for entry in told.files:
        # A file that is missing shares nothing.
        with contextlib.suppress(OSError):
            status = os.lstat(folder / entry.path)
            found[status.st_dev, status.st_ino] = entry
    return found
