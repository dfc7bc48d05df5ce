"""Which format each store of a profile is in, by Chromium's own rule.

Measured with Chromium 156 (docs/chromium.md): a LevelDB folder with anything in it wins, whatever the features say; a
SQLite IndexedDB beside it is deleted at the next start, a SQLite localStorage beside it is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from linda_cli.sessions.storage.damage import Damage, Unreadable
from linda_cli.sessions.storage.files import Gone, names
from linda_cli.sessions.storage.paths import IDB, IDB_LEVELDB, IDB_SQLITE, LOCAL_LEVELDB, LOCAL_SQLITE
from linda_cli.storage_format import StorageFormat, StorageFormats


def formats_of(profile: Path) -> StorageFormats:
    """How the stores of this profile lie on disk now. What cannot be listed is unknown, never absent."""
    return StorageFormats(_known(indexed_db_format, profile), _known(local_storage_format, profile))


def indexed_db_format(profile: Path) -> StorageFormat:
    """The format that Chromium will use for the origin's IndexedDB. Raises ``Unreadable``."""
    if filled(profile / IDB_LEVELDB):
        return StorageFormat.LEVELDB
    if filled(profile / IDB_SQLITE):
        return StorageFormat.SQLITE
    return StorageFormat.UNKNOWN if unknown_indexed_db(profile) else StorageFormat.ABSENT


def local_storage_format(profile: Path) -> StorageFormat:
    """The format that Chromium will use for localStorage. Raises ``Unreadable``."""
    if filled(profile / LOCAL_LEVELDB):
        return StorageFormat.LEVELDB
    if sqlite_local_storage(profile):
        return StorageFormat.SQLITE
    return StorageFormat.UNKNOWN if unknown_local_storage(profile) else StorageFormat.ABSENT


def sqlite_local_storage(profile: Path) -> bool:
    """Whether there is a SQLite localStorage, or a ``-wal`` that has lost it."""
    there = _names(profile / "Default")
    return LOCAL_SQLITE.name in there or f"{LOCAL_SQLITE.name}-wal" in there


def _known(find: Callable[[Path], StorageFormat], profile: Path) -> StorageFormat:
    try:
        return find(profile)
    except Damage:
        return StorageFormat.UNKNOWN


def unknown_indexed_db(profile: Path) -> PurePosixPath | None:
    """Something of the origin's beside the places that are known, with something in it."""
    known = {IDB_LEVELDB.name, IDB_SQLITE.name, f"{IDB_SQLITE.name}.indexeddb.blob"}
    for name in sorted(_names(profile / IDB)):
        ours = name.startswith((f"{IDB_SQLITE.name}.", f"{IDB_SQLITE.name}-"))
        if ours and name not in known and ".garbled-" not in name and filled(profile / IDB / name):
            return IDB / name
    return None


def unknown_local_storage(profile: Path) -> PurePosixPath | None:
    """Something in ``Local Storage`` beside LevelDB's folder, with something in it."""
    folder = LOCAL_LEVELDB.parent
    for name in sorted(_names(profile / folder)):
        known = name == LOCAL_LEVELDB.name or name.startswith(f"{LOCAL_LEVELDB.name}.garbled-")
        if not known and filled(profile / folder / name):
            return folder / name
    return None


def _names(folder: Path) -> frozenset[str]:
    try:
        return names(folder)
    except Gone:
        return frozenset()


def filled(path: Path) -> bool:
    """Whether it is there and not an empty folder. A link or a file in a folder's place fills it, too."""
    try:
        return bool(names(path))
    except Gone:
        return False
    except Unreadable:
        raise
    except Damage:
        return True


def holds_data(folder: Path) -> bool:
    """Whether a LevelDB folder has any file that a database is made of; its own LOG and LOCK are none."""
    return any(name.endswith((".log", ".ldb", ".sst")) or name.startswith("MANIFEST-") for name in _names(folder))
