"""Backups in an object store: on a folder, on rclone's S3 and on moto's S3."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.homes import NUMBER, make_profile, write_keys
from linda_cli.errors import BackupUnusable, Misused, ObjectStoreKeyWrong, ObjectStoreUnavailable
from linda_cli.object_store import bucket as buckets
from linda_cli.object_store.blocks import BLOCK
from linda_cli.object_store.bucket import Bucket
from linda_cli.object_store.plan import BLOCK_AGE
from linda_cli.object_store.remote import RemoteBackups
from linda_cli.object_store.settings import RemoteSettings, new_key, public_keys
from linda_cli.sessions.login_files import DATABASE
from linda_cli.sessions.retention import Policy
from linda_cli.sessions.storage.paths import IDB_SQLITE
from linda_cli.whatsapp.page import SANDBOX_KEY
from tests.object_store import places
from tests.object_store.conftest import Machine, Side
from tests.object_store.places import Place


def saved(side: Side, word: str | None = None, label: str | None = None) -> str:
    """A backup, after a change where one is asked for; its name."""
    if word is not None:
        write_keys(side.profile, WALangPref=f'"{word}"')
    return side.store.backup(NUMBER, label).backup.name


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def largest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda one: one.stat().st_size)


# -- on every kind of store


@pytest.mark.parametrize("sqlite", [False, True], ids=["LevelDB", "SQLite"])
def test_a_login_comes_back_on_another_machine_byte_for_byte(place: Place, machine: Machine, sqlite: bool) -> None:
    one, other = machine("one", place, linked=True, sqlite=sqlite), machine("other", place)
    name = saved(one)
    done = one.remote.upload(NUMBER)
    assert done.backups == (name,)
    assert one.remote.upload(NUMBER).backups == ()
    assert one.store.state.entry(NUMBER)["uploaded"] == name

    listed = other.remote.restorable(None)
    assert [(backup.name, backup.valid) for backup in listed.backups] == [(name, None)]
    fetched = other.remote.fetch(None)
    assert fetched.name == name
    assert bytes_of(other.store.home.at(name)) == bytes_of(one.store.home.at(name))
    assert other.store.restore(NUMBER, name).restored is not None
    assert other.store.info(NUMBER).verdict == "restorable"


def test_what_is_there_already_is_not_uploaded_again(place: Place, machine: Machine) -> None:
    one = machine("one", place, linked=True)
    saved(one)
    first = one.remote.upload(NUMBER)
    saved(one, "sv")
    second = one.remote.upload(NUMBER)
    assert first.blocks > second.blocks > 0
    tables = [name for name in bytes_of(one.profile) if name.startswith(f"{DATABASE}/") and name.endswith(".ldb")]
    assert second.blocks < len(bytes_of(one.profile)) - len(tables)


def test_retention_is_the_same_there_and_blocks_go_a_day_later(
    place: Place, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machine("one", place, linked=True)
    kept = []
    for at in range(4):
        kept.append(saved(one, str(at), "first" if at == 0 else None))
        one.remote.upload(NUMBER, policy=Policy(keep=2))
    records = [name for name in one.names() if "/backups/" in name]
    assert len(records) == 3
    assert any(name.endswith("-l") for name in records)
    blocks = {name for name in one.names() if "/blocks/" in name}
    # By the store's clock, which nobody here can turn: a day is made short instead.
    monkeypatch.setattr("linda_cli.object_store.plan.BLOCK_AGE", -1.0)
    saved(one, "last")
    one.remote.upload(NUMBER, policy=Policy(keep=2))
    left = {name for name in one.names() if "/blocks/" in name}
    assert blocks - left
    assert BLOCK_AGE == 24 * 3600
    # What stayed is whole.
    other = machine("other", place)
    for backup in other.remote.restorable(NUMBER).backups:
        assert other.remote.fetch(NUMBER, backup.name).name == backup.name


def test_the_wrong_key_opens_nothing(place: Place, machine: Machine, tmp_path: Path) -> None:
    one = machine("one", place, linked=True)
    saved(one)
    one.remote.upload(NUMBER)
    new_key(tmp_path / "wrong.key")
    other = machine("other", place, identity=tmp_path / "wrong.key")
    with pytest.raises(ObjectStoreKeyWrong):
        other.remote.fetch(NUMBER)
    assert not other.store.home.is_there()


def test_a_number_that_is_not_there_is_not_made_up(place: Place, machine: Machine) -> None:
    one = machine("one", place, linked=True)
    with pytest.raises(BackupUnusable, match="no backup"):
        one.remote.fetch(NUMBER)
    saved(one)
    one.remote.upload(NUMBER)
    with pytest.raises(BackupUnusable, match="no backup of 4915112345678"):
        one.remote.fetch("4915112345678")


def test_nothing_that_was_altered_is_restored(place: Place, machine: Machine) -> None:
    one, other = machine("one", place, linked=True), machine("other", place)
    saved(one, "old")
    old = saved(one, "older")
    one.remote.upload(NUMBER)
    new = saved(one, "new")
    before = set(one.names())
    one.remote.upload(NUMBER)
    (only, *_) = [name for name in one.names() if "/blocks/" in name and name not in before]
    whole = one.bucket.get(only, 1 << 21)
    assert whole is not None
    for wrong in (
        whole[:-1],
        whole[:-1] + bytes([whole[-1] ^ 1]),
        b"",
        whole[:200],
        one.bucket.get(sorted(before)[0], 1 << 21),
    ):
        one.bucket.put(only, wrong or b"")
        with pytest.raises(BackupUnusable, match="altered"):
            other.remote.fetch(NUMBER, new)
        assert [path.name for path in other.store.home.cache.glob("*backup-*")] == []
        assert [path.name for path in other.store.home.cache.glob(".making-*")] == []
    # Without a name the next older one takes its place.
    assert other.remote.fetch(NUMBER).name == old
    one.bucket.delete([only])
    with pytest.raises(BackupUnusable, match="missing"):
        other.remote.fetch(NUMBER, "latest")


def test_a_store_that_lost_a_block_gets_it_again(place: Place, machine: Machine) -> None:
    """Before anything goes, what stays is looked at."""
    one, other = machine("one", place, linked=True), machine("other", place)
    for at in range(3):
        saved(one, str(at))
    one.remote.upload(NUMBER, policy=Policy(keep=3))
    newest = one.store.home.stamped("backup", NUMBER)[0].name
    blocks = [name for name in one.names() if "/blocks/" in name]
    one.bucket.delete(blocks)
    one.remote.upload(NUMBER, policy=Policy(keep=1))
    assert other.remote.fetch(NUMBER, "latest").name == newest


# -- what is no matter of the store


def test_of_a_large_sqlite_login_a_small_change_is_a_few_blocks(folder: Place, machine: Machine) -> None:
    one, other = machine("one", folder, linked=True, sqlite=True), machine("other", folder)
    big = next(iter(sorted((one.profile / IDB_SQLITE).iterdir())))
    with sqlite3.connect(big) as made:
        made.execute("create table if not exists t (id integer primary key, data blob)")
        made.executemany("insert into t (data) values (?)", [(os.urandom(65536),) for _ in range(192)])
    made.close()
    saved(one)
    first = one.remote.upload(NUMBER)
    assert first.bytes > 12 * BLOCK
    with sqlite3.connect(big) as made:
        made.execute("update t set data = ? where id = 100", (os.urandom(65536),))
    made.close()
    name = saved(one)
    second = one.remote.upload(NUMBER)
    assert second.backups == (name,)
    assert second.blocks <= 6
    other.remote.fetch(NUMBER)
    assert bytes_of(other.store.home.at(name)) == bytes_of(one.store.home.at(name))


def test_neither_the_number_nor_a_word_of_the_login_is_in_the_store(
    folder: Place, machine: Machine, tmp_path: Path
) -> None:
    one = machine("one", folder, linked=True)
    saved(one, "tlh", "before the move")
    one.remote.upload(NUMBER)
    everything = b"\n".join(one.bucket.get(name, 1 << 26) or b"" for name in one.names())
    for word in (NUMBER.encode(), b"WANoiseInfo", b"last-wid", b"tlh", b"before the move", b"IndexedDB", b"AGE-SECRET"):
        assert word not in everything
    assert not any(NUMBER in name for name in one.names())
    # What the home keeps is enough to upload and not to read.
    kept = one.store.home.remote_keys(NUMBER)
    assert b"AGE-SECRET" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_everything_can_be_opened_with_age_itself(folder: Place, machine: Machine, key: Path) -> None:
    """No format of our own stands between somebody and their backup."""
    import pyrage

    one = machine("one", folder, linked=True)
    saved(one)
    one.remote.upload(NUMBER)
    (wrapped,) = [name for name in one.names() if name.endswith("key.age")]
    master = pyrage.x25519.Identity.from_str(key.read_text().splitlines()[-1])
    inner = json.loads(pyrage.decrypt(one.bucket.get(wrapped, 1 << 16) or b"", [master]))
    mine = pyrage.x25519.Identity.from_str(inner["identity"])
    for name in one.names():
        if "/blocks/" in name:
            assert pyrage.decrypt(one.bucket.get(name, 1 << 21) or b"", [mine])


def test_a_machine_with_the_public_key_alone_uploads_and_thins(folder: Place, machine: Machine, key: Path) -> None:
    one, other = machine("one", folder, linked=True, identity=None), machine("other", folder)
    for at in range(3):
        saved(one, str(at))
        one.remote.upload(NUMBER, policy=Policy(keep=1))
    assert len([name for name in one.names() if "/backups/" in name]) == 1
    assert other.remote.fetch(NUMBER).name == one.store.home.stamped("backup", NUMBER)[0].name
    with pytest.raises(AssertionError):
        one.remote.fetch(NUMBER)


def test_a_second_home_with_the_private_key_shares_the_blocks(folder: Place, machine: Machine) -> None:
    one, other = machine("one", folder, linked=True), machine("other", folder)
    saved(one)
    one.remote.upload(NUMBER)
    other.store.restore(NUMBER, other.remote.fetch(NUMBER).name)
    saved(other, "moved")
    assert other.remote.upload(NUMBER).blocks < 10
    assert len([name for name in one.names() if name.endswith("key.age")]) == 1
    assert len(one.remote.restorable(NUMBER).backups) == 2


def test_another_recipient_gets_a_key_of_its_own(folder: Place, machine: Machine, tmp_path: Path) -> None:
    one = machine("one", folder, linked=True)
    saved(one)
    one.remote.upload(NUMBER)
    new_key(tmp_path / "second.key")
    settings = RemoteSettings(folder.url, (*public_keys(tmp_path / "second.key"), *one.remote.settings.recipients))
    RemoteBackups(one.store, settings).upload(NUMBER)
    assert len([name for name in one.names() if name.endswith("key.age")]) == 2
    second = machine("other", folder, identity=tmp_path / "second.key")
    assert second.remote.fetch(NUMBER)


def test_what_was_verified_or_labelled_later_is_so_in_the_store(folder: Place, machine: Machine) -> None:
    one, other = machine("one", folder, linked=True), machine("other", folder)
    name = saved(one)
    one.remote.upload(NUMBER)
    one.store.raise_verified(NUMBER, name)
    saved(one, None, "before the move")
    again = one.remote.upload(NUMBER)
    assert again.backups == (name,)
    assert again.blocks == 0
    (listed,) = other.remote.restorable(NUMBER).backups
    assert (listed.verified, listed.label) == (True, "before the move")


def test_a_damaged_backup_of_the_home_does_not_go_up_and_is_told(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    good, bad = saved(one, "good"), saved(one, "bad")
    file = largest(one.store.home.at(bad) / DATABASE)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    done = one.remote.upload(NUMBER)
    assert done.backups == (good,)
    assert list(done.damaged) == [bad]


def test_a_damaged_backup_of_the_home_is_replaced_by_the_good_one_of_the_store(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    name = saved(one)
    one.remote.upload(NUMBER)
    file = largest(one.store.home.at(name) / DATABASE)
    before = file.read_bytes()
    file.write_bytes(before[:-1] + b"x")
    assert one.remote.fetch(NUMBER, name).name == name
    assert file.read_bytes() == before


def test_a_record_that_was_swapped_or_forged_is_not_believed(folder: Place, machine: Machine) -> None:
    one, other = machine("one", folder, linked=True), machine("other", folder)
    saved(one, "a")
    saved(one, "b")
    one.remote.upload(NUMBER)
    newer, older = sorted((name for name in one.names() if "/backups/" in name), reverse=True)
    taken = one.bucket.get(older, 1 << 26)
    assert taken is not None
    for wrong in (taken, b"{}", b"[]", b"x", b'{"version": 1, "blocks": [], "sealed": "YQ=="}', b'{"version": 2}'):
        one.bucket.put(newer, wrong)
        (first, second) = other.remote.restorable(NUMBER).backups
        assert (first.valid, second.valid) == (False, None)
        with pytest.raises(BackupUnusable):
            other.remote.fetch(NUMBER, "latest")
    one.bucket.put(f"{newer}-v", taken)
    assert other.remote.fetch(NUMBER).name.endswith(older.rsplit("/", 1)[1])


def test_an_object_larger_than_it_can_be_is_not_read(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    one.bucket.put("x", b"1" * 1000)
    assert one.bucket.get("x", 999) is None
    assert one.bucket.get("x", 1000) == b"1" * 1000


def test_a_sandbox_login_never_comes_into_a_real_home(folder: Place, machine: Machine, tmp_path: Path) -> None:
    one = machine("one/.sandbox", folder)
    one.store.home.make()
    make_profile(one.profile)
    write_keys(one.profile, **{SANDBOX_KEY: "1"})
    saved(one)
    one.remote.upload(NUMBER)
    assert all(name.startswith("sandbox/") for name in one.names())
    with pytest.raises(BackupUnusable):
        machine("other", folder).remote.fetch(NUMBER)


def test_a_login_that_was_logged_out_comes_back_only_by_name(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    name = saved(one)
    one.remote.upload(NUMBER)
    login = one.store.described(one.store.home.stamped("backup", NUMBER)[0]).login
    assert login is not None
    one.store.state.forget(NUMBER, "logged_out", condemn=login)
    with pytest.raises(BackupUnusable, match="logged out"):
        one.remote.fetch(NUMBER)
    assert one.remote.fetch(NUMBER, name).name == name


# -- trouble


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An S3 server that a test may stop."""
    with places.rclone(tmp_path / "served") as place:
        for name, value in place.environ.items():
            monkeypatch.setenv(name, value)
        yield place


