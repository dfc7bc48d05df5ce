"""Records of a write-ahead log or a manifest, judged as LevelDB judges them, and a little harder.

LevelDB ends quietly where the file ends inside a record: that is what a killed browser leaves. It ends just as
quietly where a *damaged length* points behind the end of the file, and all that follows is lost without a word. The
two differ: behind a damaged length whole records still follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from linda_cli.sessions.storage.damage import Damage
from linda_cli.sessions.storage.files import Opened
from linda_cli.sessions.storage.leveldb.encoding import checksum, slice_at

_BLOCK = 32 * 1024
_HEADER = Struct("<IHB")
_HEAD = _HEADER.size
_NOTHING, _FULL, _FIRST, _MIDDLE, _LAST = range(5)
_MOST_LOG = 1 << 30
_MOST_RECORD = 128 << 20
_BATCH_HEAD = 12


class Progress:
    """How far the whole records of a log reach; what lies behind that is an unfinished one."""

    __slots__ = ("end",)

    def __init__(self) -> None:
        self.end = 0


def records(file: Opened, *, strict: bool = True, progress: Progress | None = None) -> Iterator[bytes]:
    """The records in order. ``strict`` ends at the first damage by raising it, otherwise what is damaged is skipped."""
    progress = progress or Progress()
    if file.stat.st_size > _MOST_LOG:
        raise Damage(f"{file.name} is too large to be true")
    parts: list[bytes] | None = None
    size = 0
    for start, block in _blocks(file):
        at = 0
        while at + _HEAD <= len(block):
            try:
                piece = _piece(file, start, block, at)
            except Damage:
                if strict:
                    raise
                parts = None
                break
            if piece is None:
                return
            kind, data = piece
            if kind == _NOTHING:
                if strict and parts is not None:
                    raise _damage(file, start + at, "a record breaks off")
                return
            at += _HEAD + len(data)
            if kind in (_FULL, _FIRST):
                if strict and parts:
                    raise _damage(file, start + at, "a record has no end")
                # LevelDB forgives an empty beginning: old writers left one where just a header fitted into a block
                parts = None
                if kind == _FULL:
                    progress.end = start + at
                    yield data
                    continue
                parts, size = ([data] if data else []), len(data)
                continue
            if parts is None:
                if strict:
                    raise _damage(file, start + at, "a record has no beginning")
                continue
            size += len(data)
            if size > _MOST_RECORD:
                raise _damage(file, start + at, "a record is too large to be true")
            parts.append(data)
            if kind == _LAST:
                progress.end = start + at
                yield b"".join(parts)
                parts = None


def entries(batch: bytes) -> Iterator[tuple[bytes, int, bytes | None]]:
    """What one log record wrote: user key, sequence number, value (``None``: deleted)."""
    if len(batch) < _BATCH_HEAD:
        raise Damage("a log record is too short")
    sequence = int.from_bytes(batch[:8], "little")
    count = int.from_bytes(batch[8:_BATCH_HEAD], "little")
    at = _BATCH_HEAD
    found = 0
    while at < len(batch):
        kind = batch[at]
        key, at = slice_at(batch, at + 1)
        if kind == 1:
            value, at = slice_at(batch, at)
            yield key, sequence + found, value
        elif kind == 0:
            yield key, sequence + found, None
        else:
            raise Damage("a log record holds an unknown kind of entry")
        found += 1
    if found != count:
        raise Damage("a log record holds another number of entries than it says")


def _blocks(file: Opened) -> Iterator[tuple[int, bytes]]:
    # 32 blocks at a time: few system calls, bounded memory
    start = 0
    while chunk := file.read(start, 32 * _BLOCK):
        for at in range(0, len(chunk), _BLOCK):
            yield start + at, chunk[at : at + _BLOCK]
        start += len(chunk)
        if len(chunk) < 32 * _BLOCK:
            return


def _piece(file: Opened, start: int, block: bytes, at: int) -> tuple[int, bytes] | None:
    """One physical record; of no kind where only zeros follow, and None where the file ends within it."""
    expected, length, kind = _HEADER.unpack_from(block, at)
    end = at + _HEAD + length
    if end > len(block):
        if len(block) == _BLOCK or _whole_record_within(block, at + 1):
            raise _damage(file, start + at, "a record has a wrong length")
        return None
    if kind == _NOTHING and length == 0:
        # LevelDB skips what was zeroed without a word; no harm only where it is room that was never written to
        if block[at:].strip(b"\0") or _written_after(file, start + _BLOCK):
            raise _damage(file, start + at, "a record was overwritten with zeros")
        return _NOTHING, b""
    body = block[at + 6 : end]
    if checksum(body) != expected:
        raise _damage(file, start + at, "a record has a wrong checksum")
    if not _FULL <= kind <= _LAST:
        raise _damage(file, start + at, "a record is of an unknown kind")
    return kind, body[1:]


def _written_after(file: Opened, start: int) -> bool:
    while chunk := file.read(start, 32 * _BLOCK):
        if chunk.strip(b"\0"):
            return True
        start += len(chunk)
    return False


def _whole_record_within(block: bytes, at: int) -> bool:
    for here in range(at, len(block) - _HEAD + 1):
        expected, length, kind = _HEADER.unpack_from(block, here)
        end = here + _HEAD + length
        if _FULL <= kind <= _LAST and length and end <= len(block) and checksum(block[here + 6 : end]) == expected:
            return True
    return False


def _damage(file: Opened, offset: int, what: str) -> Damage:
    return Damage(f"{file.name}: {what} (near byte {offset})")
