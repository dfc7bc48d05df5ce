"""IndexedDB in SQLite: a folder with a file for each database, named by the hash of the database's name."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from linda_cli.sessions.storage.damage import Damage, spelled
from linda_cli.sessions.storage.files import Gone, names
from linda_cli.sessions.storage.inspection import GrownTo, Inspection, Vouched, failed, unknown
from linda_cli.sessions.storage.sqlite.database import opened_copy
from linda_cli.sessions.storage.sqlite.files import WAL, regular_size
from linda_cli.sessions.storage.sqlite.trust import is_vouched

TABLES = ("indexed_db_metadata", "object_stores", "records")

_DATABASE = re.compile(r"[A-Z2-7]{52}")
_CORE = ("signal-storage", "model-storage", "wawc", "wawc_db_enc")
_KNOWN = (*_CORE, "fts-storage", "jobs-storage", "offd-storage", "lru-media-storage-idb", "worker-storage")


def file_name(name: str) -> str:
    """What Chromium calls the file of a database: base32 of the SHA-256 of its name in UTF-16 (measured)."""
    return base64.b32encode(hashlib.sha256(name.encode("utf-16-le")).digest()).decode().rstrip("=")


def databases(folder: Path) -> list[Path]:
    """The database files, small ones first; raises ``Damage``. A ``-wal`` without its database counts as one of them.

    In this order they are copied: the page's keys and its signal store are small, its messages are not. A message that
    comes meanwhile is then in a copy that its key has not moved past, rather than the other way round.
    """
    found = {}
    for name in names(folder):
        match = _DATABASE.match(name)
        if match and name[52:] in ("", WAL):
            found[match[0]] = folder / match[0]
    return sorted(found.values(), key=lambda path: (_size(path), path.name))


def core_databases(folder: Path) -> list[Path]:
    """The files of the databases without which there is no login, whether they are there or not."""
    return [folder / file_name(name) for name in _CORE]


def inspect(folder: Path, vouched: Vouched, grown_to: GrownTo = unknown, *, private: bool = False) -> Inspection:
    """Every page of every database that no backup has vouched for.

    A database that is gone leaves no trace in the others: only a backup (``grown_to``) tells that it was there.
    """
    try:
        found = databases(folder)
        for lost in core_databases(folder):
            if lost not in found and grown_to(lost) is not None:
                raise Damage(f"{_called(lost)}its database was there when it was backed up, and is missing")
        if not found:
            return Inspection(False, f"{spelled(folder.name)} holds no database", absent=True)
        filled = False
        for database in found:
            if is_vouched(database, vouched):
                filled = True
                continue
            try:
                with opened_copy(database, TABLES, private=private) as connection:
                    filled = filled or connection.execute("SELECT 1 FROM records LIMIT 1").fetchone() is not None
            except Damage as damage:
                raise type(damage)(f"{_called(database)}{damage.detail}") from None
    except Gone as damage:
        return failed(damage)
    except Damage as damage:
        return failed(damage)
    size = sum(_size(one) for one in found)
    count = len(found)
    detail = f"sound ({count} SQLite database{'' if count == 1 else 's'}, {size / 1e6:.1f} MB)"
    return Inspection(True, detail, live=tuple(found), hollow=not filled)


def _called(database: Path) -> str:
    """The database's own name, where it is one that is known."""
    return next((f"{name}: " for name in _KNOWN if file_name(name) == database.name), "")


def _size(path: Path) -> int:
    try:
        return regular_size(path)
    except Damage:
        return 0
