"""One SQLite database: is it sound, and what does it hold?"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from linda_cli.sessions.durable import copy_open
from linda_cli.sessions.storage.damage import Damage, Unknown, Unreadable, spelled
from linda_cli.sessions.storage.files import Gone, opened
from linda_cli.sessions.storage.sqlite.files import SMALLEST_WAL, WAL, guarded, regular_size, wal_frames
from linda_cli.sessions.storage.sqlite.scratch import scratch

MAGIC = b"SQLite format 3\0"
_MOST_DATABASE = 8 << 30
_BEGINNING = 1 << 16
_MOST_SECONDS = 120.0
_STEPS = 1_000_000
# The version of the tables that Chromium 156 writes, and the oldest reader that it lets open them.
_KNOWN_VERSION = 1

_NOT_A_DATABASE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_ASLEEP = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)  # fmt: skip


@contextlib.contextmanager
def opened_copy(database: Path, tables: Iterable[str], *, private: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to a guarded copy that is whole: every page, every frame of the -wal, and these tables.

    Raises ``Damage`` (``Unknown``, ``Unreadable``, ``Gone``). ``database`` itself is read as any file is, never opened
    by SQLite; unless it is ``private``, a copy that we have just made and nobody knows of: one without a -wal is then
    read where it lies, by a connection that locks nothing and makes no file.
    """
    looks_like_one(database)
    if private and not _beside(database):
        with _connected(f"{database.absolute().as_uri()}?mode=ro&immutable=1", database) as connection:
            try:
                _careful(connection)
                _check(connection, database, frozenset(tables))
                yield connection
            except sqlite3.Error as problem:
                raise _meaning(problem, database) from None
        return
    size = regular_size(database) + _beside(database)
    with scratch(2 * size) as folder:
        copy = folder / "copy"
        _copy(database, copy)
        with _connected(copy.as_uri(), database) as connection:
            try:
                _settle(connection, copy, database)
                _check(connection, database, frozenset(tables))
                yield connection
            except sqlite3.Error as problem:
                raise _meaning(problem, database) from None


def looks_like_one(database: Path) -> None:
    """What its first page says, before anything is copied: raises ``Damage`` or ``Unknown``."""
    name = spelled(database.name)
    with opened(database) as file:
        size = file.stat.st_size
        header = file.read(0, 100)
        beginning = file.read(0, _BEGINNING) if header[:16] != MAGIC else b""
    if size > _MOST_DATABASE:
        raise Damage(f"{name} is too large to be true")
    if not header:
        if _beside(database):
            return
        raise Damage(f"{name} is empty")
    if header[:16] != MAGIC:
        # Bytes that were SQLite's once still show the rest of its header; anything else was written by something else.
        if len(header) < 100 or _was_sqlite(header) or b"CREATE TABLE" in beginning or not header.strip(b"\0"):
            raise Damage(f"{name} does not begin as a database does")
        raise Unknown(f"{name} is no SQLite database")
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    if page < 512 or page & (page - 1):
        raise Damage(f"{name} has a garbled first page")
    if header[18] > 2 or header[19] > 2:
        raise Unknown(f"{name} is written by a newer SQLite")


def _was_sqlite(header: bytes) -> bool:
    """Constants of SQLite's header that stand behind its first sixteen bytes."""
    page = int.from_bytes(header[16:18], "big")
    return header[21:24] == b"\x40\x20\x20" and (page == 1 or (page >= 512 and not page & (page - 1)))


def _beside(database: Path) -> int:
    # No -wal beside it: nothing to add.
    with contextlib.suppress(Gone):
        return regular_size(database.with_name(database.name + WAL))
    return 0


def _copy(database: Path, target: Path) -> None:
    def copy(suffix: str) -> None:
        there = database.with_name(database.name + suffix)
        into = target.with_name(target.name + suffix)
        into.unlink(missing_ok=True)
        try:
            with opened(there) as file:
                copy_open(file.descriptor, into)
        except Gone as gone:
            raise FileNotFoundError(gone.detail) from None

    try:
        guarded(database, copy)
    except FileNotFoundError:
        raise Gone(f"{spelled(database.name)} is missing") from None
    except OSError as problem:
        raise Unreadable(f"{spelled(database.name)} cannot be copied ({problem.strerror or problem})") from None


@contextlib.contextmanager
def _connected(address: str, database: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(address, isolation_level=None, uri=True)
    except sqlite3.Error as problem:
        raise _meaning(problem, database) from None
    try:
        connection.text_factory = bytes
        deadline = time.monotonic() + _MOST_SECONDS
        connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
        yield connection
    finally:
        connection.close()


def _careful(connection: sqlite3.Connection) -> None:
    """Believe nothing that the database says of itself, and write nothing for it to a disk."""
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "synchronous=OFF", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _settle(connection: sqlite3.Connection, copy: Path, database: Path) -> None:
    """Take the -wal in, and see that all of it was: SQLite ends without a word at the first frame that is bad."""
    _careful(connection)
    wal = copy.with_name(copy.name + WAL)
    expected, reads = 0, True
    with contextlib.suppress(Gone):
        # What is too short for a frame cannot have held one.
        if regular_size(wal) >= SMALLEST_WAL:
            expected, reads = wal_frames(wal)
    if not reads:
        raise Damage(f"the -wal of {spelled(database.name)} does not begin as one does")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if expected:
        row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if row is None or row[1] < expected:
            raise Damage(f"the -wal of {spelled(database.name)} has a bad frame")
    # From here on SQLite has them open, and nobody finds them by a name any more.
    for suffix in ("", WAL, "-shm"):
        with contextlib.suppress(OSError):  # not every one is there; the folder goes at the end anyway
            os.unlink(f"{copy}{suffix}")


def _check(connection: sqlite3.Connection, database: Path, tables: frozenset[str]) -> None:
    name = spelled(database.name)
    said = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said is None or said[0] != b"ok":
        raise Damage(f"{name}: a page does not hold together")
    there = {
        bytes(row[0]).decode("utf-8", "replace")
        for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1000")
    }
    if not there:
        raise Damage(f"{name}: nothing is in it")
    if "meta" in there:
        known = dict(connection.execute("SELECT key, value FROM meta WHERE key = 'last_compatible_version'").fetchall())
        version = known.get(b"last_compatible_version")
        if version is not None and _number(version) > _KNOWN_VERSION:
            raise Unknown(f"{name}: its tables are of version {_number(version)}")
    lacking = sorted(tables - there)
    if lacking:
        raise Unknown(f"{name}: it has other tables ({', '.join(lacking)} missing)")


def _number(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return 0


def _meaning(problem: sqlite3.Error, database: Path) -> Damage:
    name = spelled(database.name)
    code = getattr(problem, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in _NOT_A_DATABASE:
        return Damage(f"{name} does not read as a database")
    if primary in _ASLEEP:
        return Unreadable(f"{name} could not be looked at ({spelled(str(problem))})")
    # An error of the statement: the tables have other columns than the ones that are known.
    return Unknown(f"{name}: its tables are not as they are known ({spelled(str(problem))})")
