"""``linda export`` and ``linda import``: a login in one sealed file, whole in the other home or not there at all."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from linda_cli.app.exit_codes import exit_code
from linda_cli.errors import LindaError
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.home import Home
from linda_cli.sessions.manifest import read_manifest
from linda_cli.sessions.portable import archive, passphrase
from linda_cli.sessions.portable.archive import ArchiveReader, Description
from linda_cli.sessions.portable.importing import import_login, opened_export
from tests.as_nobody import NOBODY, give, linda_as_nobody, needs_root, shared_folder
from tests.conftest import needs
from tests.linda import NUMBER, Linda, World, flip
from tests.terminal import Terminal
from tests.test_sqlite_logins import TRIALS

SECRET = {"LINDA_PASSPHRASE": "correct horse"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "login.age"


@pytest.fixture
def other(tmp_path: Path) -> Linda:
    """A home on another machine: there is nothing yet."""
    return Linda(tmp_path / "other" / ".sandbox", **SECRET)


def exported(world: World, file: Path, *words: str, **environ: str) -> dict[str, object]:
    return world.linda.json("export", NUMBER, "-o", str(file), *words, **{**SECRET, **environ})


def there(linda: Linda) -> list[str]:
    """Everything in a home that is a login or would be taken for one."""
    return [
        str(path.relative_to(linda.home))
        for folder in ("sessions", ".session-cache")
        for path in sorted((linda.home / folder).glob("*"))
        if path.name not in ("locks", "browser.json") and not path.name.startswith(".run-")
    ]


def to_the_sandbox(world: World) -> dict[str, str]:
    return {"LINDA_CHROME_ARGS": shlex.join(world.sandbox.chrome_args)}


class TestMoving:
    def test_it_comes_up_in_the_other_home_without_a_code_and_brings_what_was_known_of_it(
        self, linked: World, file: Path, other: Linda
    ) -> None:
        told = exported(linked, file)
        assert (told["session"], told["moved"], told["file"]) == (NUMBER, False, str(file))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
        done = other.json("import", str(file))
        assert (done["session"], done["aside"], done["moved"]) == (NUMBER, None, False)
        before, after = linked.linda.info(), other.info()
        assert (after["verdict"], after["linkedAs"]) == ("restorable", NUMBER)
        for name in ("authMethod", "linkedAt", "createdAt", "restoreCount", "login"):
            assert after["state"][name] == before["state"][name]
        (backup,) = after["backups"]
        assert (backup["reason"], backup["login"]) == ("imported", before["backups"][0]["login"])
        with other.start("--no-link", "--once", **to_the_sandbox(linked)) as run:
            # Both homes say that the login exists twice.
            assert "without --move" in run.wait_for("note")["what"]
            assert run.wait_for("ready")["source"] == "profile"
            run.wait_for("stopped")
        assert linked.linkings == 1
        for linda, how in ((linked.linda, "exported"), (other, "imported")):
            assert linda.info()["otherCopy"]["how"] == how
            assert "lets only one of them run" in linda.run("info", NUMBER).out

    def test_moved_it_is_given_up_here_can_come_back_and_nobody_says_that_it_exists_twice(
        self, linked: World, file: Path, other: Linda
    ) -> None:
        told = exported(linked, file, "--move")
        assert told["moved"] is True
        info = linked.linda.info()
        assert (info["verdict"], info["canRestore"], info["otherCopy"]) == ("cleared", False, None)
        assert "moved away" in linked.linda.run("info", NUMBER).out
        assert (linked.cache / str(told["aside"])).is_dir()
        # Nothing older comes back by itself.
        refused = linked.linda.start("--no-link", NUMBER)
        with refused as run:
            assert run.end() in (12, 13, 16)
        assert other.json("import", str(file))["moved"] is True
        assert other.info()["otherCopy"] is None
        # And back again: what was given up is in nobody's way.
        back = file.with_name("back.age")
        other.json("export", NUMBER, "-o", str(back), "--move")
        linked.linda.json("import", str(back), **SECRET)
        assert linked.linda.info()["verdict"] == "restorable"

    def test_what_was_given_up_can_be_taken_back_by_its_quarantines_name(self, linked: World, file: Path) -> None:
        aside = str(exported(linked, file, "--move")["aside"])
        linked.linda.json("restore", NUMBER, "--from", aside)
        assert linked.linda.info()["verdict"] == "restorable"

    def test_a_login_that_runs_is_exported_beside_it_and_moved_only_when_it_is_stopped(
        self, linked: World, file: Path, other: Linda
    ) -> None:
        with linked.linda.start("--no-link") as run:
            run.wait_for("saved")
            refused = linked.linda.run("export", NUMBER, "-o", str(file), "--move", **SECRET)
            assert (refused.code, file.exists()) == (11, False)
            assert exported(linked, file)["moved"] is False
            assert run.stop() == 0
        assert other.json("import", str(file))["session"] == NUMBER
        assert other.info(NUMBER, "--deep")["verdict"] == "restorable"

    def test_a_session_that_is_there_stays_unless_it_may_be_replaced_and_then_it_is_kept_aside(
        self, linked: World, file: Path
    ) -> None:
        exported(linked, file)
        before = linked.linda.info()
        refused = linked.linda.run("import", str(file), **SECRET)
        assert refused.code == 11
        assert "--replace" in refused.err
        assert linked.linda.info()["backups"] == before["backups"]
        done = linked.linda.json("import", str(file), "--replace", **SECRET)
        assert (linked.cache / str(done["aside"])).is_dir()
        after = linked.linda.info()
        assert after["verdict"] == "restorable"
        assert after["backups"][0]["reason"] == "imported"
        assert before["backups"][0]["name"] in {one["name"] for one in after["backups"]}
        # While a linda holds it nothing is replaced.
        with linked.linda.start("--no-link") as run:
            run.wait_for("ready")
            assert linked.linda.run("import", str(file), "--replace", **SECRET).code == 11

    def test_a_login_in_sqlite_moves_as_well(self, make_world: Callable[..., World], file: Path, other: Linda) -> None:
        world = make_world()
        with world.linda.start("--once", LINDA_CHROME_ARGS=TRIALS["both"]) as run:
            run.wait_for("qr")
            world.phone.scan()
            run.wait_for("stopped")
        exported(world, file)
        other.json("import", str(file))
        with other.start("--no-link", "--once", **to_the_sandbox(world)) as run:
            assert run.wait_for("ready")["source"] == "profile"
            run.wait_for("stopped")
        assert world.linkings == 1

    @needs_root
    def test_it_moves_between_users_with_other_umasks_and_belongs_to_whoever_imports_it(self, linked: World) -> None:
        for shared in shared_folder():
            home, file = shared / "home", shared / "login.age"
            shutil.copytree(linked.inner, home / ".sandbox", symlinks=True)
            give(home)
            (shared / "drop").mkdir()
            give(shared / "drop")
            file = shared / "drop" / "login.age"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LINDA_PASSPHRASE", SECRET["LINDA_PASSPHRASE"])
                before = os.umask(0o077)
                try:
                    at_home = ("--home", str(home), "--sandbox")
                    done = linda_as_nobody(*at_home, "export", NUMBER, "-o", str(file))
                    assert done.code == 0, done
                    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (NOBODY, 0o600)
                    os.umask(0)
                    mine = Linda(shared / "mine" / ".sandbox", **SECRET)
                    mine.json("import", str(file))
                    moved = linda_as_nobody(*at_home, "export", NUMBER, "-o", f"{file}.2", "--move")
                    assert moved.code == 0, moved
                    back = linda_as_nobody(*at_home, "import", f"{file}.2")
                    assert back.code == 0, back
                finally:
                    os.umask(before)
            for folder, user in ((mine.home, os.geteuid()), (home / ".sandbox", NOBODY)):
                for path in [folder / "sessions", *(folder / "sessions").rglob("*")]:
                    status = path.lstat()
                    assert status.st_uid == user, path
                    assert stat.S_IMODE(status.st_mode) & 0o077 == 0, path
            assert mine.info()["verdict"] == "restorable"


class TestWhatCannotBeImported:
    """Each with its clear error, and nothing half imported."""

    @pytest.fixture
    def refused(self, other: Linda) -> Callable[..., str]:
        """The words in which a file is refused; nothing of it is left in the home."""
        store = store_at(Home(other.home, other.home / "sessions"))

        def refuse(file: Path, code: int, secret: str = SECRET["LINDA_PASSPHRASE"]) -> str:
            with pytest.raises(LindaError) as told, opened_export(file) as opened:
                import_login(store, opened, secret, ())
            assert exit_code(told.value) == code, told.value
            assert there(other) == []
            assert not (other.home / "session-state.json").exists()
            return told.value.message

        return refuse

    def test_a_file_that_is_not_as_it_was_written_or_not_for_this_passphrase(
        self, linked: World, file: Path, refused: Callable[..., str]
    ) -> None:
        exported(linked, file)
        file = rewritten(file)
        whole = file.read_bytes()
        bad = file.with_name("bad.age")
        for content, words in (
            (whole[:-1], "cut short: it has"),
            (whole[: len(whole) // 2], "cut short: it has"),
            (whole[:300], "cut short or changed"),
            (whole + b"more", "bytes more than were written"),
            (whole[:200_000] + bytes([whole[200_000] ^ 1]) + whole[200_001:], "cut short or changed"),
            (whole[:-2] + b"xx", "cut short or changed"),
            (b"", "no file of linda export"),
            (b"PK\x03\x04", "no file of linda export"),
        ):
            bad.write_bytes(content)
            assert words in refused(bad, 13)
        assert "passphrase does not open it" in refused(file, 13, "wrong")
        assert "cannot be read" in refused(file.with_name("nothing.age"), 13)
        os.mkfifo(file.with_name("fifo.age"))
        assert "cannot be read" in refused(file.with_name("fifo.age"), 13)

    def test_a_file_of_a_newer_linda_another_world_or_another_browser(
        self, linked: World, file: Path, refused: Callable[..., str], tmp_path: Path
    ) -> None:
        exported(linked, file)
        assert "newer linda (format 2)" in refused(rewritten(file, '"version": 1', '"version": 2'), 13)
        # The sandbox's login and a real home never meet.
        real = Linda(tmp_path / "real", **SECRET)
        done = real.run("import", str(file))
        assert done.code == 2
        assert "sandbox" in done.err
        (linked.profile / "Last Version").write_text("999.0.1.2")
        newer = file.with_name("newer.age")
        exported(linked, newer)
        assert "Chromium 999.0.1.2, which is newer" in refused(newer, 14)

    def test_one_whose_description_lies_about_its_files(
        self, linked: World, file: Path, refused: Callable[..., str]
    ) -> None:
        exported(linked, file)
        print_ = read_manifest(linked.backups()[0]).files[0].sha256
        assert "not as linda writes it" in refused(rewritten(file, print_, "0" * 64), 13)
        assert "not as linda writes it" in refused(rewritten(file, '"path": "Default/', '"path": "../../../'), 13)
        assert "not as linda writes it" in refused(rewritten(file, f'"{NUMBER}"', '"../../etc"'), 13)

    def test_a_damaged_login_is_no_export_and_an_unlinked_one_neither(self, linked: World, file: Path) -> None:
        (log,) = (linked.profile / "Default" / "Local Storage" / "leveldb").glob("*.log")
        whole = log.read_bytes()
        flip(log)
        refused = linked.linda.run("export", NUMBER, "-o", str(file), **SECRET)
        assert (refused.code, file.exists()) == (12, False)
        log.write_bytes(whole)
        assert linked.linda.run("logout", NUMBER, "--local", "--yes").code == 0
        refused = linked.linda.run("export", NUMBER, "-o", str(file), **SECRET)
        assert (refused.code, "was unlinked at" in refused.err, file.exists()) == (13, True, False)

    def test_a_login_that_was_unlinked_here_is_not_brought_back_by_an_older_file(
        self, linked: World, file: Path
    ) -> None:
        exported(linked, file)
        linked.linda.run("logout", NUMBER, "--local", "--yes")
        refused = linked.linda.run("import", str(file), **SECRET)
        assert (refused.code, "was unlinked at" in refused.err) == (13, True)


def rewritten(file: Path, old: str = "", new: str = "") -> Path:
    """The same file with its description changed, sealed anew: as somebody who has the passphrase could. It costs
    little to open."""
    with file.open("rb") as opened:
        reader = ArchiveReader(passphrase.decrypt(opened, SECRET["LINDA_PASSPHRASE"]))
        told = reader.description()
        contents = [(entry, b"".join(pieces)) for entry, pieces in reader.files(told.manifest.files)]
    text = reader.text.replace(old.encode(), new.encode()) if old else reader.text
    assert (text != reader.text) == bool(old)

    def stream() -> Iterator[bytes]:
        yield archive._header(archive.DESCRIPTION, len(text)) + text + archive._padding(len(text))
        for entry, content in contents:
            yield archive._header(entry.path, entry.size) + content + archive._padding(entry.size)
        yield archive._END

    changed = file.with_name("changed.age")
    changed.write_bytes(b"".join(passphrase.encrypt(stream(), SECRET["LINDA_PASSPHRASE"], 10)))
    return changed


class TestKeysAndPassphrases:
    def test_a_file_for_public_keys_opens_with_its_private_key_alone(
        self, linked: World, file: Path, other: Linda, tmp_path: Path
    ) -> None:
        key, wrong = tmp_path / "key.txt", tmp_path / "wrong.txt"
        identity = pyrage.x25519.Identity.generate()
        key.write_text(f"{identity}\n")
        wrong.write_text(f"{pyrage.x25519.Identity.generate()}\n")
        exported(linked, file, "--recipient", str(identity.to_public()))
        refused = other.run("import", str(file), "--identity", str(wrong))
        assert (refused.code, "other keys" in refused.err) == (13, True)
        refused = other.run("import", str(file))
        assert (refused.code, "no private key was given" in refused.err) == (13, True)
        assert refused.err.splitlines()[-1] == f"  try: linda --home {other.home} help import"
        assert "--identity" in other.run("help", "import").out
        file.with_name("cut.age").write_bytes(file.read_bytes()[:-20])
        refused = other.run("import", str(file.with_name("cut.age")), "--identity", str(key))
        assert (refused.code, "cut short: it has" in refused.err) == (13, True)
        assert there(other) in ([], ["sessions"])
        other.json("import", str(file), "--identity", str(key))
        assert other.info()["verdict"] == "restorable"

    @needs("age", "tar")
    def test_the_age_program_opens_it_as_the_docs_say(self, linked: World, file: Path, tmp_path: Path) -> None:
        key = tmp_path / "key.txt"
        made = subprocess.run(["age-keygen", "-o", key], capture_output=True, text=True, check=True).stderr
        exported(linked, file, "--recipient", made.split()[-1])
        listing = f"age -d -i {shlex.quote(str(key))} {shlex.quote(str(file))} | tar -t"
        listed = subprocess.run(["sh", "-c", listing], capture_output=True, text=True, check=True).stdout
        assert listed.splitlines()[0] == "linda-export.json"
        assert any(name.startswith("Default/IndexedDB/") for name in listed.splitlines())

    def test_a_passphrase_is_asked_for_twice_on_a_terminal_and_without_one_there_must_be_the_variable(
        self, linked: World, file: Path
    ) -> None:
        refused = linked.linda.run("export", NUMBER, "-o", str(file))
        assert (refused.code, "LINDA_PASSPHRASE" in refused.err, file.exists()) == (2, True, False)
        refused = linked.linda.run("export", NUMBER, "-o", str(file), LINDA_PASSPHRASE="")
        assert (refused.code, file.exists()) == (2, False)
        command = [sys.executable, "-m", "linda_cli", "--home", str(linked.inner), "export", NUMBER, "-o", str(file)]
        with Terminal(command) as terminal:
            terminal.wait_for("Passphrase for the file")
            terminal.type("correct horse", "Enter")
            terminal.wait_for("Once more")
            terminal.type("correct horse", "Enter")
            screen = terminal.wait_for("encrypted and read again")
        assert "correct horse" not in screen
        assert pyrage.passphrase.decrypt(file.read_bytes(), "correct horse")

    def test_a_file_that_is_there_is_never_written_over_and_a_folder_that_is_not_is_named(
        self, linked: World, file: Path
    ) -> None:
        file.write_text("something else")
        refused = linked.linda.run("export", NUMBER, "-o", str(file), **SECRET)
        assert (refused.code, file.read_text()) == (2, "something else")
        refused = linked.linda.run("export", NUMBER, "-o", str(file / "below.age"), **SECRET)
        assert refused.code == 1
        assert linked.linda.run("export", NUMBER, **SECRET).code == 2
        assert [path.name for path in file.parent.glob(".*.part")] == []


def test_300_megabytes_pass_through_in_pieces(linked: World, file: Path, other: Linda) -> None:
    blobs = next((linked.profile / "Default" / "IndexedDB").glob("*.blob"))
    small = peak(linked.linda, "export", NUMBER, "-o", str(file))
    with (blobs / "big").open("wb") as big:
        for _ in range(300):
            big.write(os.urandom(1 << 20))
    for backup in linked.backups():
        shutil.rmtree(backup)
    large = file.with_name("large.age")
    grown = peak(linked.linda, "export", NUMBER, "-o", str(large)) - small
    assert large.stat().st_size > 300 << 20
    assert grown < 60, f"{grown} MB more for 300 MB"
    shutil.rmtree(linked.cache)
    brought = peak(other, "import", str(large)) - small
    assert brought < 60, f"{brought} MB more for 300 MB"
    assert other.info()["verdict"] == "restorable"


def peak(linda: Linda, *words: str) -> int:
    """Run a command; the most memory in MB that it had at once."""
    script = (
        "import resource, subprocess, sys\n"
        "command = [sys.executable, '-m', 'linda_cli', *sys.argv[1:]]\n"
        "code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode\n"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--home", str(linda.home), *words],
        capture_output=True, text=True, check=True, env={**os.environ, **SECRET},
    )  # fmt: skip
    code, megabytes = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return megabytes


def test_a_backup_that_was_copied_by_hand_into_a_fresh_home_is_found(linked: World, tmp_path: Path) -> None:
    fresh = Linda(tmp_path / "fresh" / ".sandbox")
    name = linked.backups()[0].name
    shutil.copytree(linked.backups()[0], fresh.home / ".session-cache" / name)
    info = fresh.info()
    assert [one["name"] for one in info["backups"]] == [name]
    with fresh.start("--no-link", "--once", **to_the_sandbox(linked)) as run:
        assert run.wait_for("ready")["source"] == "backup"
        run.wait_for("stopped")
    assert linked.linkings == 1


def test_the_description_is_read_as_it_was_written(linked: World) -> None:
    manifest = read_manifest(linked.backups()[0])
    description = Description("id", "2026-11-25T10:00:00.000Z", "host", True, manifest, {"restoreCount": 3})
    assert archive._parsed(archive.described(description)) == description
