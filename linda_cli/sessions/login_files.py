"""Which files of a profile carry the login, and the fingerprint over them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linda_cli.errors import Failed
from linda_cli.sessions.storage.paths import IDB_BLOBS, IDB_LEVELDB, IDB_SQLITE, LOCAL_LEVELDB, LOCAL_SQLITE

LOCAL_STORAGE = LOCAL_LEVELDB
DATABASE = IDB_LEVELDB
BLOBS = IDB_BLOBS
LAST_VERSION = PurePosixPath("Last Version")

SQLITE_ROOTS = (
    LOCAL_SQLITE,
    LOCAL_SQLITE.with_name(f"{LOCAL_SQLITE.name}-wal"),
    LOCAL_SQLITE.with_name(f"{LOCAL_SQLITE.name}-journal"),
    IDB_SQLITE,
)
"""The stores in SQLite: two files and a folder."""

LOGIN_ROOTS = (LOCAL_STORAGE, DATABASE, BLOBS, *SQLITE_ROOTS, LAST_VERSION)
"""Measured: the two stores alone, in an otherwise empty profile, log in. ``Last Version`` says who may open them.

Both formats of each store: while Chromium moves one to the other, and after, there may be files of both."""

# LevelDB's lock is empty and its text log changes at every open; neither is read when a database is opened.
_NOT_DATA = frozenset({"LOCK", "LOG", "LOG.old"})

# A login has some tens of files, a large one some hundreds; far beyond that somebody is playing with us.
_MOST_FILES = 100_000
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a login: its path in the profile with ``/``, its size in bytes, its SHA-256 in hex."""

    path: str
    size: int
    sha256: str


def fingerprint(entries: Iterable[Entry]) -> str:
    """SHA-256 over the sorted (path, size, SHA-256): *these very bytes*."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda one: one.path):
        digest.update(f"{entry.path}\0{entry.size}\0{entry.sha256}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def login_files(profile: Path, roots: Iterable[PurePosixPath] = LOGIN_ROOTS) -> list[str]:
    """Paths in the profile of the regular files that carry the login; links and special files are no part of it.

    Sorted so that a LevelDB database's ``CURRENT`` and manifest come before its logs and tables: a copy taken in this
    order from a running browser has every log that its manifest needs.
    """
    found: list[str] = []
    for root in roots:
        parts = root.parts
        if any(os.path.islink(profile.joinpath(*parts[:depth])) for depth in range(1, len(parts) + 1)):
            continue
        path = profile / root
        if path.is_file():
            if is_ours_alone(path):
                found.append(str(root))
        else:
            found.extend(f"{root}/{name}" for name in sorted(_below(path, 0), key=_reading_order))
        if len(found) > _MOST_FILES:
            raise Failed(f"{profile.name} has more than {_MOST_FILES} files where a login has some tens")
    return found


def _below(folder: Path, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise Failed(f"folders in {folder.name} are nested more than {_DEEPEST} deep")
    try:
        with os.scandir(folder) as listing:
            for one in listing:
                if one.is_dir(follow_symlinks=False):
                    for name in _below(Path(one.path), depth + 1):
                        yield f"{one.name}/{name}"
                elif one.is_file(follow_symlinks=False) and _is_data(one.name) and is_ours_alone(one):
                    yield one.name
    except (FileNotFoundError, NotADirectoryError):
        return


def _is_data(name: str) -> bool:
    # -shm is the index of a -wal in shared memory: SQLite makes it anew
    return name not in _NOT_DATA and not name.endswith("-shm")


def is_ours_alone(file: os.PathLike[str]) -> bool:
    """A second name may be anywhere, so what a hard link leads to is not known to be the profile's. No browser makes
    one, and neither do we."""
    try:
        return os.lstat(file).st_nlink == 1
    except FileNotFoundError:
        # Gone since it was listed: whoever copies it finds that out.
        return True


def shared(profile: Path) -> str | None:
    """A file where the login lies that has a second name somewhere, None where there is none."""
    for root in LOGIN_ROOTS:
        # What cannot be read is the checks' to say; here only files with a second name are looked for.
        with contextlib.suppress(OSError):
            if (profile / root).is_file() and not is_ours_alone(profile / root):
                return ascii(str(root))[1:-1]
            with os.scandir(profile / root) as listing:
                for one in listing:
                    if one.is_file(follow_symlinks=False) and not is_ours_alone(one):
                        return ascii(f"{root}/{one.name}")[1:-1]
    return None


def _reading_order(name: str) -> tuple[int, str]:
    if name == "CURRENT":
        return 0, name
    return (1 if name.startswith("MANIFEST") else 2 if name.endswith(".log") else 3), name


def never_changes(path: str) -> bool:
    """Whether a file of a login stays as it was first written: tables and blobs do."""
    return path.endswith((".ldb", ".sst")) or is_blob(path)


def is_blob(path: str) -> bool:
    """Whether a file of a login is a large value beside a database."""
    return path.startswith(f"{BLOBS}/")


def is_sqlite(path: str) -> bool:
    """Whether a file of a login belongs to a SQLite database."""
    return path.startswith((str(LOCAL_SQLITE), f"{IDB_SQLITE}/"))


def sqlite_databases(profile: Path) -> list[Path]:
    """The SQLite databases of the login, their ``-wal`` files not named."""
    found = [path for path in login_files(profile, SQLITE_ROOTS) if not path.endswith(("-wal", "-journal"))]
    return [profile / path for path in found]


def stat_key(path: Path) -> tuple[int, int, int] | None:
    """(inode, size, mtime in ns) of a regular file: while these stay, an ``.ldb`` table has not changed."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
