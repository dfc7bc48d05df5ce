"""localStorage in SQLite: ``maps`` has a row for each origin, ``map_entries`` its keys and values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from linda_cli.sessions.storage.damage import Damage, Unknown, spelled
from linda_cli.sessions.storage.files import Gone, opened
from linda_cli.sessions.storage.inspection import Inspection, Vouched, failed
from linda_cli.sessions.storage.sqlite.database import opened_copy
from linda_cli.sessions.storage.sqlite.files import WAL
from linda_cli.sessions.storage.sqlite.trust import is_vouched
from linda_cli.sessions.storage.stored import MOST_VALUE, WANTED, Stored
from linda_cli.whatsapp.page import URL

TABLES = ("maps", "map_entries")

_PLAIN, _ZSTD = 0, 1
_FIND = "SELECT row_id FROM maps WHERE storage_key = ?"
_ENTRY = """SELECT value_compression_type, value FROM map_entries
    WHERE map_id = ? AND key IN (?, ?) AND length(value) <= ?"""
_OTHER = "SELECT count(*) FROM (SELECT 1 FROM map_entries WHERE map_id = ? LIMIT 10)"
_SALVAGED = 64 << 20


def inspect(database: Path, vouched: Vouched, *, private: bool = False) -> Inspection:
    """Whether the database is sound; what it holds is for :func:`read`."""
    live = tuple(one for one in (database, database.with_name(database.name + WAL)) if os.path.lexists(one))
    try:
        if not is_vouched(database, vouched):
            with opened_copy(database, TABLES, private=private):
                pass
        return Inspection(True, "sound (SQLite)", live=live)
    except Gone as damage:
        return failed(damage, absent=not os.path.lexists(database) and not live)
    except Damage as damage:
        return failed(damage)


def read(database: Path, names: Sequence[str] = WANTED) -> Stored:
    """What the origin has stored under these names. Raises ``Damage``."""
    with opened_copy(database, TABLES) as connection:
        texts: dict[str, str] = {}
        entries = 0
        row = connection.execute(_FIND, (URL.encode(),)).fetchone()
        if row is not None:
            for name in names:
                keys = (b"\1" + name.encode("latin-1", "replace"), b"\0" + name.encode("utf-16-le", "surrogatepass"))
                entry = connection.execute(_ENTRY, (row[0], *keys, MOST_VALUE)).fetchone()
                if entry is not None:
                    texts[name] = _text(entry[0], bytes(entry[1]), name)
            entries = int(connection.execute(_OTHER, (row[0],)).fetchone()[0])
    return Stored(texts, entries > len(texts), row is not None)


def salvage(database: Path) -> Stored:
    """Which of the wanted keys stand anywhere in its bytes: that they were there, not what they held."""
    texts: dict[str, str] = {}
    for path in (database, database.with_name(database.name + WAL)):
        try:
            with opened(path) as file:
                content = file.read(0, _SALVAGED)
        except Damage:
            continue
        for name in WANTED:
            if b"\1" + name.encode("latin-1") in content:
                texts.setdefault(name, "?")
    return Stored(texts, False, bool(texts))


def _text(compression: int, value: bytes, name: str) -> str:
    if compression == _ZSTD:
        value = _unpacked(value, name)
    elif compression != _PLAIN:
        raise Unknown(f"the value of {spelled(name)} is packed in an unknown way ({compression})")
    if not value:
        return ""
    if value[0] not in (0, 1):
        raise Unknown(f"the value of {spelled(name)} is of an unknown kind ({value[0]})")
    return value[1:].decode("utf-16-le" if value[0] == 0 else "latin-1", "replace")


def _unpacked(value: bytes, name: str) -> bytes:
    import cramjam

    # Into a room of fixed size: what says that it becomes a terabyte is not believed.
    room = bytearray(MOST_VALUE)
    try:
        size = int(cramjam.zstd.decompress_into(value, room))
    except Exception:  # noqa: BLE001 - the unpacker names its errors differently from version to version
        raise Damage(f"the value of {spelled(name)} does not unpack") from None
    return bytes(room[:size])
