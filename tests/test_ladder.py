"""Up the ladder: attach, the profile, the backups, and a code only when nothing is left to restore."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import linda_cli
from linda_cli.browser.strays import drivers
from linda_cli.sandbox.running import running
from tests.checks.test_profile import write_database, write_local
from tests.linda import NUMBER, Linda, Started, World, flip

OTHER = "971505760057"
DATABASE = "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
STORAGE = "Default/Local Storage/leveldb"


def once(world: World, *words: str) -> Started:
    with world.linda.start(NUMBER, "--once", *words) as run:
        run.wait_for("stopped")
    return run


def break_profile(world: World) -> None:
    (world.profile / DATABASE / "CURRENT").write_text("")


def biggest(folder: Path, pattern: str) -> Path:
    return max(folder.rglob(pattern), key=lambda one: one.stat().st_size)


class TestForgetting:
    @pytest.mark.parametrize("state_file", ["kept", "deleted"])
    def test_after_a_clear_the_code_stays_until_somebody_scans_it(self, linked: World, state_file: str) -> None:
        linked.linda.json("clear", NUMBER, "--yes")
        for _ in range(2):
            if state_file == "deleted":
                (linked.inner / "session-state.json").unlink()
            with linked.linda.start(NUMBER) as run:
                run.wait_for("qr")
                assert run.stop() == 0
            assert run.all("ready") == []

    def test_a_clear_can_be_undone_by_what_its_last_line_says(self, linked: World) -> None:
        said = linked.linda.run("clear", NUMBER, "--yes").out.strip().splitlines()[-1]
        assert said.startswith("undo: linda ")
        assert linked.linda.run(*said.removeprefix("undo: linda ").split()).code == 0
        assert once(linked).wait_for("ready")["source"] == "profile"

    def test_a_clear_with_backups_removes_them_and_can_still_be_undone(self, linked: World) -> None:
        names = [one.name for one in linked.backups()]
        done = linked.linda.json("clear", NUMBER, "--backups", "--yes")
        assert done["removed"] == names
        assert linked.backups() == []
        linked.linda.json("restore", NUMBER, "--from", done["aside"])
        assert once(linked).wait_for("ready")["source"] == "profile"

    def test_linking_again_after_a_clear_is_a_session_like_any_other(self, linked: World) -> None:
        linked.linda.json("clear", NUMBER, "--yes")
        with linked.linda.start(NUMBER, "--once") as run:
            run.wait_for("qr")
            linked.phone.scan(NUMBER)
            run.wait_for("stopped")
        assert linked.state()["linkAfter"] is None
        assert once(linked).wait_for("ready")["source"] == "profile"


class TestGenerations:
    @pytest.mark.parametrize(
        "harm",
        [
            lambda backup: biggest(backup, "*.log").unlink(),
            lambda backup: os.truncate(biggest(backup, "*.log"), 100),
            lambda backup: flip(biggest(backup, "*.log")),
            lambda backup: (backup / "backup.json").unlink(),
            lambda backup: (backup / "backup.json").write_text('{"version": 1'),
        ],
        ids=["a missing file", "a short file", "an altered file", "no backup.json", "half a backup.json"],
    )
    def test_a_bad_backup_is_passed_over_for_the_next(self, linked: World, harm: Callable[[Path], None]) -> None:
        once(linked)
        newest, older = linked.backups()
        harm(newest)
        break_profile(linked)
        run = once(linked)
        assert run.wait_for("rung_failed", rung="backup")["backup"] == newest.name
        assert run.wait_for("restoring", rung="backup")["backup"] == older.name
        assert run.wait_for("ready")["source"] == "backup"
        assert newest.exists(), "what is damaged is passed over, not deleted"
        assert run.all("qr") == []

    def test_a_damaged_profile_without_any_backup_is_copied_and_tried_before_a_code(self, linked: World) -> None:
        """CURRENT missing is mended by Chromium itself; here a table's bytes that this start may not need are hurt."""
        for backup in linked.backups():
            shutil.rmtree(backup)
        flip(biggest(linked.profile / DATABASE, "*.log"), 100)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("qr")
        assert run.names().index("quarantined") < run.names().index("restoring") < run.names().index("qr")
        assert len(linked.quarantined()) >= 1

    def test_as_many_generations_as_asked_for_are_tried(self, linked: World, world: World) -> None:
        link(world)
        for backup in linked.backups():
            shutil.rmtree(backup)
        for _ in range(3):
            swap_databases(linked, world)
            linked.linda.json("backup", NUMBER)
        with linked.linda.start(NUMBER, "--max-generations", "1", "--no-link") as run:
            assert run.end() == 13
        assert [one["rung"] for one in run.all("restoring")] == ["profile", "backup"]


