"""The fifteen tests of the seeds' testing guide and the four scenarios of their architecture page, by name.

Each runs the real command line on a real Chromium. The figures are held to the seeds' own wide bounds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.linda import NUMBER, Started, World, flip

LOGIN_LOG = "Default/Local Storage/leveldb"


def restart(world: World, *words: str) -> Started:
    """Stop and start again, as nodemon does: a whole run to saved."""
    with world.linda.start(NUMBER, "--once", *words) as run:
        run.wait_for("stopped")
    return run


def assert_no_code(run: Started) -> None:
    assert run.all("qr") == []
    assert run.all("pairing_code") == []


class TestBasicFunctionality:
    def test_01_system_startup(self, world: World) -> None:
        """The system starts, says what it found, and ends cleanly when it is stopped."""
        with world.linda.start() as run:
            assert run.wait_for("checked")["verdict"] == "missing"
            run.wait_for("qr")
            assert run.stop() == 0
        assert run.last["event"] == "stopped"
        assert run.errors == []
        assert world.browsers() == []

    def test_02_first_time_session_creation(self, world: World) -> None:
        """One scan makes the session folder, the state file and the first backup."""
        with world.linda.start("--once") as run:
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            saved = run.wait_for("saved")
            run.wait_for("stopped")
        assert saved["isNew"] is True
        assert (world.profile / "Default").is_dir()
        assert world.state()["isLinked"] is True
        assert world.state()["authMethod"] == "qr"
        assert len(world.backups()) == 1
        assert world.linkings == 1

    def test_03_qr_code_display_verification(self, world: World) -> None:
        """The code that is told is the very code the page shows: a phone takes it."""
        with world.linda.start("--once") as run:
            told = run.wait_for("qr")
            assert told["attempt"] == 1
            assert 0 < told["expiresIn"] <= 60
            world.phone.scan(NUMBER, qr=told["qr"])
            run.wait_for("authenticated")
            assert run.wait_for("ready")["source"] == "qr"


class TestPersistence:
    def test_04_session_restore_after_restart(self, linked: World) -> None:
        run = restart(linked)
        assert run.wait_for("ready")["isRestored"] is True
        assert run.wait_for("ready")["source"] == "profile"
        assert_no_code(run)

    def test_05_nodemon_auto_restart_handling(self, linked: World) -> None:
        """nodemon sends SIGTERM and starts again at once."""
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            first.signal(signal.SIGTERM)
            assert first.end() == 0
        run = restart(linked)
        assert run.wait_for("ready")["isRestored"] is True
        assert_no_code(run)

    def test_06_manual_server_restart(self, linked: World) -> None:
        """A person presses Ctrl-C and starts again."""
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            first.signal(signal.SIGINT)
            assert first.end() == 0
        run = restart(linked)
        assert run.wait_for("ready")["isRestored"] is True
        assert_no_code(run)


class TestReliability:
    def test_07_multiple_consecutive_restarts(self, linked: World) -> None:
        before = linked.state()["restoreCount"]
        for _ in range(5):
            assert_no_code(restart(linked))
        assert linked.state()["restoreCount"] == before + 5
        assert linked.linkings == 1

    def test_08_device_connection_stability(self, linked: World) -> None:
        """The device stays one and the same, and messages get through."""
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.message("first")
            time.sleep(1.5)
            linked.phone.message("second")
            deadline = time.monotonic() + 10
            while linked.phone.status()["messages"]["delivered"] < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            status = linked.phone.status()
            assert status["messages"]["delivered"] == 2
            assert [one["online"] for one in status["devices"]] == [True]
            assert run.all("disconnected") == []

    def test_09_session_state_accuracy(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            ready = run.wait_for("ready")
            run.wait_for("saved")
            state = linked.state()
            assert state["lastState"] == "ready"
            assert state["isLinked"] is True
            assert state["restoreCount"] == ready["restoreCount"]
            assert state["lastRestored"] <= ready["at"]
            run.stop()
        assert linked.state()["lastState"] == "stopped"
        for moment in ("linkedAt", "createdAt", "lastRestored"):
            assert linked.state()[moment].endswith("Z")


class TestRecovery:
    def test_10_backup_creation_verification(self, linked: World) -> None:
        """Every run leaves a backup that is complete, verified, and bit for bit what it says it is."""
        restart(linked)
        listed = linked.linda.json("restore", NUMBER, "--list")["backups"]
        assert len(listed) == 2
        assert all(one["valid"] is True and one["verified"] is True and one["cold"] is True for one in listed)
        manifest = json.loads((linked.backups()[0] / "backup.json").read_text())
        assert {one["path"].split("/")[-1] for one in manifest["files"]} >= {"CURRENT", "Last Version"}

    @pytest.mark.parametrize("what", ["the login database", "the local storage"])
    def test_11_corruption_recovery(self, linked: World, what: str) -> None:
        """A damaged profile is put aside and the newest backup takes its place, without a code."""
        damage(linked, what)
        assert linked.linda.info()["verdict"] == "damaged"
        run = restart(linked)
        assert run.wait_for("ready")["source"] == "backup"
        assert run.wait_for("quarantined")["reason"] == "damaged"
        assert len(linked.quarantined()) == 1
        assert_no_code(run)

    def test_12_manual_session_clear(self, linked: World) -> None:
        """After a clear the next start shows a code."""
        done = linked.linda.json("clear", NUMBER, "--yes")
        assert done["aside"] is not None
        assert linked.linda.info()["verdict"] == "cleared"
        with linked.linda.start(NUMBER) as run:
            run.wait_for("qr")


class TestPerformance:
    def test_13_restore_time_measurement(self, linked: World) -> None:
        """The seeds' bound: a restore in less than 10 seconds."""
        run = restart(linked)
        assert run.wait_for("ready")["elapsedMs"] < 10_000

    def test_14_backup_size_verification(self, linked: World) -> None:
        """The seeds' bounds: 5 to 50 MB for a real account; never more than that, and never the caches."""
        made = linked.linda.json("backup", NUMBER, "--label", "size")["backup"]
        assert 0 < made["size"] < 50_000_000
        profile = sum(one.stat().st_size for one in linked.profile.rglob("*") if one.is_file())
        assert made["size"] < profile

    def test_15_resource_usage_monitoring(self, linked: World) -> None:
        """One browser while it runs, its memory told; nothing of it left afterwards; 3 to 5 backups kept."""
        for _ in range(3):
            restart(linked)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            running = linked.linda.info()["running"]
            assert running["memoryMb"] > 0
            assert running["by"]["pid"] == run.process.pid
            assert len(linked.browsers()) == 1
            family = psutil.Process(run.process.pid).children(recursive=True)
            run.stop()
        assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
        assert 3 <= len(linked.backups()) <= 5


