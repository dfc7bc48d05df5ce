"""Backups coming down: every block, every file and the whole proven before anything gets the name of a backup."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import BackupUnusable
from linda_cli.object_store.blocks import LARGEST_SEALED, sizes, write_at
from linda_cli.object_store.bucket import Bucket
from linda_cli.object_store.keys import OpenKey
from linda_cli.object_store.record import LARGEST_RECORD, Record, RecordName, read_record
from linda_cli.sessions import together
from linda_cli.sessions.manifest import unusable


@dataclass(frozen=True, slots=True)
class Found:
    """A backup in the store. ``record`` None: it is not as linda writes it, and ``wrong`` says why."""

    name: str
    of: RecordName
    key: OpenKey
    record: Record | None
    wrong: str = ""


class Download:
    """Reads one session's backups out of a store."""

    def __init__(self, bucket: Bucket, root: str, keys: list[OpenKey]) -> None:
        self._bucket = bucket
        self._root = root
        self._keys = keys

    def backups(self) -> list[Found]:
        """Every backup of the session, newest first, whoever uploaded it."""
        named: dict[tuple[int, str], tuple[RecordName, OpenKey]] = {}
        for key in self._keys:
            for one in self._bucket.objects(f"{self._root}/{key.key.id}/backups/"):
                of = RecordName.parse(one.name.rsplit("/", 1)[1])
                if of is None:
                    continue
                before = named.get((of.ms, key.key.id))
                # One that was verified or labelled later may be there under both names for a moment.
                if before is None or (before[0].labelled, before[0].verified) < (of.labelled, of.verified):
                    named[(of.ms, key.key.id)] = of, key
        newest_first = sorted(named.values(), key=lambda one: (-one[0].ms, one[1].key.id))
        return together.each(lambda one: self._opened(*one), newest_first)

    def _opened(self, of: RecordName, key: OpenKey) -> Found:
        name = f"backup-{key.number}-{of.ms}"
        data = self._bucket.get(f"{self._root}/{key.key.id}/backups/{of}", LARGEST_RECORD)
        if data is None:
            return Found(name, of, key, None, "its record in the object store is missing, or too large")
        try:
            return Found(name, of, key, read_record(key, of, data))
        except BackupUnusable as problem:
            return Found(name, of, key, None, str(problem.facts.get("reason") or problem.message))

    def fill(self, found: Found, folder: Path, go_on: Callable[[], None] = lambda: None) -> None:
        """Write the files of a backup into ``folder``, whose folders are there.

        Raises ``BackupUnusable`` where a block is missing or is not exactly what was uploaded.
        """
        record = found.record
        assert record is not None

        def put(path: str, at: int, size: int, block: str) -> None:
            go_on()
            data = self._block(found, path, block, size)
            handle = os.open(folder / path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                write_at(handle, at, data)
            finally:
                os.close(handle)

        todo: list[tuple[str, int, int, str]] = []
        for entry in record.manifest.files:
            handle = os.open(
                folder / entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            try:
                os.truncate(handle, entry.size)
            finally:
                os.close(handle)
            todo += [
                (entry.path, at, size, block)
                for (at, size), block in zip(sizes(entry.size), record.blocks[entry.path], strict=True)
            ]
        together.each(lambda one: put(*one), todo)

    def _block(self, found: Found, path: str, block: str, size: int) -> bytes:
        key = found.key
        sealed = self._bucket.get(f"{self._root}/{key.key.id}/blocks/{block}", LARGEST_SEALED)
        if sealed is None:
            raise unusable(found.name, f"a block of {path} is missing in the object store")
        data = key.opened(sealed)
        if data is None or len(data) != size or key.key.block_name(hashlib.sha256(data).hexdigest()) != block:
            raise unusable(found.name, f"a block of {path} in the object store was altered")
        return data