def test_a_store_that_is_away_is_told_and_caught_up(s3: Place, machine: Machine, tmp_path: Path) -> None:
    one, other = machine("one", s3, linked=True), machine("other", s3)
    saved(one)
    one.remote.upload(NUMBER)
    assert s3.process is not None
    s3.process.kill()
    s3.process.wait()
    names = [saved(one, str(at)) for at in range(2)]
    began = time.monotonic()
    with pytest.raises(ObjectStoreUnavailable) as told:
        one.remote.upload(NUMBER)
    assert time.monotonic() - began < 60
    assert places.SECRET not in str(told.value)
    port = int(s3.environ["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])
    with places.served(places.rclone_command(tmp_path / "served", port), port, tmp_path / "again.log"):
        assert one.remote.upload(NUMBER).backups == tuple(reversed(names))
        assert other.remote.fetch(NUMBER).name == names[-1]


def test_a_frozen_store_does_not_hold_anybody_for_ever(
    s3: Place, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "REQUEST", "1s")
    monkeypatch.setattr(buckets, "RETRIED_FOR", 1.0)
    one = machine("one", s3, linked=True)
    saved(one)
    assert s3.process is not None
    subprocess.run(["kill", "-STOP", str(s3.process.pid)], check=True)
    with pytest.raises(ObjectStoreUnavailable):
        one.remote.upload(NUMBER)


def test_credentials_that_are_refused_are_said(s3: Place, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somethingelse")
    one = machine("one", s3, linked=True)
    saved(one)
    with pytest.raises(ObjectStoreUnavailable, match="refuses"):
        one.remote.upload(NUMBER)


def test_a_bucket_that_is_not_there_is_said(s3: Place, machine: Machine) -> None:
    one = machine("one", Place("s3", "s3://nobody/linda"), linked=True)
    saved(one)
    with pytest.raises(ObjectStoreUnavailable):
        one.remote.upload(NUMBER)


def test_a_folder_whose_disk_is_not_mounted_is_no_new_store(machine: Machine, tmp_path: Path) -> None:
    one = machine("one", Place("folder", (tmp_path / "mnt" / "nas" / "linda").as_uri()), linked=True)
    saved(one)
    with pytest.raises(ObjectStoreUnavailable):
        one.remote.upload(NUMBER)
    assert not (tmp_path / "mnt").exists()


def test_an_upload_that_is_stopped_goes_on_from_there(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    saved(one)
    asked = iter([False] * 4)
    with pytest.raises(ObjectStoreUnavailable, match="in time"):
        one.remote.upload(NUMBER, stop=lambda: next(asked, True))
    there = len([name for name in one.names() if "/blocks/" in name])
    assert there > 0
    assert not [name for name in one.names() if "/backups/" in name]
    done = one.remote.upload(NUMBER)
    assert done.blocks == len([name for name in one.names() if "/blocks/" in name]) - there


def test_a_garbled_note_of_the_keys_costs_nothing(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    saved(one)
    one.remote.upload(NUMBER)
    for wrong in (b"", b"{}", b'{"stores": []}', b'{"stores": {"x": 1}}'):
        one.store.home.remote_keys(NUMBER).write_bytes(wrong)
        assert one.remote.upload(NUMBER).backups == ()


def test_a_public_key_that_is_none_is_said_before_anything_goes_up(folder: Place, machine: Machine) -> None:
    one = machine("one", folder, linked=True)
    saved(one)
    with pytest.raises(Misused):
        RemoteBackups(one.store, RemoteSettings(folder.url, ("age1" + "q" * 58,))).upload(NUMBER)
    assert Bucket(folder.url).objects("") == []
