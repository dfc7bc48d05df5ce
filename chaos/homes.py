"""Homes to attack: profiles that LevelDB really wrote, without a browser, so that a thousand of them cost little."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import plyvel

from chaos import sqlite_stores
from linda_cli.sessions import login as logins
from linda_cli.sessions.checks import DATABASES, Surroundings
from linda_cli.sessions.home import Found, Home
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.store import Store
from linda_cli.sessions.values import Running, Stray
from linda_cli.storage_format import StorageFormat
from linda_cli.whatsapp.page import INDEXED_DB, ORIGIN

NUMBER = "971505760056"
OTHER = "971505760057"
DATABASE = DATABASES / f"{INDEXED_DB}.leveldb"


class Nobody:
    """A machine on which no browser runs."""

    def around(self, profile: Path) -> Surroundings:
        return Surroundings()

    def running(self, profile: Path, *, memory: bool = False) -> Running | None:
        return None

    def strays(self, sessions: Path) -> list[Stray]:
        return []

    def end(self, stray: Stray) -> bool:
        return False


def home_at(root: Path, sessions: Path | None = None) -> Home:
    return Home(root, sessions or root / "sessions")


def store_of(home: Home, told: list[str] | None = None) -> Store:
    """A fresh store, as the next command has it."""
    return Store(Found(home, (home.root,)), Nobody(), (told if told is not None else []).append)


def make_sqlite_profile(folder: Path, number: str = NUMBER, device: int = 7, rows: int = 40) -> None:
    """The same in SQLite, its last writes in a ``-wal`` as a killed browser leaves them."""
    make_profile(folder, number, device, rows)
    keys = {"last-wid-md": f'"{number}:{device}@c.us"', "WANoiseInfo": f'{{"key":{device}}}'}
    shutil.rmtree(folder / DATABASE)
    shutil.rmtree(folder / logins.LOCAL_STORAGE.parent)
    sqlite_stores.write_idb(folder, rows=rows)
    sqlite_stores.write_idb(folder, "wawc", rows=3)
    sqlite_stores.write_local(folder, **keys)
    sqlite_stores.leave_wal(folder)


def make_profile(folder: Path, number: str = NUMBER, device: int = 7, rows: int = 40) -> None:
    """A linked profile; ``device`` tells one login from another."""
    (folder / DATABASE).mkdir(parents=True, mode=0o700)
    database = plyvel.DB(
        str(folder / DATABASE),
        create_if_missing=True,
        comparator=lambda one, other: (one > other) - (one < other),
        comparator_name=b"idb_cmp1",
    )
    for at in range(rows):
        database.put(b"\0\1\1\1%08d" % at, os.urandom(100))
    database.close()
    write_keys(folder, **{"last-wid-md": f'"{number}:{device}@c.us"', "WANoiseInfo": f'{{"key":{device}}}'})
    for name in ("Local State", "Default/Preferences"):
        (folder / name).write_text("{}")
    (folder / "Last Version").write_text("156.0.8078.79")
    (folder / "Default" / "Cache").mkdir()
    (folder / "Default" / "Cache" / "one").write_bytes(b"cache")


def write_keys(folder: Path, **keys: str) -> None:
    """Write to the profile's Local Storage, as a page does: the same login with other bytes."""
    if formats_of(folder).local_storage is StorageFormat.SQLITE:
        sqlite_stores.write_local(folder, **keys)
        sqlite_stores.leave_wal(folder)
        return
    local = folder / logins.LOCAL_STORAGE
    local.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = plyvel.DB(str(local), create_if_missing=True)
    database.put(b"VERSION", b"1")
    database.put(b"META:" + ORIGIN.encode(), b"\x08\1")
    for name, value in keys.items():
        database.put(b"_" + ORIGIN.encode() + b"\0\1" + name.encode(), b"\1" + value.encode("latin-1"))
    database.close()


def fast_place() -> str | None:
    """Memory where there is some to be had: an fsync costs nothing there, and the order of calls is the same."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 28 else None


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a while."""
    with tempfile.TemporaryDirectory(prefix="linda-chaos-", dir=fast_place(), ignore_cleanup_errors=True) as name:
        yield Path(name)


def copy_home(base: Path, target: Path) -> None:
    """A home as it lies there, times included."""
    shutil.copytree(base, target, symlinks=True)
