"""``linda import``: an exported file becomes a session, whole and proven, or nothing changes."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO

from linda_cli.errors import BackupUnusable, BrowserTooOld, DiskFull, Failed, InUse, ProfileDamaged
from linda_cli.sessions import backups
from linda_cli.sessions.checks import look
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.durable import make_folder, move, open_regular, remove_tree, sync_folders
from linda_cli.sessions.home import Stamped
from linda_cli.sessions.manifest import Manifest
from linda_cli.sessions.ownership import LOCAL
from linda_cli.sessions.portable import age
from linda_cli.sessions.portable.archive import ArchiveReader, Description, packed_length
from linda_cli.sessions.portable.errors import cut_or_changed, cut_short
from linda_cli.sessions.refusals import unknown_format
from linda_cli.sessions.results import Imported
from linda_cli.sessions.store import Store

_TEXTS = ("authMethod", "linkedAt", "createdAt", "lastRestored", "lastReady")
_ROOM = 64 << 20
"""Bytes that stay free on the disk: the browser needs some, too."""


@contextmanager
def opened_export(path: Path) -> Iterator[BinaryIO]:
    """The file to import. Raises ``BackupUnusable`` where it cannot be read."""
    try:
        handle = open_regular(path)
    except OSError as problem:
        raise BackupUnusable(
            f"{path} cannot be read: {problem.strerror or problem}", f"ls -l {quote(str(path))}"
        ) from problem
    with os.fdopen(handle, "rb") as file:
        yield file


def import_login(
    store: Store, file: BinaryIO, secret: str | None, identities: Sequence[Any], *, replace: bool = False
) -> Imported:
    """Make the login in an exported file a session of this home.

    ``replace``: a session of that number goes to quarantine; without it that is ``InUse``. Raises ``WrongKey``,
    ``BackupUnusable``, ``BrowserTooOld``, ``UnknownFormat``, ``WorldsApart``, ``DiskFull``; nothing has changed then.
    """
    began = time.monotonic()
    store.home.make()
    with age.opened(file, secret, identities) as plain:
        archive = ArchiveReader(plain)
        description = archive.description()
        number = description.number
        _must_be_whole(file, archive, description)
        store.check_world(description.manifest.sandbox)
        must_be_linked(store, number, frozenset({description.manifest.login or ""}))
        with store.both_locks(number):
            must_be_free(store, number, replace)
            _must_fit(store, description.manifest)
            if replace:
                # Before the imported one, so that the imported one is the newest.
                store.keep_present(number, "before-import")
            stamped = _unpacked(store, archive, description)
            done = place(store, stamped)
    note = {
        "id": description.id, "at": iso(now_ms()), "login": description.manifest.login,
        "from": description.host, "exportedAt": description.exported_at, "moved": description.moved,
    }  # fmt: skip
    store.state.save(number, imported=note, **_carried(description))
    return Imported(
        number, store.described(stamped), done, description.host, description.exported_at, description.moved,
        round(time.monotonic() - began, 3),
    )  # fmt: skip


def must_be_free(store: Store, number: str, replace: bool) -> None:
    """Raise ``InUse`` where a session of the number is here that could come back, unless it may be replaced."""
    if replace:
        return
    gone = store.look(number)[1] in ("missing", "cleared", "logged_out")
    if not gone or any(wrong is None for _, wrong in store.climbable(number, 1)):
        raise InUse(
            f"there is a session of {number} in this home already; --replace moves it to quarantine",
            f"linda info {number}",
            session=number,
        )


def place(store: Store, stamped: Stamped) -> str | None:
    """Make a backup that was just brought in the profile; the quarantine's name of what was there. The backup goes
    where that fails."""
    try:
        return store.place(stamped.number, stamped).aside
    except BaseException:  # Ctrl-C too: nothing half imported may stay; raised again
        backups.drop(store.home, stamped)
        raise


def _must_be_whole(file: BinaryIO, archive: ArchiveReader, description: Description) -> None:
    """From its description it is known how long the file must be, before anything of it is kept."""
    size = os.fstat(file.fileno()).st_size
    header = age.header_length(file.fileno())
    wanted = age.sealed_length(header, packed_length(archive.text, description.manifest.files)) if header else size
    if size < wanted:
        raise cut_short(size, wanted)
    if size > wanted:
        raise cut_or_changed(f"it has {size - wanted} bytes more than were written")


def must_be_linked(store: Store, number: str, logins: frozenset[str]) -> None:
    """Raise ``BackupUnusable`` where a login with one of these digests was unlinked, as far as this home knows."""
    forgotten = store.state.forgotten(number)
    moment = min((forgotten.revoked_at[one] for one in forgotten.condemned if one in logins), default=None)
    if moment is not None:
        raise BackupUnusable(
            f"{number} was unlinked at {moment}: this login works nowhere any more",
            f"linda start {number}",
            revokedAt=moment,
        )


def _must_fit(store: Store, manifest: Manifest) -> None:
    # A backup and a profile: they share no file.
    for folder in (store.home.cache, store.home.sessions):
        free = shutil.disk_usage(folder).free
        if free < 2 * manifest.size + _ROOM:
            raise DiskFull(
                f"{folder} has {free // 1_000_000} MB free, and the login needs {2 * manifest.size // 1_000_000} MB; "
                "nothing was imported",
                f"df -h {quote(str(folder))}",
            )


def _unpacked(store: Store, archive: ArchiveReader, description: Description) -> Stamped:
    """The file as a backup of this home: whole, every byte and every block of it proven."""
    number, told = description.number, description.manifest
    ms = store.home.next_ms(number)
    work = store.home.work_in_cache("making", number, ms)
    try:
        make_folder(work)
        for entry, pieces in archive.files(told.files):
            make_folder((work / entry.path).parent, durable=False)
            _write(work / entry.path, pieces)
        sync_folders(work)
        must_open_here(store, work, told.login, "this login", "imported")
        extra = {**told.extra, "importedFrom": description.id}
        manifest = dataclasses.replace(
            told, reason="imported", label=None, owner=LOCAL, created_at=iso(ms), extra=extra
        )
        backups.write_manifest(work, manifest)
        stamped = Stamped(f"backup-{number}-{ms}", "backup", number, ms)
        move(work, store.home.at(stamped))
    except BaseException as problem:  # Ctrl-C too: nothing half imported may stay; raised again
        if work.exists():
            remove_tree(work)
        if isinstance(problem, OSError):
            raise Failed(
                f"nothing was imported: {problem.strerror or problem}", f"df -h {quote(str(store.home.cache))}"
            ) from problem
        raise
    return stamped


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as file:
        os.fchmod(handle, 0o600)
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
        os.fsync(handle)


def must_open_here(store: Store, copy: Path, login: str | None, what: str, done: str) -> None:
    """The browser of this machine can open this copy, and it is a sound login, every block of every table read.

    ``login``: its digest, None where its keys are not known. Raises ``BrowserTooOld``, ``UnknownFormat``,
    ``ProfileDamaged``.
    """
    seen = look(
        copy, number=None, surroundings=store.world.around(copy), deep=True, once_ready=login is None, private=True
    )
    if seen.too_new:
        raise BrowserTooOld(
            f"{what} was last used by Chromium {seen.written_by}, which is newer than the one here; nothing was {done}",
            "sudo apt-get install --only-upgrade chromium chromium-driver",
            writtenBy=seen.written_by,
        )
    if seen.unknown_format:
        raise unknown_format(what, seen)
    wrong = next((one.detail for one in seen.checks if one.key in ("session", "storage") and not one.ok), None)
    if wrong is None and seen.login is not None and login not in seen.login.digests:
        wrong = "it is another login than was said"
    if wrong is not None:
        raise ProfileDamaged(f"{what} is not sound: {wrong}; nothing was {done}", "linda info")


def _carried(description: Description) -> dict[str, Any]:
    told = description.state
    carried = {name: told[name] for name in _TEXTS if isinstance(told.get(name), str) and len(told[name]) < 40}
    count = told.get("restoreCount")
    if isinstance(count, int) and 0 <= count < 1 << 53:
        carried["restoreCount"] = count
    if description.manifest.login is not None:
        carried["login"] = description.manifest.login
    return carried
