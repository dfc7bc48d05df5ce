"""The whole of linda on a login that Chromium keeps in SQLite: its trials are played by feature switches."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos import looks
from linda_cli.sandbox.server import Sandbox
from linda_cli.sessions.login import read_login
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.storage.paths import IDB_SQLITE, LOCAL_SQLITE
from linda_cli.storage_format import StorageFormat, StorageFormats
from tests.linda import NUMBER, World, flip

KEEP_IDB = "IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores"
KEEP_LOCAL = "DomStorageSqliteNewDatabases:DomStorageSqliteNewDatabasesStage/UseSqliteForNewDatabases"
TRIALS = {
    "both": f"--enable-features={KEEP_IDB},{KEEP_LOCAL}",
    "IndexedDB": f"--enable-features={KEEP_IDB}",
    "localStorage": f"--enable-features={KEEP_LOCAL}",
}
SQLITE, LEVELDB = StorageFormat.SQLITE, StorageFormat.LEVELDB
FORMATS = {
    "both": StorageFormats(SQLITE, SQLITE),
    "IndexedDB": StorageFormats(SQLITE, LEVELDB),
    "localStorage": StorageFormats(LEVELDB, SQLITE),
}


@pytest.fixture(scope="module")
def linked_under(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A home linked once while such a trial was on, stopped and backed up."""
    made: dict[str, Path] = {}

    def make(trial: str) -> Path:
        if trial not in made:
            folder = tmp_path_factory.mktemp(trial) / "home"
            sandbox = Sandbox(folder / ".sandbox" / "stand-in")
            sandbox.start()
            world = World(folder, sandbox)
            try:
                with world.linda.start("--once", LINDA_CHROME_ARGS=TRIALS[trial]) as run:
                    run.wait_for("qr")
                    sandbox.phone.scan()
                    run.wait_for("stopped")
            finally:
                world.end()
            made[trial] = folder
        return made[trial]

    return make


@pytest.fixture
def in_trial(
    linked_under: Callable[[str], Path], make_world: Callable[..., World], tmp_path: Path
) -> Callable[[str], World]:
    """A copy of such a home."""

    def make(trial: str) -> World:
        folder = tmp_path / trial
        shutil.copytree(linked_under(trial), folder, symlinks=True)
        return make_world(folder)

    return make


@pytest.fixture
def world(in_trial: Callable[[str], World]) -> World:
    return in_trial("both")


def comes_back(world: World, source: str = "profile") -> None:
    """Without a code, and from there."""
    with world.linda.start(NUMBER, "--once", "--no-link") as run:
        assert run.end(120) == 0, run.story()
    assert run.wait_for("ready")["source"] == source
    assert run.all("qr") == []
    assert world.linkings == 1


@pytest.mark.parametrize("trial", TRIALS)
def test_it_comes_back_and_keeps_its_format_after_the_trial(in_trial: Callable[[str], World], trial: str) -> None:
    world = in_trial(trial)
    assert formats_of(world.profile) == FORMATS[trial]
    assert world.linda.info()["verdict"] == "restorable"
    assert world.linda.info(NUMBER, "--deep")["linkedAs"] == NUMBER
    comes_back(world)
    assert formats_of(world.profile) == FORMATS[trial]


@pytest.mark.parametrize("trial", TRIALS)
def test_a_backup_of_it_is_restored_when_the_profile_is_damaged(in_trial: Callable[[str], World], trial: str) -> None:
    world = in_trial(trial)
    if FORMATS[trial].local_storage is SQLITE:
        (world.profile / LOCAL_SQLITE).write_bytes(b"")
    else:
        flip(max((world.profile / IDB_SQLITE).iterdir(), key=lambda one: one.stat().st_size), 4096, 4096)
    assert world.linda.info()["verdict"] == "damaged"
    comes_back(world, "backup")
    assert formats_of(world.profile) == FORMATS[trial]
    assert len(world.quarantined()) == 1


def test_a_hot_backup_brings_back_what_a_kill_took(world: World) -> None:
    with world.linda.start(NUMBER) as run:
        run.wait_for("saved")
        made = world.linda.json("backup", NUMBER, "--label", "hot")["backup"]
        assert made["cold"] is False
        for browser in world.browsers():
            os.kill(browser.pid, signal.SIGKILL)
        run.process.kill()
        run.process.wait(10)
    world.linda.json("restore", NUMBER, "--from", made["name"])
    comes_back(world)


def test_killed_right_after_saved_nothing_is_lost(world: World) -> None:
    with world.linda.start(NUMBER) as run:
        run.wait_for("saved")
        for browser in world.browsers():
            os.kill(browser.pid, signal.SIGKILL)
        run.process.kill()
        run.process.wait(10)
    assert world.linda.info()["verdict"] in ("restorable", "repairable")
    comes_back(world)