class TestRejected:
    def test_bytes_that_were_rejected_are_put_aside_and_not_tried_again(self, linked: World, world: World) -> None:
        """Databases of another device beside this one's keys: sound to look at, and refused by WhatsApp."""
        link(world)
        swap_databases(linked, world)
        mixed = tmp_copy(linked.profile)
        assert linked.linda.info()["verdict"] == "restorable"
        run = once(linked)
        assert "new linking" in run.wait_for("rung_failed", rung="profile")["reason"]
        assert run.wait_for("ready")["source"] == "backup"
        assert run.all("logged_out") == []
        assert run.all("qr") == []
        shutil.rmtree(linked.profile)
        shutil.copytree(mixed, linked.profile, symlinks=True)
        told = linked.linda.info()
        assert told["verdict"] == "rejected", told["checks"]
        again = once(linked)
        assert again.all("restoring")[0]["rung"] == "backup"
        assert again.wait_for("ready")["source"] == "backup"


def swap_databases(world: World, other: World) -> None:
    """Give a profile the databases of another device; each time with other bytes in a file that nobody reads."""
    for name in (DATABASE, DATABASE.replace(".leveldb", ".blob")):
        shutil.rmtree(world.profile / name, ignore_errors=True)
        shutil.copytree(other.profile / name, world.profile / name)
    (world.profile / DATABASE / "999999.ldb").write_text(str(time.time()))


def link(world: World) -> None:
    with world.linda.start(NUMBER, "--once") as run:
        run.wait_for("qr")
        world.phone.scan(NUMBER)
        run.wait_for("stopped")


def tmp_copy(profile: Path) -> Path:
    kept = profile.parent.parent / "copy"
    shutil.copytree(profile, kept, symlinks=True)
    return kept


