"""Sorted tables (.ldb): their footer, their index, their blocks.

A table never changes once it is written. Its end names the index, the index names every block, and every block bears
a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from linda_cli.sessions.storage.damage import Damage, Unknown
from linda_cli.sessions.storage.files import Opened
from linda_cli.sessions.storage.leveldb.encoding import checksum, varint

_FOOTER = 48
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1
_MOST_BLOCK = 64 << 20
_TAG = 8


class Handle(NamedTuple):
    """Where a block lies."""

    offset: int
    size: int


class Footer(NamedTuple):
    """The two blocks that a table's end names."""

    metaindex: Handle
    directory: Handle


def footer(file: Opened, size: int) -> Footer:
    """The footer of a table that the manifest says is ``size`` bytes long."""
    data = file.read(size - _FOOTER, _FOOTER) if size >= _FOOTER else b""
    if len(data) != _FOOTER or data[-8:] != _MAGIC:
        raise Damage(f"{file.name}: no table ends like this")
    metaindex, at = _handle(data, 0)
    index, _ = _handle(data, at)
    for handle in (metaindex, index):
        if handle.offset + handle.size + _TRAILER > size - _FOOTER:
            raise Damage(f"{file.name}: its end points outside of it")
    return Footer(metaindex, index)


def stored(file: Opened, handle: Handle) -> bytes:
    """A block as stored, its checksum verified, with its last byte telling how it is compressed."""
    if handle.size > _MOST_BLOCK:
        raise Damage(f"{file.name}: a block is too large to be true")
    data = file.read(handle.offset, handle.size + _TRAILER)
    if len(data) != handle.size + _TRAILER:
        raise Damage(f"{file.name}: a block lies outside of it")
    if checksum(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Damage(f"{file.name}: a block has a wrong checksum (at byte {handle.offset})")
    return data[:-4]


def block(file: Opened, handle: Handle) -> bytes:
    """A block's contents, verified and unpacked."""
    data = stored(file, handle)
    kind, data = data[-1], data[:-1]
    if kind == _PLAIN:
        return data
    if kind != _SNAPPY:
        raise Unknown(f"{file.name}: a block is packed in an unknown way")
    # what it unpacks to is said in front; three bytes can become at most 64, so a lie about the size shows early
    try:
        said, _ = varint(data, 0)
        if said > _MOST_BLOCK or said > 24 * len(data) + 64:
            raise Damage(f"{file.name}: a block is too large to be true")
        from cramjam import snappy  # only a packed block needs it, and it takes 2 ms to import

        return bytes(snappy.decompress_raw(data))
    except Damage:
        raise
    except Exception:  # noqa: BLE001 - the unpacker names its errors differently from version to version
        raise Damage(f"{file.name}: a block does not unpack") from None


def pairs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an unpacked block, in order."""
    if len(data) < 4:
        raise Damage("a block is too short")
    restarts = int.from_bytes(data[-4:], "little")
    end = len(data) - 4 - 4 * restarts
    if end < 0:
        raise Damage("a block is too short")
    key = b""
    at = 0
    while at < end:
        # nearly every length is one byte long, and an index has thousands of them
        shared, fresh, size = data[at], data[at + 1], data[at + 2]
        if (shared | fresh | size) < 0x80:
            at += 3
        else:
            shared, at = varint(data, at)
            fresh, at = varint(data, at)
            size, at = varint(data, at)
        middle = at + fresh
        last = middle + size
        if shared > len(key) or last > end:
            raise Damage("a block's entries overlap its end")
        key = key[:shared] + data[at:middle]
        yield key, data[middle:last]
        at = last


def blocks(file: Opened, index: Handle) -> Iterator[tuple[bytes, Handle]]:
    """The data blocks in order, each with a key that none in it exceeds."""
    behind = 0
    for key, value in pairs(block(file, index)):
        handle, _ = _handle(value, 0)
        # an index that names one large block a million times must not keep us for a day
        if handle.offset < behind:
            raise Damage(f"{file.name}: its blocks overlap")
        behind = handle.offset + handle.size + _TRAILER
        yield key, handle


def lookup(file: Opened, size: int, key: bytes) -> tuple[int, bytes | None] | None:
    """The newest entry for user key ``key`` in byte order: its sequence number and value (``None``: deleted)."""
    for last, handle in blocks(file, footer(file, size).directory):
        separator = last[:-_TAG]
        if separator < key:
            continue
        for internal, value in pairs(block(file, handle)):
            if internal[:-_TAG] == key:
                tag = int.from_bytes(internal[-_TAG:], "little")
                return tag >> 8, (value if tag & 0xFF else None)
        if separator > key:
            return None
    return None


def keys(file: Opened, size: int, prefix: bytes) -> Iterator[tuple[bytes, int, bool]]:
    """Every user key with this prefix: the key, its sequence number, and whether it was written (not deleted)."""
    for last, handle in blocks(file, footer(file, size).directory):
        if last[: len(prefix)] < prefix:
            continue
        for internal, _ in pairs(block(file, handle)):
            if internal.startswith(prefix):
                tag = int.from_bytes(internal[-_TAG:], "little")
                yield internal[:-_TAG], tag >> 8, bool(tag & 0xFF)
        if last[: len(prefix)] > prefix:
            return


def check_index(file: Opened, size: int) -> None:
    """Footer and index only: what a browser reads as soon as it needs anything of the table."""
    stored(file, footer(file, size).directory)


def verify(file: Opened, size: int, smallest: bytes) -> None:
    """Every block of the table: data, index, filter and what names the filter; and that it is the table meant.

    A table of another generation can bear the same number and size and be whole in itself; it begins with another
    key than the manifest says.
    """
    found = footer(file, size)
    first = True
    for _, handle in blocks(file, found.directory):
        if first:
            key = next(pairs(block(file, handle)), (b"",))[0]
            if key != smallest:
                raise Damage(f"{file.name}: it is not the table that the manifest means")
            first = False
        else:
            stored(file, handle)
    for _, handle in blocks(file, found.metaindex):
        stored(file, handle)


def _handle(data: bytes, at: int) -> tuple[Handle, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return Handle(offset, size), at
