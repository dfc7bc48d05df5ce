"""Each thing that may be wrong with a home: broken, read, mended by the printed command, gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.homes import NUMBER, home_at, make_profile, make_sqlite_profile, store_of
from linda_cli.sessions.home import Home
from tests.as_nobody import NOBODY, give, needs_root
from tests.conftest import needs
from tests.doctor.mending import MOUNTS, broken_and_mended, folder_for_all, needs_namespaces, remove, wrapper
from tests.doctor.whatsapp import whatsapp
from tests.linda import Linda


@pytest.fixture
def home() -> Iterator[Home]:
    """A home with one sound login and a backup of it, made without a browser, where every user may come."""
    folder = folder_for_all()
    made = home_at(folder / "home")
    made.make()
    profile = made.named_profile(NUMBER)
    make_profile(profile)
    profile.chmod(0o700)
    store_of(made).backup(NUMBER)
    yield made
    remove(folder)


def test_a_sound_home_is_healthy(home: Home, tmp_path: Path) -> None:
    with whatsapp(tmp_path / "tls") as there:
        done = Linda(home.root).run("doctor", "--json", "--timeout", "30", **there.environ)
    assert done.json["findings"] == []
    assert (done.code, done.json["home"]) == (0, str(home.root))
    assert all(one["ok"] for one in done.json["checks"])


def test_looking_changes_nothing_in_the_home(home: Home) -> None:
    def tree() -> list[tuple[str, int, int]]:
        found = [home.root, *home.root.rglob("*")]
        return sorted((str(one), one.lstat().st_size, one.lstat().st_mode) for one in found)

    # What is remembered of the browser's version is a shortcut of every command, and not of the home.
    Linda(home.root).run("doctor", "--timeout", "30")
    before = tree()
    Linda(home.root).run("doctor", "--timeout", "30")
    assert tree() == before


class TestRights:
    @pytest.mark.parametrize("which", ["profile", "backup", "state", "database"])
    def test_what_others_may_read(self, home: Home, which: str) -> None:
        home.database.touch(0o600)
        home.state_file.write_text('{"sessions": {}}')
        home.state_file.chmod(0o600)
        path = {
            "profile": home.named_profile(NUMBER),
            "backup": home.at(home.stamped("backup", NUMBER)[0]),
            "state": home.state_file,
            "database": home.database,
        }[which]
        path.chmod(0o755)
        done = broken_and_mended("rights", home.root)
        assert str(path) in done.assert_gone()["message"]
        assert path.stat().st_mode & 0o077 == 0

    def test_fix_does_the_same(self, home: Home) -> None:
        home.named_profile(NUMBER).chmod(0o755)
        done = Linda(home.root).run("doctor", "--fix", "--json", "--timeout", "30")
        assert [one["topic"] for one in done.json["fixed"]] == ["rights"]
        assert "rights" not in {one["topic"] for one in done.json["findings"]}
        assert home.named_profile(NUMBER).stat().st_mode & 0o777 == 0o700

    @needs_root
    def test_a_file_that_a_run_as_root_has_left(self, home: Home) -> None:
        give(home.root)
        wrong = home.named_profile(NUMBER) / "Default" / "Preferences"
        os.chown(wrong, 0, 0)
        done = broken_and_mended("rights", home.root)
        assert str(wrong) in done.assert_gone()["message"]
        assert wrong.stat().st_uid == NOBODY

    @needs_namespaces
    def test_a_home_that_belongs_to_somebody_else(self, home: Home) -> None:
        # The command is for sudo, which this user is without: the test is root and types it.
        done = broken_and_mended("rights", home.root, inside=MOUNTS, as_nobody=True)
        found = next(one for one in done.before["findings"] if one["topic"] == "rights")
        assert "belongs to the user 0" in found["message"]
        assert found["command"].startswith("sudo chown -R nobody: ")
        subprocess.run(found["command"].removeprefix("sudo ").split(), check=True)
        done = broken_and_mended("rights", home.root, inside=MOUNTS, as_nobody=True)
        assert not [one for one in done.before["findings"] if one["topic"] == "rights"]


class TestDisk:
    @needs_namespaces
    def test_a_disk_that_is_nearly_full_of_old_quarantine(self, home: Home) -> None:
        """The command is of linda itself, and takes only what is past an age."""
        ms = int((time.time() - 30 * 86400) * 1000)
        breaking = [
            f"mount -t tmpfs -o size=700m tmpfs {home.root.parent}",
            f"cp -a /tmp/.kept-$$ {home.root}",
            f"mkdir -m 700 {home.cache}/quarantine-{NUMBER}-{ms}",
            f"head -c 400M /dev/zero > {home.cache}/quarantine-{NUMBER}-{ms}/big",
        ]
        breaking[:0] = [f"cp -a {home.root} /tmp/.kept-$$"]
        breaking.insert(3, "rm -rf /tmp/.kept-$$")
        done = broken_and_mended("disk", home.root, "\n".join(breaking), inside=MOUNTS)
        assert "MB are free" in done.assert_gone()["message"]
        assert "cleanup --older-than 1d" in done.command

    @needs_namespaces
    def test_where_nothing_of_linda_can_go_a_person_is_shown_what_takes_the_room(self, home: Home) -> None:
        breaking = f"mount -t tmpfs -o size=64m tmpfs {home.root.parent}; mkdir -p {home.sessions} {home.cache}"
        breaking += f"\nhead -c 20M /dev/zero > {home.root.parent}/film"
        done = broken_and_mended("disk", home.root, breaking, inside=MOUNTS)
        assert "film" not in done.command
        assert str(home.root.parent) in done.said


class TestFilesystem:
    @needs_namespaces
    def test_one_that_is_mounted_read_only(self, home: Home) -> None:
        breaking = f"mount --bind {home.root} {home.root} && mount -o remount,bind,ro {home.root}"
        # What a bind mount is, its own options say; the disk below stays as it is.
        done = broken_and_mended("filesystem", home.root, breaking, inside=MOUNTS)
        assert "read-only" in done.assert_gone()["message"]

    @needs("mkfs.exfat", "mount.exfat-fuse", "losetup")
    @needs_namespaces
    def test_one_without_symbolic_links(self, home: Home, tmp_path: Path) -> None:
        """A stick: Chromium's own lock is a symbolic link."""
        image, stick = tmp_path / "stick.img", home.root.parent / "stick"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
        stick.mkdir()
        device = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True)
        try:
            breaking = [
                f"mount.exfat-fuse {device.stdout.strip()} {stick} 2> /dev/null",
                f"cp -r {home.root} {stick}/home",
                f"trap 'umount {stick}' EXIT",
            ]
            user = home.root.parent / "user"
            user.mkdir()
            done = broken_and_mended(
                "filesystem",
                None,
                "\n".join([*breaking, f"export LINDA_HOME={stick}/home"]),
                inside=MOUNTS,
                HOME=str(user),
            )
        finally:
            subprocess.run(["losetup", "-d", device.stdout.strip()], check=False, capture_output=True)
        assert "no symbolic links" in done.assert_gone()["message"]
        assert done.after["home"] == str(user / "linda-home")
        assert not [one for one in done.after["findings"] if one["topic"] in ("rights", "logins")], done.after