class TestLoggedOut:
    def test_a_logout_while_linda_was_away_is_never_ready_first(self, linked: World) -> None:
        linked.phone.log_out(NUMBER)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("qr")
            assert run.all("ready") == []
            assert run.wait_for("logged_out")["reason"]
            skipped = run.wait_for("rung_failed", rung="backup")
            assert skipped["reason"] == "logged out"
            run.stop()
        assert len(linked.backups()) == 1, "a backup of a condemned login is passed over, not deleted"
        assert len(linked.quarantined()) == 1

    def test_a_logout_while_it_runs_leads_to_one_new_linking(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.log_out(NUMBER)
            run.wait_for("logged_out")
            run.wait_for("qr")
            linked.phone.scan(NUMBER)
            run.wait_for("ready", source="qr")
            run.wait_for("saved", count=2)
            assert run.stop() == 0
        again = once(linked)
        assert again.wait_for("ready")["source"] == "profile"
        assert again.all("qr") == []
        assert linked.linkings == 2

    def test_with_no_link_it_ends_the_run_with_16(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--no-link") as run:
            run.wait_for("saved")
            linked.phone.log_out(NUMBER)
            assert run.end() == 16
        assert linked.linda.info()["verdict"] == "logged_out"


class TestNotALogout:
    def test_a_401_keeps_everything_and_comes_back(self, linked: World) -> None:
        """Seed 004: an authentication failure is not a logout."""
        linked.phone.refuse(4)
        with linked.linda.start(NUMBER, "--once") as run:
            run.wait_for("auth_failure")
            assert run.wait_for("ready")["isRestored"] is True
            run.wait_for("stopped")
        assert run.all("qr") == []
        assert run.all("logged_out") == []

    def test_a_network_that_goes_and_comes_is_a_disconnect_and_a_reconnect(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.drop_network()
            assert run.wait_for("disconnected")["retryIn"] > 0
            assert linked.state()["lastState"] == "disconnected"
            linked.phone.restore_network()
            assert run.wait_for("reconnected")["via"] == "page"
            assert linked.state()["lastState"] == "ready"

    def test_a_blip_is_no_outage(self, linked: World) -> None:
        linked.phone.set_timing(notice=0.1, recover=0.1)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.drop_network()
            time.sleep(1)
            linked.phone.restore_network()
            time.sleep(6)
            assert run.all("disconnected") == []

    def test_a_killed_browser_comes_back_by_itself(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            for browser in linked.browsers():
                browser.kill()
            run.wait_for("disconnected")
            assert run.wait_for("reconnected")["via"] == "profile"
            assert len(linked.browsers()) == 1
        assert run.all("qr") == []

    def test_a_killed_driver_is_replaced_when_it_is_needed(self, linked: World) -> None:
        found = running(linked.inner / "stand-in")
        assert found is not None
        with linda_cli.start(NUMBER, home=linked.inner, browser_args=found.chrome_args) as live:
            assert live.driver.title == "WhatsApp"
            (browser,) = linked.browsers()
            (driver,) = drivers(linked.inner / "sessions")
            os.kill(driver.pid, signal.SIGKILL)
            psutil.wait_procs([psutil.Process(driver.pid)] if psutil.pid_exists(driver.pid) else [], 5)
            # A new driver, on the same page of the same browser.
            assert live.driver.title == "WhatsApp"
            assert [one.pid for one in linked.browsers()] == [browser.pid]
            assert [one.pid for one in drivers(linked.inner / "sessions")] != [driver.pid]

    def test_client_fatal_climbs_to_an_older_generation(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.break_storage(NUMBER)
            run.wait_for("disconnected")
            assert run.wait_for("reconnected")["via"] == "backup"
        assert run.all("logged_out") == []
        assert run.all("qr") == []


def children(run: Started) -> list[object]:
    import psutil

    return psutil.Process(run.process.pid).children(recursive=True)


class TestAttaching:
    def test_a_kept_browser_is_attached_to(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as first:
            first.wait_for("stopped")
        (browser,) = linked.browsers()
        told = linked.linda.info()
        assert told["verdict"] == "running"
        assert told["running"]["pid"] == browser.pid
        assert told["running"]["by"] is None
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as second:
            assert second.wait_for("ready")["source"] == "browser"
        assert [one.pid for one in linked.browsers()] == [browser.pid]
        done = linked.linda.json("stop", NUMBER)
        assert done["wasRunning"] is True
        assert done["backup"]["cold"] is True
        assert linked.browsers() == []
        assert linked.linda.json("stop", NUMBER)["wasRunning"] is False

    def test_a_stop_that_cannot_back_up_closes_the_browser_and_says_why_there_is_no_backup(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as run:
            run.wait_for("stopped")
        # A login whose manifest is empty is damaged: nothing of it is kept as a backup.
        (current,) = linked.profile.glob("Default/IndexedDB/*.leveldb/CURRENT")
        current.write_bytes(b"MANIFEST-999999\n")
        stopped = linked.linda.run("stop", NUMBER)
        assert stopped.code == 0
        assert "no backup was made after the stop:" in stopped.err
        assert linked.browsers() == []

    def test_a_linda_that_was_killed_leaves_its_browser_attachable(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            first.signal(signal.SIGKILL)
            first.end()
        with linked.linda.start(NUMBER, "--once") as second:
            assert second.wait_for("ready")["source"] == "browser"
            second.wait_for("stopped")
        assert linked.browsers() == []

    def test_linda_stop_ends_a_running_start(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            assert linked.linda.json("stop", NUMBER)["wasRunning"] is True
            assert run.end() == 0
        assert linked.browsers() == []


class TestLinkingWithoutANumber:
    def test_killed_after_saved_every_command_finds_it_by_number(self, world: World) -> None:
        with world.linda.start() as run:
            assert run.wait_for("checked")["session"] is None
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            saved = run.wait_for("saved")
            assert saved["backup"]["name"].startswith(f"backup-{NUMBER}-")
            run.signal(signal.SIGKILL)
            for browser in world.browsers():
                browser.kill()
            run.end()
        assert [one["session"] for one in world.linda.json("info")["sessions"]] == [NUMBER]
        assert not world.profile.exists()
        again = once(world)
        assert again.wait_for("ready")["source"] == "profile"
        assert again.all("qr") == []
        assert world.profile.is_dir()

    def test_the_folder_takes_its_name_once_the_browser_has_gone(self, world: World) -> None:
        with world.linda.start("--once") as run:
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            run.wait_for("stopped")
        assert [one.name for one in (world.inner / "sessions").glob("*-*") if one.is_dir()] == [f"session-{NUMBER}"]


class TestState:
    @pytest.mark.parametrize("content", ["", "{", "[]", '{"sessions": 5}', "\0\0\0"])
    def test_a_garbled_state_file_is_rebuilt_and_kept(self, linked: World, content: str) -> None:
        path = linked.inner / "session-state.json"
        path.write_text(content)
        assert linked.linda.info()["verdict"] == "restorable"
        assert path.read_text() == content, "looking changes nothing"
        assert once(linked).wait_for("ready")["source"] == "profile"
        assert json.loads(path.read_text())["sessions"][NUMBER]["isLinked"] is True
        if content:
            assert [one.read_text() for one in linked.inner.glob("session-state.json.garbled-*")] == [content]

    def test_unknown_fields_are_kept(self, linked: World) -> None:
        path = linked.inner / "session-state.json"
        told = json.loads(path.read_text())
        told["sessions"][NUMBER]["colour"] = "blue"
        told["note"] = "ours"
        path.write_text(json.dumps(told))
        once(linked)
        again = json.loads(path.read_text())
        assert again["sessions"][NUMBER]["colour"] == "blue"
        assert again["note"] == "ours"

    def test_a_profile_that_never_linked_is_missing_and_never_damaged(self, world: World) -> None:
        with world.linda.start(NUMBER) as run:
            run.wait_for("qr")
            run.stop()
        told = world.linda.info()
        assert told["verdict"] == "missing"
        assert told["canRestore"] is False
        assert world.quarantined() == []

    def test_a_session_folder_that_is_a_symlink_is_not_followed(self, linked: World, tmp_path: Path) -> None:
        real = tmp_path / "somewhere"
        shutil.move(linked.profile, real)
        linked.profile.symlink_to(real)
        before = sorted(one.name for one in real.iterdir())
        checks = {one["key"]: one for one in linked.linda.info()["checks"]}
        assert checks["folder"]["ok"] is False
        assert "link" in checks["folder"]["detail"]
        run = once(linked)
        assert run.wait_for("ready")["source"] == "backup"
        assert sorted(one.name for one in real.iterdir()) == before


class TestWorlds:
    def test_a_sandbox_login_is_refused_for_the_real_page(self, linked: World) -> None:
        real = Linda(linked.home)
        (linked.home / "sessions").mkdir()
        shutil.copytree(linked.profile, linked.home / "sessions" / f"session-{NUMBER}", symlinks=True)
        with real.start(NUMBER) as run:
            assert run.end() == 2
        assert run.last["name"] == "WorldsApart"
        assert linked.browsers() == []

    def test_a_real_login_is_refused_in_the_sandbox(self, world: World) -> None:
        """A login without the stand-in's own mark is a real one."""
        write_database(world.profile / DATABASE)
        write_local(world.profile / STORAGE)
        with world.linda.start(NUMBER) as run:
            assert run.end() == 2
        assert run.last["name"] == "WorldsApart"
        assert world.browsers() == []
        assert world.linda.run("backup", NUMBER).code == 2


class TestHandMadeCopies:
    def test_an_older_copy_put_back_by_hand_is_no_damage(self, linked: World) -> None:
        """Seed 004 tells people to ``cp -r sessions/ sessions.backup/``, and back."""
        copy = tmp_copy(linked.profile)
        once(linked)
        once(linked)
        shutil.rmtree(linked.profile)
        shutil.copytree(copy, linked.profile, symlinks=True)
        assert linked.linda.info()["verdict"] == "restorable"
        assert once(linked).wait_for("ready")["source"] == "profile"

    def test_a_log_that_was_cut_between_two_records_is_damage(self, linked: World) -> None:
        """Nothing in the profile tells of it: only the size that a backup remembers does."""
        log = biggest(linked.profile / STORAGE, "*.log")
        os.truncate(log, log.stat().st_size // 2)
        told = linked.linda.info()
        assert told["verdict"] in ("damaged", "missing") or not told["canRestore"]
        run = once(linked)
        assert run.wait_for("ready")["source"] == "backup"
        assert run.all("qr") == []
