"""Backups share what did not change, and never so that one bad file could cost the two that count."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

import linda_cli
from linda_cli.sessions.retention import Policy
from tests.checks.test_profile import DATABASE, LOCAL, NUMBER, write_database, write_local


@pytest.fixture
def store(tmp_path: Path) -> linda_cli.Store:
    """A home with one linked profile of about 4 MB."""
    profile = tmp_path / "sessions" / f"session-{NUMBER}"
    write_database(profile / DATABASE, 4)
    write_local(profile / LOCAL)
    (profile / "Last Version").write_text("100.0.0.0")
    return linda_cli.Store(tmp_path)


def change(store: linda_cli.Store, word: str) -> None:
    write_local(store.profile(NUMBER) / LOCAL, note=word)


def blocks(folder: Path) -> int:
    """Bytes on the disk, a file with several names counted once."""
    seen = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def inodes(folder: Path) -> set[int]:
    return {path.lstat().st_ino for path in folder.rglob("*") if path.is_file()}


def folders(store: linda_cli.Store) -> list[Path]:
    return [store.home.at(one) for one in store.home.stamped("backup", NUMBER)]


def rule_holds(store: linda_cli.Store) -> bool:
    there = store.restorable(NUMBER).backups
    assert all(one.valid for one in there)
    best = next((one for one in there if one.verified), there[0])
    mine = inodes(store.home.at(best.name))
    assert not mine & inodes(store.profile(NUMBER)), "profile and backup never share"
    return len(there) < 2 or any(not mine & inodes(store.home.at(one.name)) for one in there if one is not best)


def test_five_backups_after_small_changes_take_little_more_than_two(store: linda_cli.Store) -> None:
    store.backup(NUMBER)
    one = blocks(store.home.at(store.home.stamped("backup", NUMBER)[0]))
    for index in range(4):
        change(store, f"word {index}")
        assert store.backup(NUMBER).is_new
    assert len(folders(store)) == 5
    whole = sum(size for size in {path: blocks(path) for path in folders(store)}.values())
    assert whole >= 4.5 * one, "each of them is whole by itself"
    assert blocks(store.home.cache) <= 2.2 * one


def test_whatever_is_saved_verified_and_removed_the_two_that_count_share_nothing(store: linda_cli.Store) -> None:
    dice = random.Random(5)
    for turn in range(40):
        change(store, f"word {turn}")
        store.backup(NUMBER, verified=dice.random() < 0.4, label="kept" if dice.random() < 0.1 else None)
        if dice.random() < 0.3:
            store.raise_verified(NUMBER, dice.choice(folders(store)).name)
        if dice.random() < 0.3:
            with store.store_lock(NUMBER):
                store.retain(NUMBER, Policy(keep=dice.randint(1, 4)))
        assert rule_holds(store), turn


def test_a_file_that_has_suffered_in_an_earlier_backup_is_not_shared(store: linda_cli.Store) -> None:
    for word in ("a", "b"):
        change(store, word)
        store.backup(NUMBER)
    donor = folders(store)[1]
    table = max((donor / DATABASE).iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 0xFF
    table.write_bytes(data)
    change(store, "c")
    assert store.backup(NUMBER).is_new
    listed = {one.name: one.valid for one in store.restorable(NUMBER).backups}
    assert listed[folders(store)[0].name] is True
    assert listed[donor.name] is False


def test_a_backup_on_a_filesystem_without_links_is_a_copy(
    store: linda_cli.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    for word in ("a", "b", "c"):
        change(store, word)
        assert store.backup(NUMBER).is_new
    assert all(one.valid for one in store.restorable(NUMBER).backups)
