"""The fingerprint of a profile as it lies there, without reading again what cannot have changed.

LevelDB tables and IndexedDB blobs never change once written, so their hashes are remembered by inode, size and time in
``.session-cache/hashes-<number>.json``. Everything else (logs, manifests) is read each time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from linda_cli.sessions.durable import hash_file, write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.login_files import Entry, login_files, never_changes, stat_key
from linda_cli.sessions.state import read_json

_Key = tuple[int, int, int]


def profile_entries(home: Home, number: str, profile: Path) -> list[Entry]:
    """The login's files with size and hash. Raises ``OSError`` where one cannot be read."""
    memory = _remembered(home, number)
    entries = []
    for path in login_files(profile):
        key = stat_key(profile / path)
        known = memory.get(path)
        if key is not None and known is not None and known[0] == key:
            entries.append(Entry(path, key[1], known[1]))
        else:
            entries.append(Entry(path, *hash_file(profile / path)))
    return entries


def remember(home: Home, number: str, profile: Path, entries: Sequence[Entry]) -> None:
    """Keep the hashes of what will not change. It is only a shortcut: not being able to is no failure."""
    told = {}
    for entry in entries:
        key = stat_key(profile / entry.path) if never_changes(entry.path) else None
        if key is not None and key[1] == entry.size:
            told[entry.path] = [*key, entry.sha256]
    if {path: ((ino, size, time), sha) for path, (ino, size, time, sha) in told.items()} == _remembered(home, number):
        return
    try:
        # Lost or empty after a power cut, it is made again by the next backup.
        write_whole(home.hash_memory(number), json.dumps(told).encode(), durable=False)
    except OSError:
        return


def vouched(home: Home, number: str, profile: Path) -> frozenset[_Key]:
    """(inode, size, mtime ns) of the tables that a backup has read block by block."""
    return frozenset(key for key, _ in _remembered(home, number).values())


def _remembered(home: Home, number: str) -> dict[str, tuple[_Key, str]]:
    try:
        told = read_json(home.hash_memory(number), 16 << 20)
        return {path: ((int(ino), int(size), int(time)), str(sha)) for path, (ino, size, time, sha) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
