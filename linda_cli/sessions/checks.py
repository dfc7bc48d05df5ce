"""The five checks of a profile, made before a browser may touch it, because Chromium deletes what it cannot read.

What must be known of the installed browser and of running processes is handed in; nothing here starts, asks or
changes anything.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

from linda_cli.sessions import login as logins
from linda_cli.sessions.login import Keys, Login
from linda_cli.sessions.repairs import Repair
from linda_cli.sessions.storage import indexed_db, local_storage, ownership
from linda_cli.sessions.storage.damage import Damage, spelled
from linda_cli.sessions.storage.files import Gone, read_small
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.storage.inspection import GrownTo, Inspection, Vouched, failed, never, unknown
from linda_cli.storage_format import NO_STORES, SQLITE_SINCE, StorageFormat, StorageFormats

DATABASES = Path("Default", "IndexedDB")
"""Chromium's folder for the IndexedDB of every origin, inside the profile."""

_SETTINGS = (Path("Local State"), Path("Default", "Preferences"))
_MOST_SETTINGS = 32 << 20
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,3}", re.ASCII)
# A page that only shows a code stores some tens of kilobytes at most, a linked one hundreds. Where localStorage is
# sound the doubt is in favour of "never linked", where it is not, in favour of a login that was there.
_BULK = 128 << 10
_CONTENT = 32 << 10

UNKNOWN_KEYS = "keys not found under their known names"
_CANNOT = "cannot be looked at"
_UNHIDING = "an empty LevelDB folder, which hides the SQLite localStorage, is set aside"

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
    formats: StorageFormats = NO_STORES
    """How the two stores lie on disk."""
    unknown_format: bool = False
    """A store could not be read, or is in a format that linda does not know. Whether it is damaged is not known."""
    foreign: Path | None = None
    """What we may not use: another user's, mostly."""
    unreadable: bool = False
    """The system did not let us read a store: a permission, a failing disk, no handles."""
    keys_unknown: bool = False
    """The stores are sound and in use, and the keys of the login are not found under their known names."""


def look(
    profile: Path,
    *,
    number: str | None,
    surroundings: Surroundings = Surroundings(),
    deep: bool = False,
    vouched: Vouched = never,
    grown_to: GrownTo = unknown,
    once_ready: bool = False,
    private: bool = False,
) -> Look:
    """Look at ``profile``. ``number``: whose it must be, None while that is not known.

    ``grown_to`` says how large a log was in a backup of this same login. Chromium does not miss what was cut off a
    log, and nothing in the profile tells of it either. ``once_ready``: a browser was ready on it, so that entries of
    the origin are a login's, whatever their names. ``private``: a copy that we have just made and nobody knows of.
    """
    foreign = ownership.foreign(profile)
    folder = _directory("folder", profile, "the session folder")
    default = _directory("default", profile / "Default", "Default") if folder.ok else _unseen("default", "the folder")
    written_by = _written_by(profile) if folder.ok else None
    formats = formats_of(profile) if default.ok else NO_STORES
    too_new = newer(written_by, surroundings.browser_version) or _loses_sqlite(formats, surroundings.browser_version)
    browser = _browser(profile, surroundings, written_by, too_new) if folder.ok else _unseen("browser", "the folder")
    if not default.ok:
        # something that is no folder of ours lies where a profile belongs: never to be taken for a fresh start
        alien = os.path.lexists(profile / "Default" if folder.ok else profile)
        seen = (folder, default, _unseen("session", "Default"), browser, _unseen("storage", "Default"))
        unread = foreign is not None or _CANNOT in folder.detail + default.detail
        return Look(
            seen, None, alien, written_by, too_new, False, unknown_format=unread, foreign=foreign, unreadable=unread
        )

    # only the deep look reads again what a backup has read: a SQLite database is copied for it, whatever its size
    session = _behind_a_folder(profile / DATABASES) or indexed_db.inspect(
        profile, deep=deep, vouched=vouched, grown_to=grown_to, private=private
    )
    storage = _behind_a_folder(profile / logins.LOCAL_STORAGE.parent, formats.local_storage) or local_storage.inspect(
        profile, deep=deep, vouched=vouched, grown_to=grown_to, private=private
    )
    keys, unread_keys, storage = _keys(profile, storage)
    if (hidden := _hidden(profile, keys, storage)) is not None:
        (keys, storage), unread_keys = hidden, None
    keys_unknown = _are_unknown(profile, keys, session, storage, once_ready)
    checks: tuple[Check, ...] = (
        folder,
        default,
        _session(session),
        browser,
        Check("storage", True, UNKNOWN_KEYS, _in_words(storage.repairs))
        if keys_unknown
        else _storage(storage, keys, unread_keys, number),
    )
    if foreign is not None:
        checks = tuple(_of_another(check, foreign) for check in checks)
    repairs = (
        *_from_profile(DATABASES, session.repairs),
        *_from_profile(logins.LOCAL_STORAGE.parent, storage.repairs),
        *(_setting_aside(name) for name in _garbled(profile)),
    )
    return Look(
        checks,
        keys.login if unread_keys is None else None,
        _trace(profile, keys, storage.ok and not storage.hollow) or keys_unknown,
        written_by,
        too_new,
        session.latent and checks[4].ok,
        repairs,
        formats,
        foreign is not None or any(one.unknown or one.unreadable for one in (session, storage)),
        foreign,
        foreign is not None or session.unreadable or storage.unreadable,
        keys_unknown,
    )


