"""The five checks of a profile, made before a browser may touch it, because Chromium deletes what it cannot read.

What must be known of the installed browser and of running processes is handed in; nothing here starts, asks or
changes anything.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from linda_cli.sessions import login as logins
from linda_cli.sessions.leveldb.damage import Damage, spelled
from linda_cli.sessions.leveldb.database import GrownTo, Inspection, Vouched, inspect, never, unknown
from linda_cli.sessions.leveldb.files import Gone, read_small
from linda_cli.sessions.login import Keys, Login
from linda_cli.sessions.repairs import Repair
from linda_cli.whatsapp.page import INDEXED_DB

DATABASES = Path("Default", "IndexedDB")
"""Chromium's folder for the IndexedDB of every origin, inside the profile."""

_SETTINGS = (Path("Local State"), Path("Default", "Preferences"))
_MOST_SETTINGS = 32 << 20
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,3}", re.ASCII)
# A page that only shows a code stores some tens of kilobytes at most, a linked one hundreds. Where localStorage is
# sound the doubt is in favour of "never linked", where it is not, in favour of a login that was there.
_BULK = 128 << 10
_CONTENT = 32 << 10

Key = Literal["folder", "default", "session", "browser", "storage"]


@dataclass(frozen=True, slots=True)
class Check:
    """One of the five."""

    key: Key
    ok: bool
    detail: str
    repair: str | None = None
    """What linda would mend without touching the login."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the profile open now."""

    pid: int | None
    host: str
    ours: bool
    command: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks cannot see from inside the profile."""

    browser_version: str | None = None
    """The installed browser's, like "156.0.8078.79"; None is not compared."""
    holder: Holder | None = None
    stale_lock: bool = False
    """There is a ``SingletonLock`` and it names nobody alive."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that one look at a profile found."""

    checks: tuple[Check, ...]
    login: Login | None
    trace: bool
    """There is, or was, something of a login here: without it, damage means nothing."""
    written_by: str | None
    """The version of the browser that used the profile last."""
    too_new: bool
    latent: bool
    """All damage lies in table blocks that the next start may not read; only the deep look sees it."""
    repairs: tuple[Repair, ...] = ()
    """The ``repair`` texts as things to do, the stale lock excepted: whose it is only the caller can prove."""


def look(
    profile: Path,
    *,
    number: str | None,
    surroundings: Surroundings = Surroundings(),
    deep: bool = False,
    vouched: Vouched = never,
    grown_to: GrownTo = unknown,
) -> Look:
    """Look at ``profile``. ``number``: whose it must be, None while that is not known.

    ``grown_to`` says how large a log was in a backup of this same login. Chromium does not miss what was cut off a
    log, and nothing in the profile tells of it either.
    """
    folder = _directory("folder", profile, "the session folder")
    default = _directory("default", profile / "Default", "Default") if folder.ok else _unseen("default", "the folder")
    written_by = _written_by(profile) if folder.ok else None
    too_new = newer(written_by, surroundings.browser_version)
    if not default.ok:
        # something that is no folder of ours lies where a profile belongs: never to be taken for a fresh start
        alien = os.path.lexists(profile / "Default" if folder.ok else profile)
        checks = (
            folder,
            default,
            _unseen("session", "Default"),
            _browser(profile, surroundings, written_by, too_new) if folder.ok else _unseen("browser", "the folder"),
            _unseen("storage", "Default"),
        )
        return Look(checks, None, alien, written_by, too_new, False)

    database = profile / DATABASES / f"{INDEXED_DB}.leveldb"
    session = _inspect(database, b"idb_cmp1", deep, vouched, grown_to)
    # Chromium reads all of an origin's localStorage at once, so here every block matters at every start
    local = profile / logins.LOCAL_STORAGE
    storage = _inspect(local, b"leveldb.BytewiseComparator", True, vouched if deep else never, grown_to)
    keys, unread = _keys(profile, storage)
    checks = (
        folder,
        default,
        _session(session),
        _browser(profile, surroundings, written_by, too_new),
        _storage(storage, keys, unread, number),
    )
    login = keys.login if unread is None else None
    latent = session.latent and checks[4].ok
    repairs = (
        *_from_profile(DATABASES, session.repairs),
        *_from_profile(logins.LOCAL_STORAGE.parent, storage.repairs),
        *(_setting_aside(name) for name in _garbled(profile)),
    )
    return Look(
        checks, login, _trace(keys, storage.ok and not storage.hollow, database), written_by, too_new, latent, repairs
    )


def newer(version: str | None, than: str | None) -> bool:
    """Whether browser ``version`` is newer; False where either is not known."""
    if version is None or than is None or not _VERSION.fullmatch(than) or not _VERSION.fullmatch(version):
        return False
    return _ordered(version) > _ordered(than)


def _ordered(version: str) -> tuple[int, ...]:
    parts = tuple(int(part) for part in version.split("."))
    return parts + (0,) * (4 - len(parts))


def _unseen(key: Key, because: str) -> Check:
    return Check(key, False, f"not looked at: {because} is not in order")


