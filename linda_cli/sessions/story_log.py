"""The story of each session, kept: one JSON line per event in ``logs/session-<number>.log``, rotated by size.

What would let somebody in never gets there: the text of a QR code and a pairing code are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LARGEST = 1_000_000
"""Bytes after which a log is set aside and a new one begun; this many and the kept ones are all it ever takes."""

KEPT = 3

_SECRET = (("qr", "qr"), ("pairing_code", "code"))


def plain(event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of an event is kept: no secret, of a backup its name, of the checks those that failed."""
    kept: dict[str, Any] = {}
    for key, value in facts.items():
        if (event, key) in _SECRET:
            continue
        if key == "checks":
            kept["failed"] = [f"{one.key}: {one.detail}" for one in value if not one.ok]
        elif key == "backup":
            kept[key] = getattr(value, "name", value)
        else:
            kept[key] = value
    return kept


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line. Not being able to (a full disk) must not stop a run, so it is silent."""
    with contextlib.suppress(OSError):
        _rotate(path)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
            os.write(handle, json.dumps(line).encode() + b"\n")
        finally:
            os.close(handle)


def _rotate(path: Path) -> None:
    try:
        if path.stat().st_size < LARGEST:
            return
    except FileNotFoundError:
        return
    for number in range(KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        with contextlib.suppress(FileNotFoundError):
            newer.replace(older)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Every line that is there, oldest first; half a line at the end is left for the next look."""
    for number in range(KEPT, -1, -1):
        one = path.with_name(f"{path.name}.{number}") if number else path
        with contextlib.suppress(OSError), open(one, encoding="utf-8", errors="replace") as log:
            for line in log:
                with contextlib.suppress(ValueError):
                    told = json.loads(line)
                    if isinstance(told, dict):
                        yield told


def follow(path: Path) -> Iterator[dict[str, Any] | None]:
    """Lines that are added from now on; None whenever there is none yet. Goes on over rotations."""
    position = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else 0
    rest = ""
    while True:
        try:
            status = path.stat()
            if status.st_ino != inode or status.st_size < position:
                inode, position, rest = status.st_ino, 0, ""
            with open(path, encoding="utf-8", errors="replace") as log:
                log.seek(position)
                text = log.read()
                position = log.tell()
        except OSError:
            text = ""
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            with contextlib.suppress(ValueError):
                yield json.loads(line)
        yield None