def _loses_sqlite(formats: StorageFormats, version: str | None) -> bool:
    """Whether this browser would delete or ignore what is there."""
    return formats.any_sqlite and newer(f"{SQLITE_SINCE}.0.0.0", version)


def _behind_a_folder(folder: Path, there: StorageFormat = StorageFormat.LEVELDB) -> Inspection | None:
    """None where the folder that holds the store is one; a SQLite localStorage needs none."""
    parent = _directory("session", folder, folder.name)
    if parent.ok or (there is StorageFormat.SQLITE and not os.path.lexists(folder)):
        return None
    absent = not os.path.lexists(folder)
    return Inspection(False, parent.detail, absent=absent, unreadable=_CANNOT in parent.detail)


def _of_another(check: Check, foreign: Path) -> Check:
    if check.ok or check.key == "browser":
        return check
    where = spelled(str(foreign), 200)
    return Check(check.key, False, f"{where} {ownership.whose(foreign)}: {ownership.giving_back(foreign)}")


def _hidden(profile: Path, keys: Keys, storage: Inspection) -> tuple[Keys, Inspection] | None:
    """Where a LevelDB folder that knows nothing of the origin hides a SQLite store with a login, that login."""
    if keys.anything or not (storage.ok or storage.absent or storage.detail.startswith("CURRENT is missing")):
        return None
    hidden = logins.hidden_keys(profile)
    if hidden is None:
        return None
    aside = Repair("set aside", PurePath(logins.LOCAL_STORAGE.name), _UNHIDING)
    return hidden, Inspection(False, "a login in SQLite is hidden by an empty LevelDB folder", (aside,))


def _are_unknown(profile: Path, keys: Keys, session: Inspection, storage: Inspection, once_ready: bool) -> bool:
    """Whether this is a login whose keys have other names than the ones that are known.

    A page that only shows a code has entries, too, its own noise key among them, but no databases of any size.
    """
    if not (keys.others and session.ok and not session.hollow and (storage.ok or storage.repairs)):
        return False
    return once_ready or indexed_db.content_size(profile, _BULK) >= _BULK


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
        return Check(key, False, f"{called} {_CANNOT}")
    if stat.S_ISLNK(found.st_mode):
        return Check(key, False, f"{called} is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        return Check(key, False, f"{called} is not a folder")
    if os.geteuid() not in (0, found.st_uid):
        return Check(key, False, f"{called} belongs to another user")
    return Check(key, True, "present")


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


def _keys(profile: Path, storage: Inspection) -> tuple[Keys, str | None, Inspection]:
    """The keys, why they are only salvage where they are, and what is known of the store after that."""
    if not storage.ok and not storage.repairs:
        return _salvaged(profile), storage.detail, storage
    try:
        return logins.read_keys(profile), None, storage
    except Damage as damage:
        return _salvaged(profile), damage.detail, failed(damage)


def _salvaged(profile: Path) -> Keys:
    try:
        return logins.salvage_keys(profile)
    except Damage:
        # Not even its format can be told: the system refuses to list it.
        return Keys(False, False, False, None)


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
    if too_new and newer(written_by, surroundings.browser_version):
        return Check("browser", False, f"written by {written_by}, newer than {surroundings.browser_version}")
    if too_new:
        detail = (
            f"kept in SQLite, which Chromium {surroundings.browser_version} deletes: {SQLITE_SINCE} or newer is needed"
        )
        return Check("browser", False, detail)
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


def _trace(profile: Path, keys: Keys, sound: bool) -> bool:
    # A page that shows a code may already have made its own key, and its databases: only the number proves a login.
    # Databases of some size beside a localStorage that knows nothing of the origin are the other proof: a page
    # writes to both, so one of them was lost.
    if keys.wid:
        return True
    size = indexed_db.content_size(profile, _BULK)
    if not sound and size >= _BULK:
        # What is damaged may have held the number, whatever else can still be made out in it.
        return True
    return not keys.anything and size >= (_BULK if sound else _CONTENT)