class TestScenarios:
    """The four of the architecture page."""

    def test_1_normal_restart(self, world: World) -> None:
        """Scan once, Ctrl-C, start: online at once, no code."""
        with world.linda.start() as run:
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            run.wait_for("saved")
            run.signal(signal.SIGINT)
            assert run.end() == 0
        again = restart(world)
        assert again.wait_for("ready")["isRestored"] is True
        assert_no_code(again)
        assert world.linkings == 1

    def test_2_nodemon_auto_restart(self, linked: World) -> None:
        """Back within the seeds' 5 to 10 seconds, and it stays online."""
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            first.stop()
        with linked.linda.start(NUMBER) as run:
            assert run.wait_for("ready")["elapsedMs"] < 10_000
            run.wait_for("saved")
            time.sleep(1)
            assert run.all("disconnected") == []
            assert_no_code(run)

    def test_3_browser_crash(self, linked: World) -> None:
        """The browser is killed; a new start is online without a code."""
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            os.kill(first.process.pid, signal.SIGKILL)
            for browser in linked.browsers():
                browser.kill()
            first.end()
        run = restart(linked)
        assert run.wait_for("ready")["isRestored"] is True
        assert_no_code(run)

    def test_4_session_corruption(self, linked: World) -> None:
        """The critical file deleted: back from a backup. The backups gone too: a new code."""
        damage(linked, "the manifest is deleted")
        run = restart(linked)
        assert run.wait_for("ready")["source"] == "backup"
        assert_no_code(run)
        damage(linked, "the manifest is deleted")
        for backup in linked.backups():
            shutil.rmtree(backup)
        with linked.linda.start(NUMBER) as last:
            last.wait_for("qr")


def damage(world: World, what: str) -> None:
    """Damage a profile that nobody has open."""
    database = world.profile / "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
    deeds: dict[str, Callable[[], None]] = {
        "the login database": lambda: flip(max(database.glob("*.log"), key=lambda one: one.stat().st_size), 100),
        "the local storage": lambda: flip(
            max((world.profile / LOGIN_LOG).glob("*.log"), key=lambda one: one.stat().st_size), 20
        ),
        "the manifest is deleted": lambda: [one.unlink() for one in database.glob("MANIFEST*")].clear(),
    }
    deeds[what]()
