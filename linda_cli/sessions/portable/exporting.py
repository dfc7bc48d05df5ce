"""``linda export``: the login of a session, with what is known of it, in one sealed file that was read again."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO

from linda_cli.errors import BackupUnusable, Failed, Misused, SessionNotFound
from linda_cli.sessions import profiles
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.durable import sync_folder
from linda_cli.sessions.manifest import read_manifest
from linda_cli.sessions.portable import age, passphrase
from linda_cli.sessions.portable.archive import ArchiveReader, Description, described, packed
from linda_cli.sessions.results import Exported
from linda_cli.sessions.store import Store

_CARRIED = ("authMethod", "linkedAt", "createdAt", "restoreCount", "lastRestored", "lastReady")
"""What of the state goes with a login."""


@dataclass(frozen=True, slots=True)
class Seal:
    """How a file is sealed: for a passphrase, or for public keys as :func:`age.recipients_of` gives them."""

    passphrase: str | None
    recipients: Sequence[Any] = ()


def export_login(store: Store, number: str | None, target: Path, seal: Seal, *, move: bool = False) -> Exported:
    """Write the login of a session to ``target``, a new file, and read it again to its last byte.

    ``move``: then the profile here goes to quarantine and no older login of the number comes back by itself.
    Raises ``SessionNotFound``, ``ProfileDamaged``, ``BackupUnusable`` (unlinked), ``InUse``, ``Misused``, ``Failed``.
    """
    began = time.monotonic()
    number = store.only(number)
    if os.path.lexists(target):
        raise Misused(
            f"{target} is there already", f"linda export {number} -o {quote(str(target.with_stem(target.stem + '-2')))}"
        )
    _is_of_use(store, number)
    with _given_up(store, number) if move else contextlib.nullcontext():
        made = store.backup(number, reason="export").backup
        folder = store.home.at(made.name)
        entry = store.state.entry(number)
        description = Description(
            secrets.token_hex(16),
            iso(now_ms()),
            platform.node()[:100],
            move,
            read_manifest(folder),
            {name: entry[name] for name in _CARRIED if entry.get(name) is not None},
        )
        size = _written(target, description, folder, seal)
        aside = _moved(store, number, target) if move else None
    note = {"id": description.id, "at": description.exported_at, "login": made.login, "file": target.name}
    store.state.save(number, exported={**note, "moved": move})
    return Exported(number, str(target), size, made, move, aside, round(time.monotonic() - began, 3))


def _is_of_use(store: Store, number: str) -> None:
    verdict = store.look(number)[1]
    if verdict == "logged_out":
        revoked = store.state.forgotten(number).link_after
        raise BackupUnusable(
            f"{number} was unlinked{f' at {revoked}' if revoked else ''}: its login works nowhere any more",
            f"linda start {number}",
            session=number,
            revokedAt=revoked,
        )
    if verdict == "cleared":
        raise SessionNotFound(
            f"{number} was cleared: there is no login to export", f"linda restore {number} --list", session=number
        )


@contextlib.contextmanager
def _given_up(store: Store, number: str) -> Iterator[None]:
    """Nobody runs the session, and nobody may begin to."""
    with store.run_lock(number):
        store.refuse_browser(number)
        yield


def _moved(store: Store, number: str, target: Path) -> str | None:
    """Give the login up here; where that fails the file goes, so that the login is in one place in any case."""
    try:
        with store.store_lock(number):
            # First what must not come back: a kill in between leaves a session that is given up.
            store.state.forget(number, "cleared")
            return profiles.quarantine(
                store.home, number, store.profile(number), f"moved to another home by {target.name}"
            )
    except BaseException:  # Ctrl-C too: the session stays here, so no second copy may; raised again
        target.unlink(missing_ok=True)
        store.state.welcome(number)
        raise


def _written(target: Path, description: Description, folder: Path, seal: Seal) -> int:
    """The file's size, once every byte of it is on the disk and was read back through the seal."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise Failed(
            f"{target} cannot be written: {problem.strerror or problem}", f"ls -ld {quote(str(target.parent))}"
        ) from None
    try:
        with os.fdopen(handle, "w+b") as file:
            own = _seal(file, description, folder, seal)
            file.flush()
            os.fsync(file.fileno())
            _read_again(file, description, seal.passphrase, own)
            size = file.seek(0, os.SEEK_END)
        if os.path.lexists(target):
            raise Failed(f"{target} was made by somebody else meanwhile", f"ls -l {quote(str(target))}")
        part.rename(target)
        sync_folder(target.parent)
    except BaseException as problem:  # Ctrl-C too: no part of a login may stay; raised again
        part.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            raise Failed(
                f"{target} cannot be written: {problem.strerror or problem}", f"df -h {quote(str(target.parent))}"
            ) from problem
        raise
    return size


def _seal(file: BinaryIO, description: Description, folder: Path, seal: Seal) -> list[Any]:
    """Write the file, and give the key that opens it once more where it is for keys of others."""
    plain = packed(described(description), folder, description.manifest.files)
    if seal.passphrase is not None:
        for piece in passphrase.encrypt(plain, seal.passphrase):
            file.write(piece)
        return []
    own = age.throwaway_identity()
    age.encrypt_for_keys(plain, [*seal.recipients, own.to_public()], file)
    return [own]


def _read_again(file: BinaryIO, description: Description, secret: str | None, own: Sequence[Any]) -> None:
    with age.opened(file, secret, own) as plain:
        archive = ArchiveReader(plain)
        if archive.description() != description:
            raise Failed("the file does not read as it was written", "df -h; dmesg | tail")
        for _, pieces in archive.files(description.manifest.files):
            for _ in pieces:
                pass
