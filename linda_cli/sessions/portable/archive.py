"""What is inside an exported file: a tar stream of its description and then the login's files, in that order.

Written and read in pieces; every file is hashed on its way, out as well as in.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from linda_cli.errors import BackupUnusable, BadNumber
from linda_cli.sessions.durable import open_regular
from linda_cli.sessions.login_files import Entry
from linda_cli.sessions.manifest import Manifest, parse_manifest, spelled
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.portable.errors import cut_or_changed, no_export, too_new

FORMAT = 1
DESCRIPTION = "linda-export.json"

_PIECE = 256 * 1024
# A description of a hundred thousand files is smaller; a name of the longest path fits many times.
_LARGEST_DESCRIPTION = 16 << 20
_LARGEST_HEADER = 64 * 1024
_PAX: Final = tarfile.PAX_FORMAT


@dataclass(frozen=True, slots=True)
class Description:
    """What an exported file says of itself. ``moved``: the login was given up where it came from."""

    id: str
    exported_at: str
    host: str
    moved: bool
    manifest: Manifest
    state: Mapping[str, Any]

    @property
    def number(self) -> str:
        """Whose login it is."""
        return self.manifest.number


def described(description: Description) -> bytes:
    """The description as it stands in the file."""
    told = {
        "version": FORMAT,
        "id": description.id,
        "exportedAt": description.exported_at,
        "host": description.host,
        "moved": description.moved,
        "backup": spelled(description.manifest),
        "state": dict(description.state),
    }
    return json.dumps(told, indent=1).encode() + b"\n"


def _parsed(text: bytes) -> Description:
    try:
        told = json.loads(text)
        version = told["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise no_export("its description does not read") from None
    if isinstance(version, int) and version > FORMAT:
        raise too_new(version)
    try:
        manifest = parse_manifest(told["backup"], "")
        if parse_number(manifest.number) != manifest.number or version != FORMAT:
            raise ValueError
        state = told["state"]
        texts = (told["id"], told["exportedAt"], told["host"])
        if not isinstance(state, dict) or not all(isinstance(one, str) and len(one) <= 200 for one in texts):
            raise ValueError
        id_, exported_at, host = texts
        return Description(id_, exported_at, host, told["moved"] is True, manifest, state)
    except (ValueError, KeyError, TypeError, AttributeError, BadNumber):
        raise no_export("its description is not as linda writes it") from None


# -- writing


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member.tobuf(_PAX, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


_END = bytes(2 * tarfile.BLOCKSIZE)


def packed(text: bytes, folder: Path, entries: Iterable[Entry]) -> Iterator[bytes]:
    """The stream: the description ``text``, then these files of ``folder``.

    Raises ``BackupUnusable`` where a file is not, byte for byte, what its entry says.
    """
    yield _header(DESCRIPTION, len(text)) + text + _padding(len(text))
    for entry in entries:
        yield _header(entry.path, entry.size)
        yield from _contents(folder, entry)
        yield _padding(entry.size)
    yield _END


def _contents(folder: Path, entry: Entry) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(open_regular(folder / entry.path), "rb", buffering=0) as file:
            while size < entry.size and (piece := file.read(min(_PIECE, entry.size - size))):
                digest.update(piece)
                size += len(piece)
                yield piece
    except OSError as problem:
        raise _other_bytes(folder, entry, problem.strerror or str(problem)) from problem
    if (size, digest.hexdigest()) != (entry.size, entry.sha256):
        raise _other_bytes(folder, entry, "it has other bytes than were saved")


def _other_bytes(folder: Path, entry: Entry, why: str) -> BackupUnusable:
    return BackupUnusable(
        f"{folder.name} cannot be exported: {entry.path}: {why}", f"linda restore {folder.name.split('-')[1]} --list"
    )


def packed_length(text: bytes, entries: Iterable[Entry]) -> int:
    """Bytes of the stream."""
    sizes = [(DESCRIPTION, len(text)), *((entry.path, entry.size) for entry in entries)]
    return sum(len(_header(name, size)) + size + len(_padding(size)) for name, size in sizes) + len(_END)


# -- reading


class _Budget:
    """The stream as tarfile reads it, never more of it than was allowed: a header may name any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""
        self._allowed = 0

    def allow(self, size: int) -> None:
        """From here on ``size`` bytes more, and what tarfile reads ahead."""
        self._allowed = size + tarfile.RECORDSIZE

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        given, self._left = self._left[:size], self._left[size:]
        self._allowed -= len(given)
        if self._allowed < 0:
            raise cut_or_changed("a part of it is larger than it may be")
        return given

    def rest(self) -> int:
        """Read to the end, which proves the last piece; how many bytes were there."""
        return len(self._left) + sum(map(len, self._pieces))


class ArchiveReader:
    """Reads a stream of :func:`packed`: first ``description``, then each of ``files``, to the end."""

    def __init__(self, plain: Iterator[bytes]) -> None:
        self._budget = _Budget(plain)
        self._budget.allow(_LARGEST_HEADER)
        self._tar: tarfile.TarFile | None = None
        self.text = b""
        """The description's own bytes."""

    def description(self) -> Description:
        """What the file says of itself. Raises ``BackupUnusable`` for a file of another kind or of a newer linda."""
        try:
            # Nothing to close: what it reads is not its own.
            self._tar = tarfile.open(  # noqa: SIM115
                mode="r|", fileobj=cast(Any, self._budget), bufsize=tarfile.RECORDSIZE
            )
        except tarfile.TarError:
            raise no_export("there is something else in it") from None
        member = self._next()
        if member is None or member.name != DESCRIPTION or not 0 < member.size <= _LARGEST_DESCRIPTION:
            raise no_export("there is something else in it")
        self.text = b"".join(self._pieces(member))
        return _parsed(self.text)

    def files(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each file with its bytes, which must be read to their end; it proves itself there."""
        for entry in entries:
            member = self._next()
            if member is None or member.name != entry.path or member.size != entry.size:
                raise cut_or_changed(f"{entry.path} is not where it should be")
            yield entry, self._proven(entry, member)
        if self._next() is not None or self._budget.rest() > tarfile.RECORDSIZE:
            raise cut_or_changed("there is more in it than it says")

    def _proven(self, entry: Entry, member: tarfile.TarInfo) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for piece in self._pieces(member):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != entry.sha256:
            raise cut_or_changed(f"{entry.path} has other bytes than were saved")

    def _next(self) -> tarfile.TarInfo | None:
        assert self._tar is not None
        self._budget.allow(_LARGEST_HEADER)
        try:
            member = self._tar.next()
        except tarfile.TarError:
            raise cut_or_changed("a part of it is missing") from None
        if member is not None and not member.isreg():
            raise cut_or_changed(f"{ascii(member.name)[:80]} is no file")
        return member

    def _pieces(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        assert self._tar is not None
        file = self._tar.extractfile(member)
        assert file is not None
        left = member.size
        while left:
            self._budget.allow(min(left, _PIECE))
            try:
                piece = file.read(min(left, _PIECE))
            except tarfile.TarError:
                raise cut_or_changed("a part of it is missing") from None
            if not piece:
                raise cut_or_changed("a part of it is missing")
            left -= len(piece)
            yield piece