def test_cleared_and_restored_from_quarantine_it_comes_back(world: World) -> None:
    world.linda.json("clear", NUMBER, "--yes", "--backups")
    (aside,) = world.quarantined()
    world.linda.json("restore", NUMBER, "--from", aside.name)
    assert formats_of(world.profile) == FORMATS["both"]
    comes_back(world)


@pytest.mark.parametrize(
    ("trial", "argument"),
    [
        ("both", "--disable-features=IdbSqliteOnDiskRollout"),
        ("both", "--disable-features=DomStorageSqliteNewDatabases"),
        ("localStorage", "--enable-features=IdbSqliteOnDiskRollout:stage/MigrateDataToSqliteGentle"),
    ],
)
def test_features_that_would_drop_it_are_exit_2_and_nothing_is_moved(
    in_trial: Callable[[str], World], trial: str, argument: str
) -> None:
    world = in_trial(trial)
    before = sorted(str(one) for one in world.profile.rglob("*"))
    with world.linda.start(NUMBER, LINDA_CHROME_ARGS=argument) as run:
        assert run.end() == 2
    assert run.last["name"] == "Misused"
    assert sorted(str(one) for one in world.profile.rglob("*")) == before
    comes_back(world)


def test_a_trial_that_begins_between_two_starts_moves_nothing(linked: World, tmp_path: Path) -> None:
    """A wrapper's features stand before linda's, as a trial's do: of two switches Chromium takes the last."""
    wrapper = tmp_path / "chromium-in-a-trial"
    moving = "DomStorageSqliteMigration:DomStorageSqliteMigrationInactivityTimeoutParam/1s,IdbSqliteBackingStore"
    wrapper.write_text(f'#!/bin/sh\nexec chromium --enable-features={moving},DomStorageSqlite "$@"\n')
    wrapper.chmod(0o755)
    with linked.linda.start(NUMBER, "--no-link", LINDA_CHROME=str(wrapper)) as run:
        run.wait_for("saved")
        time.sleep(3)
        assert run.stop() == 0
    assert run.wait_for("ready")["source"] == "profile"
    assert formats_of(linked.profile) == StorageFormats(LEVELDB, LEVELDB)
    comes_back(linked)


def test_a_browser_that_is_too_old_for_it_is_not_started(world: World, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo Chromium 140.0.1.2;; *) touch "$0.started";; esac\n')
    old.chmod(0o755)
    (world.profile / "Last Version").unlink()
    with world.linda.start(NUMBER, LINDA_CHROME=str(old)) as run:
        assert run.end() == 14
    assert run.last["name"] == "BrowserTooOld"
    assert not (tmp_path / "old.started").exists()
    assert world.quarantined() == []
    comes_back(world)


@pytest.mark.parametrize("content", [b"a format of tomorrow" * 500, os.urandom(20_000)])
def test_a_format_that_is_not_known_is_exit_14_and_nothing_is_moved(world: World, content: bytes) -> None:
    (world.profile / LOCAL_SQLITE).write_bytes(content)
    assert world.linda.info()["verdict"] == "unknown_format"
    assert world.linda.info()["canRestore"] is False
    with world.linda.start(NUMBER) as run:
        assert run.end() == 14
    assert run.last["name"] == "UnknownFormat"
    assert run.last["hint"]
    assert (world.profile / LOCAL_SQLITE).read_bytes() == content
    assert world.quarantined() == []
    assert run.all("qr") == []


def test_a_foreign_reader_is_waited_for_before_the_browser_starts(world: World) -> None:
    """A reader that holds it while Chromium starts empties localStorage for good."""
    hold = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN');"
        "c.execute('SELECT count(*) FROM map_entries').fetchone(); print('held', flush=True); time.sleep(4)"
    )
    command = [sys.executable, "-c", hold, str(world.profile / LOCAL_SQLITE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        comes_back(world)
        assert reader.poll() == 0
    assert read_login(world.profile) is not None


def test_looking_all_the_while_costs_no_login(world: World) -> None:
    """``linda info`` reads the files of a browser that starts, runs and stops, and never holds a database open."""
    world.end()
    figures = looks.starts(world.home, 3)
    assert figures.stories == []
    assert figures.tried["starts while it is looked at"] == 3
    assert figures.seen["looks"] > 20


def test_the_profile_holds_no_file_of_a_reader(world: World) -> None:
    before = sorted(str(one) for one in world.profile.rglob("*"))
    world.linda.info(NUMBER, "--deep")
    assert sorted(str(one) for one in world.profile.rglob("*")) == before
