"""A whole LevelDB folder: is it sound, and what does it hold for a key?

A browser may be writing while we look. Then a file that the manifest named a moment ago can be gone, replaced by a
compaction. So what looks damaged is looked at again as long as the folder changes under our eyes.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

from linda_cli.sessions.storage.damage import Damage, Unknown, Unreadable, spelled
from linda_cli.sessions.storage.files import Gone, Opened, names, opened
from linda_cli.sessions.storage.inspection import GrownTo, Inspection, Vouched, failed, never, unknown
from linda_cli.sessions.storage.leveldb import log, manifest, table
from linda_cli.sessions.storage.repair import Repair

_NUMBERED = re.compile(r"(\d{1,20})\.(log|ldb|sst)", re.ASCII)
_LOOKS = 600
_T = TypeVar("_T")


class _Version(NamedTuple):
    folder: Path
    now: manifest.Manifest
    logs: tuple[Path, ...]
    tables: tuple[tuple[Path, manifest.Table], ...]
    without_current: bool


def inspect(
    folder: Path, *, comparator: bytes, deep: bool = False, vouched: Vouched = never, grown_to: GrownTo = unknown
) -> Inspection:
    """Look at the database in ``folder``; ``deep`` reads every block of every table nobody has vouched for.

    An unfinished last record is no damage, but it must be cut off before a browser starts: see ``repairs``.
    """
    try:
        if not names(folder):
            return Inspection(False, f"{spelled(folder.name)} is empty", absent=True)
        return _steadily(folder, lambda: _inspect(folder, comparator, deep, vouched, grown_to))
    except Gone as damage:
        return failed(damage, absent=not os.path.lexists(folder))
    except Damage as damage:
        return failed(damage)


def get(folder: Path, key: bytes) -> bytes | None:
    """The present value of ``key``, or None where it has none. Byte order only; raises ``Damage``."""
    return read(folder, (key,))[key]


def read(folder: Path, keys: Iterable[bytes]) -> Mapping[bytes, bytes | None]:
    """The present values of several keys, all as of one moment. Byte order only; raises ``Damage``."""
    wanted = tuple(keys)
    return _steadily(folder, lambda: _read(folder, wanted))


def keys(folder: Path, prefix: bytes, most: int = 1000) -> frozenset[bytes]:
    """The keys with this prefix that have a value now, at most ``most`` of them. Byte order only; raises ``Damage``."""
    return _steadily(folder, lambda: _keys(folder, prefix, most))


def salvage(folder: Path, keys: Iterable[bytes]) -> Mapping[bytes, bytes | None]:
    """The newest values that can still be found in what is readable of a damaged database, whatever its manifest."""
    newest: dict[bytes, tuple[int, bytes | None]] = dict.fromkeys(keys, (-1, None))
    try:
        listing = names(folder)
    except Damage:
        listing = frozenset()
    for name in sorted(listing):
        match = _NUMBERED.fullmatch(name)
        if not match:
            continue
        try:
            with opened(folder / name) as file:
                if match[2] == "log":
                    _from_log(file, newest, strict=False)
                else:
                    _from_table(file, file.stat.st_size, newest)
        except Damage:
            continue
    return {key: value for key, (_, value) in newest.items()}


def _steadily(folder: Path, look: Callable[[], _T]) -> _T:
    """Look until nothing changed meanwhile. What never stands still is not known, which is not damage."""
    for _ in range(_LOOKS):
        before = _stamp(folder)
        try:
            return look()
        except Damage:
            if _stamp(folder) == before:
                raise
        # A busy machine may keep us waiting here for long, so it is the looks that are counted and not the time.
        time.sleep(0.003)
    raise Unreadable(f"{spelled(folder.name)} kept changing while it was looked at")


def _stamp(folder: Path) -> tuple[object, ...]:
    try:
        listing = names(folder)
        found = []
        for name in sorted(listing):
            if name == "CURRENT" or name.startswith("MANIFEST-"):
                status = (folder / name).lstat()
                found.append((name, status.st_ino, status.st_size, status.st_mtime_ns))
        return listing, tuple(found)
    except Damage as damage:
        # no folder to look into: waiting for another one would only cost time
        return (damage.detail,)
    except OSError:
        # changing at this very moment: equal to nothing
        return (object(),)


def _version(folder: Path) -> _Version:
    listing = names(folder)
    without_current = "CURRENT" not in listing
    if without_current:
        candidates = manifest.manifests(listing)
        if not candidates:
            raise Gone("CURRENT is missing, and so is every manifest")
        name = candidates[0]
    else:
        name = manifest.current(folder)
    found = manifest.read(folder, name)
    numbered = {(int(match[1]), match[2]): name for name in listing if (match := _NUMBERED.fullmatch(name))}
    logs = sorted(
        (number, name)
        for (number, kind), name in numbered.items()
        if kind == "log" and (number >= found.log or number == found.previous_log)
    )
    # LevelDB does not miss a log, it just goes on without what was in it; but it always makes one before naming it.
    # A young database names none yet (number 0) and writes to one all the same.
    if not logs or (found.log and logs[0][0] > found.log):
        raise Gone(f"{found.log:06}.log is missing" if found.log else "every log is missing")
    known = {one.number for one in found.tables}
    strays = any(kind != "log" and number not in known for number, kind in numbered)
    # the first log of all comes right behind the first manifest: a later one beside tables that nobody knows means
    # that the changes in between were lost
    if not found.log and strays and logs[0][0] > found.next_file + 1:
        raise Damage(f"{spelled(name)} has lost its last changes")
    tables = []
    for one in found.tables:
        file = numbered.get((one.number, "ldb")) or numbered.get((one.number, "sst"))
        if file is None:
            raise Gone(f"{one.number:06}.ldb is missing")
        tables.append((folder / file, one))
    return _Version(folder, found, tuple(folder / name for _, name in logs), tuple(tables), without_current)


def _inspect(folder: Path, comparator: bytes, deep: bool, vouched: Vouched, grown_to: GrownTo) -> Inspection:
    version = _version(folder)
    _lock_is_a_file(folder)
    if version.now.comparator != comparator:
        rule = spelled(version.now.comparator.decode("latin-1"))
        # The manifest bears checksums, so nothing but another program wrote this.
        raise Unknown(f"the database is sorted by another rule ({rule})")
    latent: Damage | None = None
    for path, one in version.tables:
        with opened(path) as file:
            if file.stat.st_size != one.size:
                raise Damage(f"{file.name} has {file.stat.st_size} bytes, not the {one.size} that the manifest says")
            table.check_index(file, one.size)
            if deep and not vouched(path, file.stat):
                try:
                    table.verify(file, one.size, one.smallest)
                except Damage as damage:
                    latent = latent or damage
    repairs = []
    if version.without_current:
        repairs.append(_naming(folder, version.now.name))
    if version.now.whole < version.now.stored:
        repairs.append(_cutting(folder / version.now.name, version.now.whole, version.now.stored))
    hollow = not version.tables
    for path in version.logs:
        with opened(path) as file:
            progress = log.Progress()
            for _ in log.records(file, progress=progress):
                pass
            size = file.stat.st_size
        if size < (grown_to(path) or 0):
            raise Damage(f"{file.name} has become shorter since it was backed up")
        if progress.end < size:
            repairs.append(_cutting(path, progress.end, size))
        hollow = hollow and not progress.end
    live = (
        *(() if version.without_current else (folder / "CURRENT",)),
        folder / version.now.name,
        *version.logs,
        *(path for path, _ in version.tables),
    )
    if latent is not None:
        return Inspection(False, latent.detail, latent=True, live=live)
    if version.without_current:
        return Inspection(False, "CURRENT is missing", tuple(repairs), live=live)
    return Inspection(True, _summary(version), tuple(repairs), live=live, hollow=hollow)


def _lock_is_a_file(folder: Path) -> None:
    # anything else there, and LevelDB gives up before it reads a byte
    try:
        regular = stat.S_ISREG((folder / "LOCK").lstat().st_mode)
    except OSError:
        return
    if not regular:
        raise Damage("LOCK is not a regular file")


def _naming(folder: Path, name: str) -> Repair:
    # left to itself LevelDB makes an empty manifest then, and deletes every table as not belonging to it
    return Repair("write", PurePath(folder.name, "CURRENT"), "CURRENT is written anew", content=f"{name}\n".encode())


def _cutting(path: Path, whole: int, size: int) -> Repair:
    # LevelDB writes on behind the unfinished record, and takes both for one with a wrong checksum at the start after
    where = PurePath(path.parent.name, path.name)
    what = f"the unfinished last record of {spelled(path.name)} is cut off"
    return Repair("cut", where, what, size=whole, was=size)


def _summary(version: _Version) -> str:
    size = sum(one.size for _, one in version.tables)
    count = len(version.tables)
    return f"sound ({count} table{'' if count == 1 else 's'}, {size / 1e6:.1f} MB)"


def _read(folder: Path, keys: tuple[bytes, ...]) -> Mapping[bytes, bytes | None]:
    version = _version(folder)
    newest: dict[bytes, tuple[int, bytes | None]] = dict.fromkeys(keys, (-1, None))
    for path in version.logs:
        with opened(path) as file:
            _from_log(file, newest, strict=True)
    for path, one in version.tables:
        if any(one.smallest[:-8] <= key <= one.largest[:-8] for key in keys):
            with opened(path) as file:
                _from_table(file, one.size, newest)
    return {key: value for key, (_, value) in newest.items()}


def _keys(folder: Path, prefix: bytes, most: int) -> frozenset[bytes]:
    version = _version(folder)
    newest: dict[bytes, tuple[int, bool]] = {}

    def note(key: bytes, sequence: int, there: bool) -> None:
        if key.startswith(prefix) and sequence >= newest.get(key, (-1, False))[0]:
            newest[key] = (sequence, there)

    for path in version.logs:
        with opened(path) as file:
            for record in log.records(file):
                for key, sequence, value in log.entries(record):
                    note(key, sequence, value is not None)
    for path, one in version.tables:
        if one.smallest[: len(prefix)] <= prefix <= one.largest[: len(prefix)]:
            with opened(path) as file:
                for key, sequence, there in table.keys(file, one.size, prefix):
                    note(key, sequence, there)
        if len(newest) > 100 * most:
            break
    return frozenset(sorted(key for key, (_, there) in newest.items() if there)[:most])


def _from_log(file: Opened, newest: dict[bytes, tuple[int, bytes | None]], *, strict: bool) -> None:
    for record in log.records(file, strict=strict):
        try:
            for key, sequence, value in log.entries(record):
                if key in newest and sequence >= newest[key][0]:
                    newest[key] = (sequence, value)
        except Damage as damage:
            if strict:
                raise Damage(f"{file.name}: {damage.detail}") from None


def _from_table(file: Opened, size: int, newest: dict[bytes, tuple[int, bytes | None]]) -> None:
    for key in newest:
        found = table.lookup(file, size, key)
        if found is not None and found[0] > newest[key][0]:
            newest[key] = found
