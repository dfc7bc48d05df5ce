"""The fingerprint of a profile as it lies there, without reading again what cannot have changed.

LevelDB tables and IndexedDB blobs never change once written, so their hashes are remembered by inode, size and time in
``.session-cache/hashes-<number>.json``. Everything else (logs, manifests) is known by the time of the kernel's own
book-keeping, which nobody can set, and only where that lies before the reading by more than one tick: a write in the
very tick in which a file was read, or after it, could not be told otherwise.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from linda_cli.sessions.durable import hash_file, write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.login_files import Entry, login_files, never_changes, stat_key
from linda_cli.sessions.state import read_json
from linda_cli.sessions.storage.inspection import Vouched

_Key = tuple[int, int, int]

# A filesystem that keeps whole seconds, and one that keeps the kernel's ticks.
_COARSE_NS, _FINE_NS = 2_000_000_000, 30_000_000


def profile_entries(home: Home, number: str, profile: Path) -> list[Entry]:
    """The login's files with size and hash. Raises ``OSError`` where one cannot be read."""
    memory = _remembered(home, number)
    entries = []
    for path in login_files(profile):
        key = _key(profile, path)
        known = memory.get(path)
        if key is not None and known is not None and known[0] == key:
            entries.append(Entry(path, key[1], known[1]))
        else:
            entries.append(Entry(path, *hash_file(profile / path)))
    return entries


def remember(home: Home, number: str, profile: Path, entries: Sequence[Entry], since: int) -> None:
    """Keep the hashes of what will not change. It is only a shortcut: not being able to is no failure.

    ``since``: when the first of these files was read, in ns since 1970. What was written later has another hash.
    """
    told = {}
    for entry in entries:
        key = _key(profile, entry.path)
        if key is not None and key[1] == entry.size and (never_changes(entry.path) or _is_settled(key[2], since)):
            told[entry.path] = [*key, entry.sha256]
    if {path: ((ino, size, time), sha) for path, (ino, size, time, sha) in told.items()} == _remembered(home, number):
        return
    try:
        # Lost or empty after a power cut, it is made again by the next backup.
        write_whole(home.hash_memory(number), json.dumps(told).encode(), durable=False)
    except OSError:
        return


def _is_settled(changed: int, since: int) -> bool:
    """Whether a file's time is so old that a write after ``since`` would have given it another."""
    return changed < since - (_FINE_NS if changed % 1_000_000_000 else _COARSE_NS)


def unchanged(home: Home, number: str) -> Callable[[Path, str], str | None]:
    """Gives the SHA-256 of a profile's table or blob that is what it was when it was last read, else None."""
    memory = _remembered(home, number)

    def known(source: Path, path: str) -> str | None:
        told = memory.get(path)
        return told[1] if told is not None and never_changes(path) and told[0] == stat_key(source) else None

    return known


def vouching(home: Home, number: str, profile: Path) -> Vouched:
    """Says of a table, or of a file of a SQLite database, that a backup has read all of it and it is still the same."""
    # A LevelDB login asks nothing of it in an everyday look: then it is not read.
    memory: dict[str, tuple[_Key, str]] | None = None

    def vouched(path: Path, _: os.stat_result) -> bool:
        nonlocal memory
        if memory is None:
            memory = _remembered(home, number)
        name = path.relative_to(profile).as_posix()
        known = memory.get(name)
        return known is not None and known[0] == _key(profile, name)

    return vouched


def _key(profile: Path, path: str) -> _Key | None:
    if never_changes(path):
        return stat_key(profile / path)
    try:
        status = os.lstat(profile / path)
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_ctime_ns) if stat.S_ISREG(status.st_mode) else None


def _remembered(home: Home, number: str) -> dict[str, tuple[_Key, str]]:
    try:
        told = read_json(home.hash_memory(number), 16 << 20)
        return {path: ((int(ino), int(size), int(time)), str(sha)) for path, (ino, size, time, sha) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
