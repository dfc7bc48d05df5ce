"""Backups going up: what the store lacks of them, and what retention no longer wants there going away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from linda_cli.errors import BackupUnusable, ObjectStoreUnavailable
from linda_cli.object_store.blocks import Block, FileChanged, blocks_of, read_block
from linda_cli.object_store.bucket import Bucket, Stored
from linda_cli.object_store.keys import SessionKey
from linda_cli.object_store.plan import LocalBackup, SyncPlan, old_blocks, sync_plan
from linda_cli.object_store.record import LARGEST_RECORD, RecordName, blocks_named, write_record
from linda_cli.sessions import together
from linda_cli.sessions.clock import now_ms
from linda_cli.sessions.home import Home
from linda_cli.sessions.manifest import Manifest, read_manifest
from linda_cli.sessions.retention import Policy


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What one upload did. ``backups``: names that are in the store since then; ``removed``: those that went, as the
    store calls them; ``damaged``: backups of the home that were not uploaded, with the file that is wrong."""

    session: str
    backups: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    blocks: int = 0
    bytes: int = 0
    seconds: float = 0.0
    damaged: Mapping[str, str] = field(default_factory=dict)


class Upload:
    """One session's backups brought to the store. Called with the session's remote lock held."""

    def __init__(
        self, home: Home, bucket: Bucket, root: str, key: SessionKey, number: str, stop: Callable[[], bool]
    ) -> None:
        self._home = home
        self._bucket = bucket
        self._folder = f"{root}/{key.id}"
        self._key = key
        self._number = number
        self._stop = stop
        self._damaged: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._gone: set[str] = set()
        self._counting = threading.Lock()
        self._blocks = self._bytes = 0

    def run(self, policy: Policy) -> Uploaded:
        """Raises ``ObjectStoreUnavailable``; what was uploaded by then is not uploaded again."""
        began = time.monotonic()
        there = self._bucket.objects(f"{self._folder}/")
        self._sizes = {one.name.rsplit("/", 1)[1]: one.size for one in there if "/blocks/" in one.name}
        records = self._records(there)
        done: list[str] = []
        here = self._here()
        broken = self._broken(sync_plan(self._local(here), records, policy, now_ms()), records)
        while True:
            wanted = sync_plan(self._local(here), records, policy, now_ms(), broken)
            due = next((one for one in wanted.upload if one.name not in done), None)
            if due is None:
                break
            if self._put(due, here[due.name]):
                done.append(due.name)
                records = [*(one for one in records if one != due.of), due.of]
                broken -= {due.of}
        if wanted.remove:
            self._remove(wanted.remove, [one for one in records if one not in wanted.remove])
        return Uploaded(
            session=self._number,
            backups=tuple(done),
            removed=tuple(str(one) for one in wanted.remove),
            blocks=self._blocks,
            bytes=self._bytes,
            seconds=round(time.monotonic() - began, 3),
            damaged=dict(self._damaged),
        )

    @staticmethod
    def _records(there: list[Stored]) -> list[RecordName]:
        names = [RecordName.parse(one.name.rsplit("/", 1)[1]) for one in there if "/backups/" in one.name]
        return [one for one in names if one is not None]

    # -- here

    def _here(self) -> dict[str, Manifest]:
        found: dict[str, Manifest] = {}
        for stamped in self._home.stamped("backup", self._number):
            try:
                found[stamped.name] = read_manifest(self._home.at(stamped))
            except BackupUnusable as problem:
                self._damaged[stamped.name] = str(problem.facts.get("reason") or problem.message)
        return found

    def _local(self, here: Mapping[str, Manifest]) -> list[LocalBackup]:
        return [
            LocalBackup(name, RecordName(_ms(name), told.label is not None, told.verified), name not in self._damaged)
            for name, told in here.items()
            if name not in self._gone
        ]

    def _put(self, backup: LocalBackup, told: Manifest) -> bool:
        """Upload one backup; False where it is damaged, or retention took it meanwhile."""
        folder = self._home.at(backup.name)
        try:
            cut = {entry.path: blocks_of(folder, entry) for entry in told.files}
            names = {path: tuple(self._key.block_name(one.sha256) for one in of) for path, of in cut.items()}
            missing = {
                name: block
                for path, of in cut.items()
                for name, block in zip(names[path], of, strict=True)
                # age only adds to it: what is no larger than the bytes themselves was cut off.
                if self._sizes.get(name, 0) <= block.size
            }

            def put(name: str, block: Block) -> None:
                self._go_on()
                sealed = self._key.sealed(read_block(folder, block))
                self._bucket.put(f"{self._folder}/blocks/{name}", sealed)
                self._sizes[name] = len(sealed)
                with self._counting:
                    self._blocks += 1
                    self._bytes += len(sealed)

            together.each(lambda one: put(*one), missing.items())
        except FileChanged as changed:
            self._damaged[backup.name] = f"{changed.path} has other bytes than were saved"
            return False
        except FileNotFoundError as gone:
            if folder.exists():
                self._damaged[backup.name] = f"{Path(gone.filename).name} is missing"
            else:
                self._gone.add(backup.name)
            return False
        self._go_on()
        record = write_record(self._key, backup.name, told, names)
        self._bucket.put(f"{self._folder}/backups/{backup.of}", record)
        self._bytes += len(record)
        return True

    def _go_on(self) -> None:
        if self._stop():
            raise ObjectStoreUnavailable(
                f"the upload to {self._bucket.url} was not done in time", f"linda backup {self._number}"
            )

    # -- there

    def _broken(self, wanted: SyncPlan, records: list[RecordName]) -> frozenset[RecordName]:
        """Of what would stay: records that cannot be read, or whose blocks are not all there. Looked at before
        anything goes."""
        if not wanted.remove:
            return frozenset()
        staying = [one for one in records if one not in wanted.remove]
        named = dict(zip(staying, together.each(self._blocks_of, staying), strict=True))
        return frozenset(one for one, blocks in named.items() if blocks is None or not blocks <= self._sizes.keys())

    def _blocks_of(self, record: RecordName) -> frozenset[str] | None:
        data = self._bucket.get(f"{self._folder}/backups/{record}", LARGEST_RECORD)
        return blocks_named(data) if data is not None else None

    def _remove(self, records: tuple[RecordName, ...], staying: list[RecordName]) -> None:
        self._bucket.delete([f"{self._folder}/backups/{one}" for one in records])
        named = together.each(self._blocks_of, staying)
        if any(one is None for one in named):
            # What one of them needs is unknown: nothing that it might need goes.
            return
        needed = frozenset().union(*(one for one in named if one is not None))
        there = self._bucket.objects(f"{self._folder}/")
        store_now = max((one.modified for one in there), default=0.0)
        blocks = [(one.name.rsplit("/", 1)[1], one.modified) for one in there if "/blocks/" in one.name]
        self._bucket.delete([f"{self._folder}/blocks/{name}" for name in old_blocks(blocks, needed, store_now)])


def _ms(name: str) -> int:
    return int(name.rsplit("-", 1)[1])
