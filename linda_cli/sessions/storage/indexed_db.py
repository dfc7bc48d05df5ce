"""The origin's IndexedDB, in whichever format Chromium keeps it: is it sound?"""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from linda_cli.sessions.storage.damage import Damage, Unknown
from linda_cli.sessions.storage.formats import filled, holds_data, indexed_db_format, unknown_indexed_db
from linda_cli.sessions.storage.inspection import GrownTo, Inspection, Vouched, failed, never, unknown
from linda_cli.sessions.storage.leveldb import database as leveldb
from linda_cli.sessions.storage.paths import IDB_LEVELDB, IDB_SQLITE
from linda_cli.sessions.storage.repair import Repair
from linda_cli.storage_format import StorageFormat

_MOST_NAMES = 10_000


def inspect(
    profile: Path, *, deep: bool = False, vouched: Vouched = never, grown_to: GrownTo = unknown, private: bool = False
) -> Inspection:
    """Look at every database of the origin."""
    try:
        there = indexed_db_format(profile)
        if there is StorageFormat.SQLITE:
            from linda_cli.sessions.storage.sqlite import indexed_db as sqlite

            return sqlite.inspect(profile / IDB_SQLITE, vouched, grown_to, private=private)
        if there is StorageFormat.UNKNOWN and (strange := unknown_indexed_db(profile)) is not None:
            raise Unknown(f"{strange.name} is in a format that this linda does not know")
    except Damage as damage:
        return failed(damage)
    folder = profile / IDB_LEVELDB
    found = leveldb.inspect(folder, comparator=b"idb_cmp1", deep=deep, vouched=vouched, grown_to=grown_to)
    return _unhidden(profile, vouched) or found if found.hollow or _is_junk(folder) else found


def _is_junk(folder: Path) -> bool:
    try:
        return filled(folder) and not holds_data(folder)
    except Damage:
        return False


def _unhidden(profile: Path, vouched: Vouched) -> Inspection | None:
    """A LevelDB folder without content, beside a SQLite store with some: Chromium would take the one and delete the
    other (measured). Out of the way it costs nothing."""
    try:
        if not filled(profile / IDB_SQLITE):
            return None
    except Damage:
        return None
    from linda_cli.sessions.storage.sqlite import indexed_db as sqlite

    found = sqlite.inspect(profile / IDB_SQLITE, vouched)
    if not found.ok or found.hollow:
        return None
    what = "an empty LevelDB folder, which hides the SQLite databases, is set aside"
    return found._replace(
        ok=False, detail=f"{found.detail}, hidden by an empty LevelDB folder", repairs=(_setting_aside(what),)
    )


def _setting_aside(what: str) -> Repair:
    return Repair("set aside", PurePath(IDB_LEVELDB.name), what)


def content_size(profile: Path, most: int) -> int:
    """Bytes of what the origin's databases hold, counted no further than ``most``."""
    total = 0
    for folder in (profile / IDB_LEVELDB, profile / IDB_SQLITE):
        try:
            with os.scandir(folder) as listing:
                for count, entry in enumerate(listing):
                    if count > _MOST_NAMES or total >= most:
                        break
                    if entry.name.endswith(("LOG", "LOG.old", "LOCK", "CURRENT", "-shm")):
                        continue
                    if entry.name.startswith("MANIFEST") or not entry.is_file(follow_symlinks=False):
                        continue
                    total += entry.stat(follow_symlinks=False).st_size
        except (OSError, ValueError):
            continue
    return total
