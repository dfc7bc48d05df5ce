"""``backup.json``: what a backup is, read and proven. Changes nothing on disk.

``<home>/.session-cache/backup-<number>-<ms>/`` holds the login's files as they lie in the profile, and ``backup.json``
with the size and SHA-256 of every one. Without a complete ``backup.json`` there is no backup.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linda_cli.errors import BackupUnusable
from linda_cli.sessions.clock import iso
from linda_cli.sessions.durable import hash_file
from linda_cli.sessions.home import Home, Stamped, parse_stamped
from linda_cli.sessions.login import read_login
from linda_cli.sessions.login_files import LOGIN_ROOTS, Entry, fingerprint
from linda_cli.sessions.ownership import LOCAL, recorded_owner
from linda_cli.sessions.state import read_json
from linda_cli.sessions.values import Backup

MANIFEST = "backup.json"

# A thousand files need 150 kB; a backup.json of more than this was not written by us and is not read.
_LARGEST_MANIFEST = 16 << 20
_MOST_FILES = 100_000
_HEX64 = re.compile(r"[0-9a-f]{64}")
_ROOTS = frozenset(str(root) for root in LOGIN_ROOTS)
_BELOW_ROOTS = tuple(f"{root}/" for root in LOGIN_ROOTS)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``backup.json`` says. ``extra`` holds fields of later versions, which are kept."""

    number: str
    created_at: str
    reason: str
    label: str | None
    browser: str | None
    browser_version: str | None
    linked_as: str | None
    login: str | None
    fingerprint: str
    cold: bool
    verified: bool
    files: tuple[Entry, ...]
    sandbox: bool = False
    owner: str = LOCAL
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all its files together."""
        return sum(entry.size for entry in self.files)


def read_manifest(folder: Path) -> Manifest:
    """Read ``backup.json``. Raises ``BackupUnusable`` for whatever is not a whole one of ours."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            raise ValueError("not a folder")
        return parse_manifest(read_json(folder / MANIFEST, _LARGEST_MANIFEST), folder.name)
    except FileNotFoundError:
        raise unusable(folder.name, "it has no backup.json") from None
    except OSError as problem:
        raise unusable(folder.name, f"backup.json cannot be read ({problem.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise unusable(folder.name, f"backup.json is not as linda writes it ({type(problem).__name__})") from None


def unusable(name: str, why: str) -> BackupUnusable:
    """The failure of one backup, with where to look for another."""
    stamped = parse_stamped(name)
    return BackupUnusable(
        f"{ascii(name)[1:-1]} cannot be used: {why}",
        f"linda restore {stamped.number if stamped else 'NUMBER'} --list",
        backup=name,
        reason=why,
    )


def spelled(manifest: Manifest) -> dict[str, Any]:
    """A manifest as ``backup.json`` has it."""
    return {
        **manifest.extra,
        "version": 1,
        "number": manifest.number,
        "createdAt": manifest.created_at,
        "reason": manifest.reason,
        "label": manifest.label,
        "browser": manifest.browser,
        "browserVersion": manifest.browser_version,
        "linkedAs": manifest.linked_as,
        "login": manifest.login,
        "fingerprint": manifest.fingerprint,
        "cold": manifest.cold,
        "verified": manifest.verified,
        "sandbox": manifest.sandbox,
        "owner": manifest.owner,
        "files": [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in manifest.files],
    }


def parse_manifest(told: dict[str, Any], name: str) -> Manifest:
    """The other way round; ``name`` is the backup's. Raises ``ValueError`` and the like for what linda never wrote."""
    stamped = parse_stamped(name)
    files = told["files"]
    if not isinstance(files, list) or len(files) > _MOST_FILES:
        raise ValueError("files")
    if stamped is not None and told["number"] != stamped.number:
        raise ValueError("number")
    entries = tuple(_entry(one) for one in files)
    if len({entry.path for entry in entries}) != len(entries):
        raise ValueError("a path stands twice")
    if not _HEX64.fullmatch(told["fingerprint"]) or fingerprint(entries) != told["fingerprint"]:
        raise ValueError("fingerprint")
    known = {
        "version", "number", "createdAt", "reason", "label", "browser", "browserVersion", "linkedAs", "login",
        "fingerprint", "cold", "verified", "files", "sandbox", "owner",
    }  # fmt: skip
    return Manifest(
        number=_text(told["number"]),
        created_at=_text(told["createdAt"]),
        reason=_text(told["reason"]),
        label=_optional(told.get("label")),
        browser=_optional(told.get("browser")),
        browser_version=_optional(told.get("browserVersion")),
        linked_as=_optional(told.get("linkedAs")),
        login=_optional(told.get("login")),
        fingerprint=told["fingerprint"],
        cold=told["cold"] is True,
        verified=told["verified"] is True,
        files=entries,
        sandbox=told.get("sandbox") is True,
        owner=_text(recorded_owner(told)),
        extra={key: value for key, value in told.items() if key not in known},
    )


def _entry(one: dict[str, Any]) -> Entry:
    path, size, sha256 = one["path"], one["size"], one["sha256"]
    if not isinstance(size, int) or size < 0 or not _HEX64.fullmatch(sha256):
        raise ValueError("size or hash")
    parts = _text(path).split("/")
    if "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError("path")
    if path not in _ROOTS and not path.startswith(_BELOW_ROOTS):
        raise ValueError("a path that carries no login")
    return Entry(path, size, sha256)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError("text")
    return value


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def digests(folder: Path, told: Manifest) -> frozenset[str]:
    """Every name of the login in a backup: earlier versions wrote another digest for the same login."""
    login = read_login(folder)
    named = frozenset() if told.login is None else frozenset({told.login})
    return named | login.digests if login is not None else named


def is_of(folder: Path, told: Manifest, logins: Collection[str]) -> bool:
    """Whether a backup is of one of these logins. Its files are read only where its own word does not settle it."""
    return told.login in logins or (bool(logins) and not digests(folder, told).isdisjoint(logins))


def trouble(folder: Path, manifest: Manifest, *, thorough: bool) -> str | None:
    """What is wrong with the files of a backup, None when nothing is.

    Always looks for every file with its size; ``thorough`` reads and hashes them too.
    """
    root = str(folder)
    # Plain strings, and each folder once: over ten thousand backups this is most of what is done.
    real: set[str] = {root}
    for entry in manifest.files:
        path = f"{root}/{entry.path}"
        size = _size(path)
        if size is None or not _without_links(path, real):
            return f"{entry.path} is missing"
        if size != entry.size:
            return f"{entry.path} has {size} bytes instead of {entry.size}"
        if thorough:
            try:
                size, sha256 = hash_file(Path(path))
            except OSError as problem:
                return f"{entry.path} cannot be read ({problem.strerror})"
            if (size, sha256) != (entry.size, entry.sha256):
                return f"{entry.path} has other bytes than were saved"
    return None


def _size(path: str) -> int | None:
    """The bytes of a regular file, None for anything else."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _without_links(path: str, real: set[str]) -> bool:
    """Whether every folder above ``path`` is one; ``real`` holds those that were seen to be, the backup's own too."""
    above = path.rpartition("/")[0]
    if above in real:
        return True
    if os.path.islink(above) or not _without_links(above, real):
        return False
    real.add(above)
    return True


def through_a_link(folder: Path, path: str) -> bool:
    """Whether a file would be reached through a link in the backup."""
    parents = path.split("/")[:-1]
    return any(os.path.islink(folder.joinpath(*parents[: depth + 1])) for depth in range(len(parents)))


def listed(home: Home, number: str | None = None, *, thorough: bool = False) -> list[Backup]:
    """Backups newest first, damaged ones included with ``valid`` False."""
    found: list[Backup] = []
    generations: dict[str, int] = {}
    for stamped in home.stamped("backup", number):
        generation = generations[stamped.number] = generations.get(stamped.number, 0) + 1
        found.append(describe(home, stamped, generation, thorough=thorough))
    return found


def describe(home: Home, stamped: Stamped, generation: int, *, thorough: bool = False) -> Backup:
    """One backup as the store answers with it."""
    folder = home.at(stamped)
    try:
        manifest = read_manifest(folder)
    except BackupUnusable as problem:
        return Backup(
            stamped.name, stamped.number, iso(stamped.ms), str(problem.facts.get("reason", "")), None, False, False,
            False, 0, generation, None, "",
        )  # fmt: skip
    wrong = trouble(folder, manifest, thorough=thorough)
    valid = False if wrong else (True if thorough else None)
    return told_as(stamped, manifest, generation, valid)


def told_as(stamped: Stamped, manifest: Manifest, generation: int, valid: bool | None) -> Backup:
    """A backup from its manifest."""
    return Backup(
        stamped.name, stamped.number, manifest.created_at, manifest.reason, manifest.label, manifest.cold,
        manifest.verified, valid, manifest.size, generation, manifest.login, manifest.fingerprint,
    )  # fmt: skip
