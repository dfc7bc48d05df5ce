"""A home's backups and one object store: upload, list, fetch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from linda_cli.errors import BackupUnusable, LindaError, ObjectStoreKeyWrong, ObjectStoreUnavailable
from linda_cli.object_store.bucket import Bucket
from linda_cli.object_store.download import Download, Found
from linda_cli.object_store.keyring import Keyring
from linda_cli.object_store.settings import RemoteSettings
from linda_cli.object_store.upload import Upload, Uploaded
from linda_cli.sessions import manifest
from linda_cli.sessions.backups import receive
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.home import Stamped, parse_stamped
from linda_cli.sessions.locks import held
from linda_cli.sessions.manifest import Manifest
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.ownership import login_owner
from linda_cli.sessions.results import Restorable
from linda_cli.sessions.retention import Policy
from linda_cli.sessions.store import Store
from linda_cli.sessions.values import Backup

LOCK_WAIT = 60.0
"""Seconds for which another process's upload of the same session is waited for."""

_DEFAULT = Policy()


def _never() -> bool:
    return False


class RemoteBackups:
    """The backups of a home's sessions in an object store."""

    def __init__(self, store: Store, settings: RemoteSettings) -> None:
        self.store = store
        self.settings = settings

    @cached_property
    def _bucket(self) -> Bucket:
        return Bucket(self.settings.url)

    @cached_property
    def _keys(self) -> Keyring:
        return Keyring(self.store.home, self._bucket, self.settings)

    # -- up

    def upload(
        self, number: str, *, policy: Policy = _DEFAULT, within: float = float("inf"), stop: Callable[[], bool] = _never
    ) -> Uploaded:
        """Bring every backup that retention keeps into the store, newest first, and let the others go there.

        ``within`` seconds, or until ``stop`` says so. Raises ``ObjectStoreUnavailable``: the next upload goes on from
        there.
        """
        until = time.monotonic() + within
        self._make_folder()
        with self._lock(number, min(LOCK_WAIT, within)):
            key = self._keys.for_upload(number)
            done = Upload(
                self.store.home, self._bucket, self._keys.root, key, number,
                lambda: stop() or time.monotonic() > until,
            ).run(policy)  # fmt: skip
            if done.backups:
                self.store.state.save(number, lastUpload=iso(now_ms()), uploaded=max(done.backups))
        return done

    def _make_folder(self) -> None:
        """The last part of a folder's path, where the others are there: a disk that is not mounted is no new store."""
        parts = urlsplit(self.settings.url)
        if parts.scheme != "file":
            return
        folder = Path(unquote(parts.path))
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as problem:
            raise ObjectStoreUnavailable(
                f"{folder} cannot be made: {problem.strerror}", f"ls -ld {folder.parent}"
            ) from problem

    @contextmanager
    def _lock(self, number: str, wait: float) -> Iterator[None]:
        with held(self.store.home.remote_lock(number), wait=wait, what=f"the upload of {number}"):
            yield

    # -- down

    def restorable(self, number: str | None) -> Restorable:
        """What the store has of a session, newest first. ``valid`` False: its record is not as linda writes it."""
        download, number = self._reading(number)
        forgotten = self.store.state.forgotten(number)
        listed = []
        for generation, found in enumerate(download.backups(), 1):
            stamped = _stamped(found.name)
            if found.record is not None:
                told = found.record.manifest
                backup = manifest.told_as(stamped, told, generation, None)
                listed.append(replace(backup, revoked_at=forgotten.revoked_at.get(told.login or "")))
            else:
                listed.append(_unreadable(stamped, found, generation))
        return Restorable(number, tuple(listed), ())

    def fetch(self, number: str | None, name: str | None = None, *, stop: Callable[[], bool] = _never) -> Stamped:
        """Bring a backup into the home, where it is one like the others.

        Without ``name``: the newest that can be used and may come back by itself. ``latest``: the newest, and nothing
        in its place. Raises ``ObjectStoreKeyWrong``, ``BackupUnusable``, ``ObjectStoreUnavailable``.
        """
        download, number = self._reading(number)
        there = download.backups()
        problem: LindaError | None = None
        for found in _candidates(there, name):
            try:
                return self._fetched(download, number, found, name in (None, "latest"), stop)
            except BackupUnusable as worse:
                if name is not None:
                    raise
                problem = problem or worse
        raise BackupUnusable(
            f"there is no usable backup of {number} in {self.settings.url}"
            + (f": {problem.message}" if problem is not None else ""),
            f"linda restore {number} --from-store --list",
            session=number,
        )

    def bring_next(self, number: str, *, stop: Callable[[], bool] = _never) -> Stamped | None:
        """Bring the newest backup that may come back by itself and is not in the home; None where there is none.

        Raises ``ObjectStoreKeyWrong`` and ``ObjectStoreUnavailable``: then it is unknown whether there is one.
        """
        try:
            download, number = self._reading(number)
        except ObjectStoreKeyWrong:
            raise
        except BackupUnusable:
            return None
        home, state = self.store.home, self.store.state
        forgotten, rejected = state.forgotten(number), state.entry(number).get("rejected") or ()
        for found in download.backups():
            if found.record is None or os.path.lexists(home.at(found.name)):
                continue
            if found.of.ms < forgotten.link_after_ms or found.record.manifest.fingerprint in rejected:
                continue
            # One that cannot be used is no reason not to try the next.
            with suppress(BackupUnusable):
                return self._fetched(download, number, found, True, stop)
        return None

    def _reading(self, number: str | None) -> tuple[Download, str]:
        keys = self._keys.for_reading(parse_number(number) if number is not None else None)
        return Download(self._bucket, self._keys.root, keys), keys[0].number

    def _barred(self, number: str, told: Manifest) -> str | None:
        """Why a backup must not come back unless a person names it."""
        state = self.store.state
        owner = login_owner(state.entry(number))
        if told.login in state.forgotten(number).condemned:
            return "its login was logged out"
        return "it is of another owner" if owner is not None and told.owner != owner else None

    def _fetched(
        self,
        download: Download,
        number: str,
        found: Found,
        by_itself: bool,
        stop: Callable[[], bool],
    ) -> Stamped:
        if found.record is None:
            raise manifest.unusable(found.name, found.wrong)
        told = found.record.manifest
        self.store.check_world(told.sandbox)
        why = self._barred(number, told) if by_itself else None
        if why is not None:
            raise manifest.unusable(found.name, why)
        self.store.home.make()
        with self.store.store_lock(number):
            here = self._here(found, told)
            if here is not None:
                return here

            def go_on() -> None:
                if stop():
                    raise ObjectStoreUnavailable(
                        f"reading from {self.settings.url} was stopped", f"linda restore {number} --from-store"
                    )

            return receive(self.store.home, found.name, told, lambda folder: download.fill(found, folder, go_on))

    def _here(self, found: Found, told: Manifest) -> Stamped | None:
        """The same backup, where it is in the home and every byte of it is right."""
        stamped = _stamped(found.name)
        folder = self.store.home.at(stamped)
        if not os.path.lexists(folder):
            return None
        try:
            present = manifest.read_manifest(folder)
        except BackupUnusable:
            return None
        if manifest.trouble(folder, present, thorough=True) is not None:
            return None
        if present.fingerprint != told.fingerprint:
            raise manifest.unusable(found.name, "another backup of this name is in the home")
        return stamped


def _candidates(there: list[Found], name: str | None) -> list[Found]:
    """What to try, in this order. Raises ``BackupUnusable`` where a name is not there."""
    if name is None:
        return there
    if name == "latest":
        return there[:1]
    named = [found for found in there if found.name == name]
    if not named:
        raise manifest.unusable(name, "it is not in the object store")
    return named[:1]


def _unreadable(stamped: Stamped, found: Found, generation: int) -> Backup:
    return Backup(
        stamped.name, stamped.number, iso(stamped.ms), found.wrong, None, False, found.of.verified, False, 0,
        generation, None, "",
    )  # fmt: skip


def _stamped(name: str) -> Stamped:
    stamped = parse_stamped(name)
    assert stamped is not None
    return stamped
