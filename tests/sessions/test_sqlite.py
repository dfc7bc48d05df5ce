"""Logins in SQLite, and logins of which one store is in SQLite: read, checked and never opened."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from chaos import sqlite_stores
from chaos.homes import NUMBER, home_at, make_profile, store_of
from chaos.sqlite_stores import latin, leave_wal, utf16, write_idb, write_local
from linda_cli.sessions.checks import UNKNOWN_KEYS, Look, Surroundings, look
from linda_cli.sessions.login import read_login
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.storage.local_storage import texts_of
from linda_cli.sessions.storage.paths import IDB_LEVELDB, IDB_SQLITE, LOCAL_LEVELDB, LOCAL_SQLITE
from linda_cli.sessions.storage.sqlite.indexed_db import file_name
from linda_cli.sessions.verdict import verdict
from linda_cli.storage_format import StorageFormat

WID = f'"{NUMBER}:7@c.us"'
NOISE = '{"key":7}'
COMBINATIONS = [(idb, local) for idb in ("LevelDB", "SQLite") for local in ("LevelDB", "SQLite")]


def make(folder: Path, idb: str = "SQLite", local: str = "SQLite") -> Path:
    """A linked profile with its stores in these formats."""
    make_profile(folder)
    if idb == "SQLite":
        shutil.rmtree(folder / IDB_LEVELDB)
        write_idb(folder)
        write_idb(folder, "wawc", rows=3)
    if local == "SQLite":
        shutil.rmtree(folder / LOCAL_LEVELDB.parent)
        write_local(folder, **{"last-wid-md": WID, "WANoiseInfo": NOISE})
    return folder


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(one.relative_to(folder)): (one.read_bytes(), one.stat().st_mtime_ns)
        for one in folder.rglob("*")
        if one.is_file()
    }


def word(found: Look) -> str:
    return verdict(found, running=False, cleared=False, logged_out=False, rejected=False)


def details(found: Look) -> dict[str, str]:
    return {check.key: check.detail for check in found.checks}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("idb", "local"), COMBINATIONS)
def test_each_combination_of_formats_is_restorable_and_not_touched(
    tmp_path: Path, idb: str, local: str, deep: bool
) -> None:
    profile = make(tmp_path / "profile", idb, local)
    before = everything(profile)
    found = look(profile, number=NUMBER, deep=deep)
    assert (word(found), details(found)["storage"]) == ("restorable", f"linked as {NUMBER}")
    assert found.formats.indexed_db.value == idb
    assert found.formats.local_storage.value == local
    assert everything(profile) == before


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", [latin, utf16])
def test_the_login_is_the_same_in_every_format(tmp_path: Path, packed: bool, encoding: object) -> None:
    leveldb = read_login(make(tmp_path / "leveldb", "LevelDB", "LevelDB"))
    profile = make(tmp_path / "sqlite")
    write_local(profile, packed=packed, encoding=encoding, **{"last-wid-md": WID, "WANoiseInfo": NOISE})
    sqlite = read_login(profile)
    assert leveldb is not None
    assert sqlite is not None
    assert (sqlite.digest, sqlite.number, sqlite.device) == (leveldb.digest, NUMBER, 7)


@pytest.mark.parametrize("local", ["LevelDB", "SQLite"])
def test_any_entry_of_the_origin_can_be_read(tmp_path: Path, local: str) -> None:
    stored = texts_of(make(tmp_path / "profile", "SQLite", local), ["last-wid-md", "WANoiseInfo", "\u0661", "none"])
    assert stored == {"last-wid-md": WID, "WANoiseInfo": NOISE}


def test_what_earlier_versions_called_this_login_is_recognised(tmp_path: Path) -> None:
    """The digest of 0.1.0: over the bytes as LevelDB stores them."""
    import hashlib

    stored = hashlib.sha256()
    for value in (latin(WID), latin(NOISE)):
        stored.update(len(value).to_bytes(8, "big") + value)
    for local in ("LevelDB", "SQLite"):
        login = read_login(make(tmp_path / local, "SQLite", local))
        assert login is not None
        assert stored.hexdigest() in login.digests


def test_a_value_that_claims_to_unpack_to_gigabytes_is_not_believed(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    write_local(profile, packed=True, **{"last-wid-md": '"' + "9" * (40 << 20) + '"'})
    assert read_login(profile) is None
    assert word(look(profile, number=NUMBER)) == "damaged"


def test_a_database_of_a_page_is_found_by_its_name() -> None:
    assert file_name("model-storage") == "6SWAZZBFF7GBMSNKQLMCXDS3JJIWPKF7JUPJBTBRCW6XSPKNBZFQ"


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _header_flipped(path: Path) -> None:
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _page_flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:4200] = bytes(104)
    path.write_bytes(data)


def _only_a_header(path: Path) -> None:
    """A whole database without tables: ``quick_check`` has nothing against it."""
    path.unlink()
    with sqlite_stores.writing(path) as connection:
        connection.execute("VACUUM")


@pytest.mark.parametrize("act", [_emptied, _header_flipped, _cut, _page_flipped, _only_a_header])
@pytest.mark.parametrize("store", ["session", "storage"])
def test_damage_is_found(tmp_path: Path, store: str, act: object) -> None:
    profile = make(tmp_path / "profile")
    act(profile / (LOCAL_SQLITE if store == "storage" else IDB_SQLITE / file_name("signal-storage")))  # type: ignore[operator]
    found = look(profile, number=NUMBER)
    assert word(found) == "damaged"
    assert [check.key for check in found.checks if not check.ok] == [store]


@pytest.mark.parametrize("store", ["session", "storage"])
def test_a_wal_whose_database_is_gone_is_damage(tmp_path: Path, store: str) -> None:
    profile = make(tmp_path / "profile")
    path = profile / (LOCAL_SQLITE if store == "storage" else IDB_SQLITE / file_name("signal-storage"))
    path.rename(path.with_name(path.name + "-wal"))
    assert word(look(profile, number=NUMBER)) == "damaged"


def _killed_while_writing(profile: Path) -> Path:
    """A localStorage with its last writes in the -wal, as a killed browser leaves it. Gives the -wal."""
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        for at in range(30):
            connection.execute("UPDATE map_entries SET value = ?", (latin(WID) + b" " * at,))
            connection.execute("UPDATE map_entries SET value = ? WHERE key = ?", (latin(WID), latin("last-wid-md")))
        copies = [(one, one.read_bytes()) for one in profile.glob("Default/LocalStorage*")]
    for path, content in copies:
        path.write_bytes(content)
    profile.joinpath("Default/LocalStorage-shm").unlink()
    return profile / "Default/LocalStorage-wal"


def test_an_unfinished_last_frame_is_no_damage(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    wal = _killed_while_writing(profile)
    os.truncate(wal, wal.stat().st_size - 100)
    assert word(look(profile, number=NUMBER)) == "restorable"


def test_a_bad_frame_with_whole_ones_behind_it_is_damage(tmp_path: Path) -> None:
    """SQLite itself ends without a word at the first frame that is bad, and an older state is what it shows."""
    profile = make(tmp_path / "profile")
    wal = _killed_while_writing(profile)
    data = bytearray(wal.read_bytes())
    data[32 + 5 * 4120 + 100] ^= 0xFF
    wal.write_bytes(data)
    assert word(look(profile, number=NUMBER)) == "damaged"


@pytest.mark.parametrize(("idb", "local"), COMBINATIONS)
def test_a_backup_of_it_is_byte_for_byte_and_says_what_it_left_out(tmp_path: Path, idb: str, local: str) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    profile = make(home.named_profile(NUMBER), idb, local)
    if local == "SQLite":
        leave_wal(profile)
        (profile / f"{LOCAL_SQLITE}-shm").write_bytes(b"an index that is made anew")
    (profile / "Default" / "Tomorrow").mkdir()
    made = store_of(home).backup(NUMBER).backup
    told = json.loads((home.at(made.name) / "backup.json").read_bytes())
    for one in told["files"]:
        assert (home.at(made.name) / one["path"]).read_bytes() == (profile / one["path"]).read_bytes()
    paths = {one["path"] for one in told["files"]}
    assert (f"{LOCAL_SQLITE}-wal" in paths) == (local == "SQLite")
    assert not [path for path in paths if path.endswith("-shm")]
    assert {"Default/Tomorrow", "Default/Cache", "Local State"} <= set(told["leftOut"])
    assert not [path for path in told["leftOut"] if path in paths]
    store_of(home).clear(NUMBER)
    store_of(home).restore(NUMBER, made.name)
    assert store_of(home).info(NUMBER, deep=True).verdict == "restorable"
    assert formats_of(home.named_profile(NUMBER)).indexed_db.value == idb


def test_a_database_that_is_gone_is_told_by_a_backup(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    profile = make(home.named_profile(NUMBER))
    store = store_of(home)
    store.backup(NUMBER)
    (profile / IDB_SQLITE / file_name("wawc")).unlink()
    found, verdict_ = store.look(NUMBER)
    assert verdict_ == "damaged"
    assert details(found)["session"].startswith("IndexedDB: wawc: ")


def test_a_few_bytes_in_place_of_a_wal_are_no_damage(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    (profile / f"{LOCAL_SQLITE}-wal").write_bytes(os.urandom(100))
    assert word(look(profile, number=NUMBER)) == "restorable"


# -- formats that are not known


def _text(profile: Path) -> None:
    (profile / LOCAL_SQLITE).write_bytes(os.urandom(16384))


def _newer_tables(profile: Path) -> None:
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'last_compatible_version'")


def _other_tables(profile: Path) -> None:
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("ALTER TABLE map_entries RENAME TO entries")


def _other_columns(profile: Path) -> None:
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("ALTER TABLE map_entries RENAME COLUMN value TO stored")


def _other_packing(profile: Path) -> None:
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("UPDATE map_entries SET value_compression_type = 2")


def _other_text(profile: Path) -> None:
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("UPDATE map_entries SET value = x'02' || value")


def _other_idb(profile: Path) -> None:
    (profile / IDB_SQLITE).rename(profile / f"{IDB_SQLITE}.indexeddb.tomorrow")


def _other_local(profile: Path) -> None:
    folder = profile / "Default" / "Local Storage" / "tomorrow"
    folder.mkdir(parents=True)
    (profile / LOCAL_SQLITE).rename(folder / "data")


@pytest.mark.parametrize(
    "act",
    [_text, _newer_tables, _other_tables, _other_columns, _other_packing, _other_text, _other_idb, _other_local],
)
def test_a_format_that_is_not_known_is_never_called_damaged(tmp_path: Path, act: object) -> None:
    profile = make(tmp_path / "profile")
    act(profile)  # type: ignore[operator]
    before = everything(profile)
    found = look(profile, number=NUMBER)
    assert word(found) == "unknown_format"
    assert everything(profile) == before


def test_tables_of_a_newer_version_that_lets_this_one_read_them_are_read(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    with sqlite_stores.writing(profile / LOCAL_SQLITE) as connection:
        connection.execute("UPDATE meta SET value = '7' WHERE key = 'version'")
        connection.execute("ALTER TABLE maps ADD COLUMN of_tomorrow INTEGER")
    assert word(look(profile, number=NUMBER)) == "restorable"


# -- remains of the other format


def test_an_empty_leveldb_folder_that_hides_the_login_is_set_aside(tmp_path: Path) -> None:
    """Chromium takes a LevelDB folder with anything in it, ignores a SQLite localStorage beside it and deletes a SQLite
    IndexedDB (docs/chromium.md)."""
    profile = make(tmp_path / "profile")
    (profile / IDB_LEVELDB).mkdir()
    (profile / IDB_LEVELDB / "LOG").write_text("an old line")
    import plyvel

    (profile / LOCAL_LEVELDB.parent).mkdir(exist_ok=True)
    plyvel.DB(str(profile / LOCAL_LEVELDB), create_if_missing=True).close()
    assert formats_of(profile).local_storage is StorageFormat.LEVELDB
    found = look(profile, number=NUMBER)
    assert word(found) == "repairable"
    assert [carry_out(profile, repair) for repair in found.repairs] == [True, True]
    assert word(look(profile, number=NUMBER)) == "restorable"
    assert formats_of(profile).indexed_db is StorageFormat.SQLITE
    assert formats_of(profile).local_storage is StorageFormat.SQLITE


def test_empty_folders_are_what_a_migration_leaves(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    (profile / IDB_LEVELDB).mkdir()
    (profile / LOCAL_LEVELDB).mkdir(parents=True)
    assert word(look(profile, number=NUMBER)) == "restorable"


def test_a_leveldb_login_beside_half_a_migration_is_the_one_that_counts(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile", "LevelDB", "LevelDB")
    write_local(profile, **{"last-wid-md": '"4915112345678:3@c.us"', "WANoiseInfo": "{}"})
    write_idb(profile, rows=2)
    found = look(profile, number=NUMBER)
    assert (word(found), found.login.number if found.login else None) == ("restorable", NUMBER)


def test_keys_under_other_names_are_a_login_all_the_same(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    write_local(profile, **{"last-wid-md": None, "WANoiseInfo": None, "of-tomorrow": WID})
    found = look(profile, number=NUMBER, once_ready=True)
    assert (word(found), details(found)["storage"], found.login) == ("restorable", UNKNOWN_KEYS, None)


def test_a_browser_too_old_for_sqlite_is_told(tmp_path: Path) -> None:
    profile = make(tmp_path / "profile")
    (profile / "Last Version").unlink()
    assert word(look(profile, number=NUMBER, surroundings=Surroundings("140.0.1.2"))) == "too_new"
    assert word(look(profile, number=NUMBER, surroundings=Surroundings("156.0.1.2"))) == "restorable"


# -- the original is never opened


def test_looking_opens_no_original_and_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = make(tmp_path / "profile")
    opened: list[str] = []
    real = sqlite3.connect

    def connect(path: object, **how: object) -> sqlite3.Connection:
        opened.append(str(path))
        return real(path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite3, "connect", connect)
    look(profile, number=NUMBER, deep=True)
    read_login(profile)
    assert opened
    assert not [one for one in opened if str(profile) in one]


def test_no_copy_of_a_login_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from linda_cli.sessions.storage.sqlite import scratch

    monkeypatch.setattr(scratch, "_MEMORY", tmp_path / "none")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    dead = tmp_path / "linda-look-999999999-x"
    dead.mkdir()
    look(make(tmp_path / "profile"), number=NUMBER, deep=True)
    assert [one.name for one in tmp_path.iterdir()] == ["profile"]
