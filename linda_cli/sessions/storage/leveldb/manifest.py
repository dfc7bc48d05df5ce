"""Which files make up a database now: CURRENT names a manifest, the manifest tells the rest as a list of changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from linda_cli.sessions.storage.damage import Damage, Unknown, spelled
from linda_cli.sessions.storage.files import opened, read_small
from linda_cli.sessions.storage.leveldb.encoding import slice_at, varint
from linda_cli.sessions.storage.leveldb.log import Progress, records

_COMPARATOR, _LOG, _NEXT, _LAST_SEQUENCE, _POINTER, _DELETED, _ADDED, _PREVIOUS_LOG = 1, 2, 3, 4, 5, 6, 7, 9
_LEVELS = 7
_MOST_MANIFEST = 64 << 20
_MOST_TABLES = 100_000
_MANIFEST_NAME = re.compile(r"MANIFEST-(\d{1,20})", re.ASCII)


class Table(NamedTuple):
    """A live table as the manifest knows it; the two keys are internal ones (user key and eight bytes)."""

    level: int
    number: int
    size: int
    smallest: bytes
    largest: bytes


class Manifest(NamedTuple):
    """What the manifest says, all its changes applied."""

    name: str
    comparator: bytes
    log: int
    previous_log: int
    next_file: int
    last_sequence: int
    tables: tuple[Table, ...]
    whole: int
    """How many of its bytes are whole changes."""
    stored: int


def current(folder: Path) -> str:
    """The manifest's name, as CURRENT has it."""
    content = read_small(folder / "CURRENT", 4096)
    if not content:
        raise Damage("CURRENT is empty")
    name = content[:-1].decode("ascii", "replace")
    if content[-1:] != b"\n" or not _MANIFEST_NAME.fullmatch(name):
        raise Damage("CURRENT does not name a manifest")
    return name


def manifests(names: Iterable[str]) -> list[str]:
    """The manifests among ``names``, newest first."""
    found = [(int(match[1]), name) for name in names if (match := _MANIFEST_NAME.fullmatch(name))]
    return [name for _, name in sorted(found, reverse=True)]


def read(folder: Path, name: str) -> Manifest:
    """Follow the changes in manifest ``name`` to the end."""
    known: dict[int, int] = {}
    comparator: bytes | None = None
    live: dict[tuple[int, int], Table] = {}
    with opened(folder / name) as file:
        if file.stat.st_size > _MOST_MANIFEST:
            raise Damage(f"{spelled(name)} is too large to be true")
        stored = file.stat.st_size
        progress = Progress()
        for record in records(file, progress=progress):
            at = 0
            while at < len(record):
                tag, at = varint(record, at)
                if tag == _COMPARATOR:
                    comparator, at = slice_at(record, at)
                elif tag in (_LOG, _NEXT, _LAST_SEQUENCE, _PREVIOUS_LOG):
                    known[tag], at = varint(record, at)
                elif tag == _POINTER:
                    at = _level(record, at)[1]
                    at = slice_at(record, at)[1]
                elif tag == _DELETED:
                    level, at = _level(record, at)
                    number, at = varint(record, at)
                    live.pop((level, number), None)
                elif tag == _ADDED:
                    level, at = _level(record, at)
                    number, at = varint(record, at)
                    size, at = varint(record, at)
                    smallest, at = slice_at(record, at)
                    largest, at = slice_at(record, at)
                    live[level, number] = Table(level, number, size, smallest, largest)
                    if len(live) > _MOST_TABLES:
                        raise Damage(f"{spelled(name)} names too many tables to be true")
                else:
                    raise Unknown(f"{spelled(name)} holds an unknown change")
    if comparator is None or not {_LOG, _NEXT, _LAST_SEQUENCE} <= known.keys():
        raise Damage(f"{spelled(name)} is incomplete")
    tables = tuple(live[key] for key in sorted(live))
    return Manifest(
        name,
        comparator,
        known[_LOG],
        known.get(_PREVIOUS_LOG, 0),
        known[_NEXT],
        known[_LAST_SEQUENCE],
        tables,
        progress.end,
        stored,
    )


def _level(record: bytes, at: int) -> tuple[int, int]:
    level, at = varint(record, at)
    if level >= _LEVELS:
        raise Damage("a manifest names a level that does not exist")
    return level, at
