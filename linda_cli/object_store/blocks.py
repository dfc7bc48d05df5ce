"""Files as blocks of at most 1 MiB: of a SQLite database that changed a little, only the blocks that changed go up."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.sessions.login_files import Entry

BLOCK = 1 << 20
LARGEST_SEALED = BLOCK + 64 * 1024
"""Bytes of an encrypted block: age adds 16 bytes to each 64 KiB, and a header."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file. ``at`` and ``size`` in bytes; ``sha256`` of these bytes, in hex."""

    path: str
    at: int
    size: int
    sha256: str


class FileChanged(Exception):
    """A file of a backup does not have the bytes that ``backup.json`` says."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def sizes(size: int) -> Iterator[tuple[int, int]]:
    """(offset, size) of each block of a file; an empty file has none."""
    for at in range(0, size, BLOCK):
        yield at, min(BLOCK, size - at)


def count(size: int) -> int:
    """How many blocks a file has."""
    return (size + BLOCK - 1) // BLOCK


def blocks_of(folder: Path, entry: Entry) -> list[Block]:
    """The blocks of one file, hashed. A file of one block is not read: its hash is known.

    Raises ``FileChanged``, and ``FileNotFoundError`` where retention took the backup meanwhile.
    """
    if entry.size == 0:
        return []
    if entry.size <= BLOCK:
        return [Block(entry.path, 0, entry.size, entry.sha256)]
    found, whole = [], hashlib.sha256()
    with open(folder / entry.path, "rb", buffering=0) as file:
        for at, size in sizes(entry.size):
            data = read_at(file.fileno(), at, size)
            if len(data) != size:
                raise FileChanged(entry.path)
            whole.update(data)
            found.append(Block(entry.path, at, size, hashlib.sha256(data).hexdigest()))
    if whole.hexdigest() != entry.sha256:
        raise FileChanged(entry.path)
    return found


def read_block(folder: Path, block: Block) -> bytes:
    """The bytes of a block, as they were when it was hashed. Raises ``FileChanged``, ``FileNotFoundError``."""
    with open(folder / block.path, "rb", buffering=0) as file:
        data = read_at(file.fileno(), block.at, block.size)
    if hashlib.sha256(data).hexdigest() != block.sha256:
        raise FileChanged(block.path)
    return data


def read_at(handle: int, at: int, size: int) -> bytes:
    """Up to ``size`` bytes from ``at``; fewer only at the end of the file."""
    data = os.pread(handle, size, at)
    while len(data) < size and (more := os.pread(handle, size - len(data), at + len(data))):
        data += more
    return data


def write_at(handle: int, at: int, data: bytes) -> None:
    """All of ``data`` at ``at``."""
    written = 0
    while written < len(data):
        written += os.pwrite(handle, data[written:], at + written)
