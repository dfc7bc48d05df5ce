"""The events of each session, kept: one JSON line per event in ``logs/session-<number>.log``, rotated by size.

What would let somebody in never gets there: the text of a QR code and a pairing code are left out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LARGEST = 1_000_000
"""Bytes after which a log is set aside and a new one begun; this many and the kept ones are all it ever takes."""

KEPT = 3

_SECRET = (("qr", "qr"), ("pairing_code", "code"))
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20


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


def append(path: Path, line: Mapping[str, Any]) -> bool:
    """Add a line. Not being able to (a full disk) must not stop a run: it is False then, and nothing is raised."""
    try:
        handle = _opened(path)
        try:
            if os.fstat(handle).st_size >= LARGEST and _rotated(path, handle):
                os.close(handle)
                handle = _opened(path)
            os.write(handle, _on_its_own_line(handle) + json.dumps(line).encode() + b"\n")
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def _opened(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
    except OSError:
        os.close(handle)
        raise
    return handle


def _on_its_own_line(handle: int) -> bytes:
    """What ends a line that a full disk has torn, so that the next one can be read."""
    size = os.fstat(handle).st_size
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def _rotated(path: Path, handle: int) -> bool:
    """Set the log aside, unless another process is doing so or has done so just now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            return False
        raise
    if _inode(path) != os.fstat(handle).st_ino:
        return True
    for number in range(KEPT, 0, -1):
        # An older log of this number is not there yet.
        with contextlib.suppress(FileNotFoundError):
            _kept(path, number - 1).replace(_kept(path, number))
    return True


def _kept(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Every line that is there, oldest first; half a line at the end is left for the next look."""
    with contextlib.closing(EventLog(path)) as log:
        yield from log.new_lines()


class EventLog:
    """Reads a log beside its writers: each line once, in order, over any number of rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[_File] = []
        """Those that are read, oldest first. The one before the newest stays open: a writer may still be at it."""

    def new_lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line that was not given yet."""
        while True:
            found = self._open_new_files()
            for file in self._files:
                yield from file.new_lines()
            if not found:
                return
            for old in self._files[:-2]:
                old.close()
            self._files = self._files[-2:]

    def close(self) -> None:
        """Give the files back."""
        for file in self._files:
            file.close()
        self._files = []

    def _open_new_files(self) -> bool:
        """Open what has come since; True where there was something."""
        known = [file.inode for file in self._files]
        if known and _inode(self._path) == known[-1]:
            return False
        opened: list[_File] = []
        # From the newest to the oldest: a rotation meanwhile only shows a file twice, and never hides one.
        for number in range(KEPT + 1):
            with contextlib.suppress(OSError):
                file = _File(_kept(self._path, number))
                if file.inode in known or any(one.inode == file.inode for one in opened):
                    file.close()
                    if file.inode in known:
                        break
                    continue
                opened.append(file)
        self._files += reversed(opened)
        return bool(opened)


class _File:
    """One file of a log, read as it grows; it may have another name by now."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        self.inode = os.fstat(self._handle).st_ino
        self._rest = b""

    def new_lines(self) -> Iterator[dict[str, Any]]:
        while chunk := self._more():
            *lines, rest = (self._rest + chunk).split(b"\n")
            self._rest = rest[:_LONGEST_LINE]
            for line in lines:
                try:
                    told = json.loads(line)
                except (ValueError, RecursionError):
                    # Torn by a full disk, or not ours: the lines around it can still be told.
                    continue
                if isinstance(told, dict):
                    yield told

    def _more(self) -> bytes:
        try:
            return os.read(self._handle, _CHUNK)
        except OSError:
            return b""

    def close(self) -> None:
        os.close(self._handle)
