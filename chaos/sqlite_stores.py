"""SQLite stores as Chromium 156 writes them (its own CREATE statements), made without a browser."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import cramjam

from linda_cli.sessions.storage.paths import IDB_SQLITE, LOCAL_SQLITE
from linda_cli.sessions.storage.sqlite.indexed_db import file_name

_LOCAL = """
CREATE TABLE maps(row_id INTEGER PRIMARY KEY AUTOINCREMENT,storage_key BLOB NOT NULL,last_accessed INTEGER,
    last_modified INTEGER,total_size INTEGER);
CREATE UNIQUE INDEX maps_by_storage_key ON maps(storage_key);
CREATE TABLE map_entries(map_id INTEGER NOT NULL,value_compression_type INTEGER NOT NULL,key BLOB NOT NULL,
    value BLOB NOT NULL,PRIMARY KEY(map_id, key)) WITHOUT ROWID;
"""
_IDB = """
CREATE TABLE indexed_db_metadata (name BLOB NOT NULL, version INTEGER NOT NULL);
CREATE TABLE object_stores (id INTEGER PRIMARY KEY, name BLOB NOT NULL, key_path BLOB, auto_increment INTEGER NOT NULL,
    key_generator_current_number INTEGER NOT NULL);
CREATE TABLE records (row_id INTEGER PRIMARY KEY, object_store_id INTEGER NOT NULL, compression_type INTEGER NOT NULL,
    key BLOB NOT NULL, value BLOB NOT NULL);
CREATE UNIQUE INDEX records_by_key ON records(object_store_id, key);
"""
_RECORD = "INSERT OR REPLACE INTO records(object_store_id, compression_type, key, value) VALUES (?, ?, ?, ?)"
_META = """
CREATE TABLE meta(key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
INSERT INTO meta VALUES ('version', '1'), ('last_compatible_version', '1');
"""
ORIGIN = b"https://web.whatsapp.com/"


def latin(text: str) -> bytes:
    return b"\1" + text.encode("latin-1")


def utf16(text: str) -> bytes:
    return b"\0" + text.encode("utf-16-le")


@contextlib.contextmanager
def writing(path: Path, *schema: str) -> Iterator[sqlite3.Connection]:
    """A connection that writes as Chromium's does; what it leaves when it is closed is one file without a -wal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        for statements in schema if fresh else ():
            connection.executescript(statements)
        yield connection
    finally:
        connection.close()


def write_local(profile: Path, *, packed: bool = False, encoding: object = latin, **keys: str | None) -> None:
    """A localStorage with these keys of the origin; ``packed``: their values in zstd."""
    with writing(profile / LOCAL_SQLITE, _LOCAL, _META) as connection:
        connection.execute("INSERT OR IGNORE INTO maps(storage_key, total_size) VALUES (?, 0)", (ORIGIN,))
        (row,) = connection.execute("SELECT row_id FROM maps WHERE storage_key = ?", (ORIGIN,)).fetchone()
        for name, text in keys.items():
            if text is None:
                connection.execute("DELETE FROM map_entries WHERE key = ?", (latin(name),))
                continue
            value = encoding(text)  # type: ignore[operator]
            stored = (1, bytes(cramjam.zstd.compress(value))) if packed else (0, value)
            connection.execute(
                "INSERT OR REPLACE INTO map_entries VALUES (?, ?, ?, ?)", (row, stored[0], latin(name), stored[1])
            )


def write_idb(profile: Path, name: str = "signal-storage", rows: int = 400, start: int = 0) -> Path:
    """One database of the origin with this many records."""
    path = profile / IDB_SQLITE / file_name(name)
    with writing(path, _IDB, _META) as connection:
        connection.execute("BEGIN")
        for at in range(start, start + rows):
            values = (1, 0, b"%08d" % at, os.urandom(400))
            connection.execute(
                "INSERT OR REPLACE INTO records(object_store_id, compression_type, key, value) VALUES (?, ?, ?, ?)",
                values,
            )
        connection.execute("COMMIT")
    return path


def leave_wal(profile: Path) -> Path:
    """Give localStorage a ``-wal`` with its last write, as a killed browser leaves one; gives the ``-wal``."""
    path = profile / LOCAL_SQLITE
    with writing(path) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE maps SET last_modified = coalesce(last_modified, 0) + 1")
        kept = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal")}
    for suffix, content in kept.items():
        Path(f"{path}{suffix}").write_bytes(content)
    Path(f"{path}-shm").unlink(missing_ok=True)
    return Path(f"{path}-wal")