class TestSessions:
    @pytest.mark.parametrize("make", [make_profile, make_sqlite_profile], ids=["LevelDB", "SQLite"])
    def test_a_damaged_login_with_a_backup(self, home: Home, make: object) -> None:
        profile = home.named_profile(NUMBER)
        if make is make_sqlite_profile:
            shutil.rmtree(profile)
            make_sqlite_profile(profile)
            profile.chmod(0o700)
            store_of(home).backup(NUMBER)
            database = max((profile / "Default" / "IndexedDB").rglob("*"), key=lambda one: one.stat().st_size)
            with open(database, "r+b") as file:
                file.write(b"\xff" * 200)
        else:
            for log in (profile / "Default" / "IndexedDB").rglob("*.log"):
                data = bytearray(log.read_bytes())
                data[len(data) // 2] ^= 0xFF
                log.write_bytes(data)
        done = broken_and_mended("logins", home.root)
        assert "damaged" in done.assert_gone()["message"]
        assert done.command.endswith(f"restore {NUMBER}")

    def test_a_browser_that_is_older_than_the_profile(self, home: Home) -> None:
        old = wrapper(home.root.parent / "chromium", "Chromium 100.0.4896.60")
        done = broken_and_mended("logins", home.root, LINDA_CHROME=str(old))
        assert "newer Chromium" in done.assert_gone()["message"]

    def test_a_feature_with_which_chromium_would_drop_the_login(self, home: Home) -> None:
        arguments = "--enable-features=IdbSqliteBackingStore"
        done = broken_and_mended("storage-format", home.root, LINDA_CHROME_ARGS=arguments)
        assert "leveldb" in done.assert_gone()["message"].lower()

    def test_leftovers_of_interrupted_work_and_nothing_else_goes(self, home: Home) -> None:
        old = home.cache / f"quarantine-{NUMBER}-1500000000000"
        left = home.work_in_cache("making", NUMBER, 1700000000000)
        for folder in (old, left):
            folder.mkdir(mode=0o700)
        done = broken_and_mended("leftovers", home.root)
        assert left.name in done.assert_gone()["message"]
        assert not left.exists()
        assert old.exists()

    def test_fix_takes_leftovers_away(self, home: Home) -> None:
        left = home.work_in_cache("making", NUMBER, 1700000000000)
        left.mkdir(mode=0o700)
        done = Linda(home.root).run("doctor", "--fix", "--json", "--timeout", "30")
        assert [one["topic"] for one in done.json["fixed"]] == ["leftovers"]
        assert not left.exists()

    def test_a_process_that_holds_a_session_and_is_stopped(self, home: Home) -> None:
        holding = (
            "import sys, time; from pathlib import Path; from linda_cli.sessions.locks import held\n"
            "with held(Path(sys.argv[1]), what='it', run=True):\n"
            "    print('held', flush=True); time.sleep(60)"
        )
        lock = home.run_lock(NUMBER)
        process = subprocess.Popen([sys.executable, "-c", holding, lock], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            process.send_signal(signal.SIGSTOP)
            done = broken_and_mended("locks", home.root)
            assert str(process.pid) in done.assert_gone()["message"]
            assert done.command == f"kill -CONT {process.pid}"
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()


class TestConfiguration:
    def test_a_key_that_nobody_knows(self, home: Home) -> None:
        file = home.root / "linda.toml"
        file.write_text('chrom = "/usr/bin/chromium"\n')
        file.chmod(0o600)
        done = broken_and_mended("configuration", home.root)
        assert "did you mean chrome" in done.assert_gone()["message"]

    def test_a_key_of_a_table_that_its_verb_does_not_know(self, home: Home) -> None:
        file = home.root / "linda.toml"
        file.write_text("[serve]\nprot = 8351\n")
        file.chmod(0o600)
        done = broken_and_mended("configuration", home.root)
        assert "prot" in done.assert_gone()["message"]

    def test_a_file_that_others_may_write(self, home: Home) -> None:
        file = home.root / "linda.toml"
        file.write_text("")
        file.chmod(0o666)
        done = broken_and_mended("configuration", home.root)
        assert str(file) in done.assert_gone()["message"]

    def test_a_setting_of_the_file_is_taken_out_of_the_file(self, home: Home) -> None:
        """``unset`` would change nothing: the variable is not there."""
        file = home.root / "linda.toml"
        file.write_text(f'chrome = "{home.root.parent}/none"\n')
        file.chmod(0o600)
        done = broken_and_mended("browser", home.root)
        done.assert_gone()
        assert done.command.startswith("sed -i ")