def _directory(key: Key, path: Path, called: str) -> Check:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return Check(key, False, f"{called} is missing")
    except (OSError, ValueError):
        return Check(key, False, f"{called} cannot be looked at")
    if stat.S_ISLNK(found.st_mode):
        return Check(key, False, f"{called} is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        return Check(key, False, f"{called} is not a folder")
    if os.geteuid() not in (0, found.st_uid):
        return Check(key, False, f"{called} belongs to another user")
    return Check(key, True, "present")


def _inspect(folder: Path, comparator: bytes, deep: bool, vouched: Vouched, grown_to: GrownTo) -> Inspection:
    parent = _directory("session", folder.parent, folder.parent.name)
    if not parent.ok:
        return Inspection(False, parent.detail, absent=not os.path.lexists(folder.parent))
    return inspect(folder, comparator=comparator, deep=deep, vouched=vouched, grown_to=grown_to)


def _session(found: Inspection) -> Check:
    if found.absent:
        return Check("session", False, "there is no IndexedDB of WhatsApp Web")
    if found.hollow:
        return Check("session", False, "IndexedDB: nothing is in it")
    where = "latent damage in IndexedDB" if found.latent else "IndexedDB"
    return Check("session", found.ok, f"{where}: {found.detail}", _in_words(found.repairs))


def _in_words(repairs: tuple[Repair, ...]) -> str | None:
    return "; ".join(repair.what for repair in repairs) or None


def _from_profile(folder: Path, repairs: tuple[Repair, ...]) -> tuple[Repair, ...]:
    return tuple(replace(repair, path=folder / repair.path) for repair in repairs)


def _keys(profile: Path, storage: Inspection) -> tuple[Keys, str | None]:
    """The keys, and why they are only salvage where they are."""
    if not storage.ok and not storage.repairs:
        return logins.salvage_keys(profile), storage.detail
    try:
        return logins.read_keys(profile), None
    except Damage as damage:
        return logins.salvage_keys(profile), damage.detail


def _storage(found: Inspection, keys: Keys, unread: str | None, number: str | None) -> Check:
    if found.absent:
        return Check("storage", False, "there is no Local Storage")
    if unread is not None:
        return Check("storage", False, f"Local Storage: {unread}")
    if keys.login is None:
        lacking = " and ".join(
            name for name, there in (("last-wid-md", keys.wid), ("WANoiseInfo", keys.noise)) if not there
        )
        return Check("storage", False, f"no login: Local Storage has no {lacking}")
    linked = keys.login.number
    if number is not None and linked is not None and linked != number:
        return Check("storage", False, f"the login is of {linked}, not of {number}")
    if not found.ok:
        return Check("storage", False, f"Local Storage: {found.detail}", _in_words(found.repairs))
    detail = f"linked as {linked}" if linked else "linked (the number does not read)"
    return Check("storage", True, detail, _in_words(found.repairs))


def _browser(profile: Path, surroundings: Surroundings, written_by: str | None, too_new: bool) -> Check:
    holder = surroundings.holder
    if holder is not None and not holder.ours:
        who = f"process {holder.pid}" if holder.pid is not None else "a browser"
        return Check("browser", False, f"in use by {who} on {spelled(holder.host)}")
    if too_new:
        return Check("browser", False, f"written by {written_by}, newer than {surroundings.browser_version}")
    garbled = _garbled(profile)
    details = [f"{name} is not JSON" for name in garbled]
    repairs = [_setting_aside(name).what for name in garbled]
    if surroundings.stale_lock:
        details.append("SingletonLock names nobody alive")
        repairs.append("the stale SingletonLock is removed")
    if details:
        return Check("browser", False, "; ".join(details), "; ".join(repairs))
    return Check("browser", True, f"last used by {written_by}" if written_by else "in order")


def _garbled(profile: Path) -> list[Path]:
    return [name for name in _SETTINGS if not _is_json(profile / name)]


def _setting_aside(name: Path) -> Repair:
    return Repair("set aside", name, f"{name} is put aside, the browser makes a new one")


def _is_json(path: Path) -> bool:
    import json

    try:
        return isinstance(json.loads(read_small(path, _MOST_SETTINGS)), dict)
    except Gone:
        return True
    except (Damage, ValueError, RecursionError):
        return False


def _written_by(profile: Path) -> str | None:
    try:
        text = read_small(profile / "Last Version", 64).decode("ascii", "replace").strip()
    except Damage:
        return None
    return text if _VERSION.fullmatch(text) else None


def _trace(keys: Keys, sound: bool, database: Path) -> bool:
    # A page that shows a code may already have made its own key, and its databases: only the number proves a login.
    # Databases of some size beside a localStorage that knows nothing of the origin are the other proof: a page
    # writes to both, so one of them was lost.
    return keys.wid or (not keys.anything and _bulk(database) >= (_BULK if sound else _CONTENT))


def _bulk(database: Path) -> int:
    total = 0
    try:
        with os.scandir(database) as listing:
            for count, entry in enumerate(listing):
                if count > 10_000 or total >= _BULK:
                    break
                if entry.name.endswith((".log", ".ldb")) and entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    except (OSError, ValueError):
        return total
    return total
