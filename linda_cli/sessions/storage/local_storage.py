"""The origin's localStorage, in whichever format Chromium keeps it: is it sound, and what does it hold?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from linda_cli.sessions.storage.damage import Damage, Unknown
from linda_cli.sessions.storage.formats import local_storage_format, sqlite_local_storage, unknown_local_storage
from linda_cli.sessions.storage.inspection import GrownTo, Inspection, Vouched, failed, never, unknown
from linda_cli.sessions.storage.leveldb import database as leveldb
from linda_cli.sessions.storage.paths import LOCAL_LEVELDB, LOCAL_SQLITE
from linda_cli.sessions.storage.stored import WANTED, Stored
from linda_cli.storage_format import StorageFormat
from linda_cli.whatsapp.page import ORIGIN

_PREFIX = b"_" + ORIGIN.encode() + b"\0"
_META = b"META:" + ORIGIN.encode()


def inspect(
    profile: Path, *, deep: bool = False, vouched: Vouched = never, grown_to: GrownTo = unknown, private: bool = False
) -> Inspection:
    """Look at the whole store. Chromium reads all of an origin's localStorage at once, so here every block matters."""
    try:
        there = local_storage_format(profile)
        if there is StorageFormat.SQLITE:
            from linda_cli.sessions.storage.sqlite import local_storage as sqlite

            return sqlite.inspect(profile / LOCAL_SQLITE, vouched, private=private)
        if there is StorageFormat.UNKNOWN and (strange := unknown_local_storage(profile)) is not None:
            raise Unknown(f"{strange.name} in {strange.parent.name} is in a format that this linda does not know")
    except Damage as damage:
        return failed(damage)
    comparator = b"leveldb.BytewiseComparator"
    return leveldb.inspect(
        profile / LOCAL_LEVELDB, comparator=comparator, deep=True, vouched=vouched if deep else never, grown_to=grown_to
    )


def read(profile: Path, *, others: bool = False) -> Stored:
    """What the origin has stored; ``others`` is looked for only where it is asked for. Raises ``Damage``."""
    if local_storage_format(profile) is StorageFormat.SQLITE:
        return _sqlite(profile)
    folder = profile / LOCAL_LEVELDB
    keys = {name: _stored(name) for name in WANTED}
    found = leveldb.read(folder, (*keys.values(), _META))
    texts = {name: _text(value) for name, key in keys.items() if (value := found[key])}
    there = others and bool(leveldb.keys(folder, _PREFIX) - set(keys.values()))
    return Stored(texts, there, there or bool(texts) or found[_META] is not None)


def texts_of(profile: Path, names: Iterable[str]) -> Mapping[str, str]:
    """The text of the origin's entries of these names, as far as they are there. Raises ``Damage``."""
    wanted = tuple(names)
    if local_storage_format(profile) is StorageFormat.SQLITE:
        from linda_cli.sessions.storage.sqlite import local_storage as sqlite

        return sqlite.read(profile / LOCAL_SQLITE, wanted).texts
    keys = {name: _stored(name) for name in wanted if _is_latin(name)}
    found = leveldb.read(profile / LOCAL_LEVELDB, keys.values())
    return {name: _text(value) for name, key in keys.items() if (value := found[key])}


def _is_latin(name: str) -> bool:
    return all(ord(letter) < 256 for letter in name)


def hidden(profile: Path) -> Stored | None:
    """What a SQLite store holds that Chromium would ignore for a LevelDB folder beside it; None where there is none."""
    try:
        if local_storage_format(profile) is StorageFormat.LEVELDB and sqlite_local_storage(profile):
            return _sqlite(profile)
    except Damage:
        return None
    return None


def _sqlite(profile: Path) -> Stored:
    from linda_cli.sessions.storage.sqlite import local_storage as sqlite

    return sqlite.read(profile / LOCAL_SQLITE)


def salvage(profile: Path) -> Stored:
    """What can still be found in a damaged store: evidence that there was a login, no more than that."""
    if local_storage_format(profile) is StorageFormat.SQLITE:
        from linda_cli.sessions.storage.sqlite import local_storage as sqlite

        return sqlite.salvage(profile / LOCAL_SQLITE)
    keys = {name: _stored(name) for name in WANTED}
    found = leveldb.salvage(profile / LOCAL_LEVELDB, (*keys.values(), _META))
    texts = {name: _text(value) for name, key in keys.items() if (value := found[key])}
    return Stored(texts, False, bool(texts) or found[_META] is not None)


def _stored(key: str) -> bytes:
    # \1: the key is Latin-1
    return _PREFIX + b"\1" + key.encode("latin-1")


def _text(stored: bytes) -> str:
    # the first byte tells how Chromium packed the string
    return stored[1:].decode("utf-16-le" if stored[0] == 0 else "latin-1", "replace")
