"""Large logins: nothing is read or copied that need not be, and a busy writer is never taken for damage."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from chaos.homes import NUMBER, Nobody, home_at, make_profile, make_sqlite_profile, write_keys
from chaos.sqlite_stores import writing
from linda_cli.sessions import backups, durable, manifest, sharing
from linda_cli.sessions.home import Found, Home
from linda_cli.sessions.login_files import BLOBS, DATABASE
from linda_cli.sessions.storage.damage import Unreadable
from linda_cli.sessions.storage.paths import IDB_SQLITE, LOCAL_SQLITE
from linda_cli.sessions.storage.sqlite import files
from linda_cli.sessions.storage.sqlite.indexed_db import file_name
from linda_cli.sessions.store import Store
from linda_cli.sessions.values import Running


class Busy(Nobody):
    """A machine on which a browser of ours is on every profile."""

    def running(self, profile: Path, *, memory: bool = False) -> Running | None:
        return Running(1, None, None, 0)


def _store(home: Home, *, hot: bool = True) -> Store:
    return Store(Found(home, (home.root,)), Busy() if hot else Nobody(), lambda _: None)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A login with more blobs than linda holds files open."""
    home = home_at(tmp_path / "home")
    home.make()
    profile = home.named_profile(NUMBER)
    make_profile(profile, rows=4000)
    blobs = profile / BLOBS / "3" / "00"
    blobs.mkdir(parents=True)
    for at in range(700):
        (blobs / f"{at:x}").write_bytes(os.urandom(8) * 1000)
    return home


def test_what_cannot_have_changed_is_neither_copied_nor_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    if durable.can_clone(home.named_profile(NUMBER) / "Last Version", home.cache):
        pytest.skip("copies share their blocks here, and no file is linked")
    profile = home.named_profile(NUMBER)
    for at in range(2):
        write_keys(profile, WALangPref=f'"{at}"')
        assert _store(home).backup(NUMBER).is_new
    read: list[str] = []
    real = durable.hash_file

    def hash_file(path: Path) -> tuple[int, str]:
        read.append(str(path))
        return real(path)

    monkeypatch.setattr(sharing, "hash_file", hash_file)
    write_keys(profile, WALangPref='"new"')
    made = _store(home).backup(NUMBER).backup
    (blob, *more) = [one for one in (home.at(made.name) / BLOBS).rglob("*") if one.is_file()]
    assert len(more) == 699
    assert {one.stat().st_nlink for one in (blob, *more)} == {2}
    assert not [one for one in read if one.startswith(str(profile / BLOBS))]


def test_a_login_of_very_many_blobs_is_copied_while_it_is_written(home: Home) -> None:
    """All its tables are held open at one moment; its blobs need not be."""
    from linda_cli.sessions.pinning import pinned

    with pinned(home.named_profile(NUMBER)) as pins:
        assert 0 < len(pins) < 500
        assert any(path.startswith(str(DATABASE)) for path in pins)
    made = _store(home).backup(NUMBER).backup
    assert len(manifest.read_manifest(home.at(made.name)).files) > 700


def test_a_backup_that_a_person_asked_for_outlives_the_end_of_a_run(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    profile = home.named_profile(NUMBER)
    make_profile(profile)
    manual = _store(home).backup(NUMBER).backup
    write_keys(profile, WALangPref='"1"')
    interval = _store(home).backup(NUMBER, reason="interval").backup
    write_keys(profile, WALangPref='"2"')
    last = _store(home, hot=False).backup(NUMBER, reason="stop", replaces_since=1).backup
    names = {one.name for one in home.stamped("backup", NUMBER)}
    assert names == {manual.name, last.name}
    assert interval.name not in names


def test_a_hot_copy_of_a_database_is_of_one_moment_and_whole(tmp_path: Path) -> None:
    """A writer that checkpoints all the time: whatever is copied opens, and is no older than when it began."""
    home = home_at(tmp_path / "home")
    home.make()
    profile = home.named_profile(NUMBER)
    make_sqlite_profile(profile)
    counted = 0
    stop = threading.Event()
    database = profile / IDB_SQLITE / file_name("signal-storage")

    def write() -> None:
        nonlocal counted
        with writing(database) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=20")
            while not stop.is_set():
                number = counted + 1
                value = b"turn:%d;" % number + os.urandom(3000)
                connection.execute(
                    "INSERT OR REPLACE INTO records(object_store_id, compression_type, key, value) VALUES (9, 0, ?, ?)",
                    (b"%d" % (number % 40), value),
                )
                counted = number
                stop.wait(0.004)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(8):
            before = counted
            made = _store(home).backup(NUMBER).backup
            from linda_cli.sessions.storage.sqlite.database import opened_copy

            with opened_copy(home.at(made.name) / database.relative_to(profile), ("records",)) as connection:
                rows = connection.execute("SELECT value FROM records WHERE object_store_id = 9").fetchall()
            newest = max((int(bytes(row[0]).split(b";")[0].removeprefix(b"turn:")) for row in rows), default=0)
            assert newest >= before
    finally:
        stop.set()
        writer.join()


def test_a_database_that_never_stands_still_is_not_known_and_never_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    make_sqlite_profile(home.named_profile(NUMBER))
    moments = iter(range(1 << 30))
    real = files._moment

    def moving(database: Path) -> files._Moment:
        return real(database)._replace(modified=next(moments), settled=True)

    monkeypatch.setattr(files, "_moment", moving)
    monkeypatch.setattr(files, "_PAUSE", 0.0)
    assert _store(home, hot=False).info(NUMBER).verdict == "unknown_format"
    assert _store(home).info(NUMBER).verdict == "running"
    with pytest.raises(Unreadable):
        files.guarded(home.named_profile(NUMBER) / LOCAL_SQLITE, lambda suffix: None)
    monkeypatch.undo()
    assert _store(home, hot=False).info(NUMBER).verdict == "restorable"
    assert backups.soundness(home.named_profile(NUMBER))[1] is None
