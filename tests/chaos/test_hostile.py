"""Files that somebody put there to hurt: nothing outside the home is read into a backup, written or removed."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.commands import lived
from chaos.homes import DATABASE, NUMBER, home_at, store_of
from linda_cli.errors import LindaError
from linda_cli.sessions import manifest
from linda_cli.sessions.home import Home
from linda_cli.sessions.login import LOCAL_STORAGE
from tests.linda import Linda

SECRET = b"a secret outside of the home " * 40
SEQUENCE = "\x1b]0;owned\x07\x1b[2J"
ADDRESS_SPACE = 512 << 20


class Outside:
    """What is none of linda's business, and whether it is as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "inner").mkdir(parents=True)
        (folder / "secret").write_bytes(SECRET)
        (folder / "inner" / "secret.log").write_bytes(SECRET)
        self._before = self._now()

    def _now(self) -> list[tuple[str, int, bytes]]:
        return [
            (str(one), one.stat().st_mode, one.read_bytes() if one.is_file() else b"")
            for one in sorted(self.folder.rglob("*"))
        ]

    def is_untouched(self) -> bool:
        return self._now() == self._before

    def is_in(self, folder: Path) -> bool:
        """Whether its bytes were copied there. A name that was a hard link before may move; it is no copy."""
        return any(
            SECRET in one.read_bytes()
            for one in folder.rglob("*")
            if one.is_file() and not one.is_symlink() and one.stat().st_nlink == 1
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path / "home")
    lived(made)
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def _do_everything(home: Home, outside: Outside) -> None:
    """Every command that reads or writes; the named failures are fine, anything else is not."""
    for act in (
        lambda store: store.info(NUMBER, deep=True),
        lambda store: store.overview(),
        lambda store: store.backup(NUMBER),
        lambda store: store.restorable(NUMBER),
        lambda store: store.restore(NUMBER),
        lambda store: store.quarantine_copy(NUMBER, store.profile(NUMBER), "hostile"),
        lambda store: store.clear(NUMBER),
        lambda store: store.restore(NUMBER),
        lambda store: store.clear(NUMBER, backups=True),
        lambda store: store.cleanup(older_than=0.0, keep=1),
    ):
        try:
            act(store_of(home))
        except LindaError as problem:
            assert "\x1b" not in str(problem)
        assert not outside.is_in(home.cache)


def _link_a_file(profile: Path, outside: Path) -> None:
    (profile / LOCAL_STORAGE / "000099.log").symlink_to(outside / "secret")


def _link_the_login(profile: Path, outside: Path) -> None:
    shutil.rmtree(profile / DATABASE)
    (profile / DATABASE).symlink_to(outside / "inner")


def _link_default(profile: Path, outside: Path) -> None:
    (profile / "Default").rename(outside.parent / "moved")
    (profile / "Default").symlink_to(outside)


def _link_the_profile(profile: Path, outside: Path) -> None:
    shutil.rmtree(profile)
    profile.symlink_to(outside)


def _link_hard(profile: Path, outside: Path) -> None:
    os.link(outside / "secret", profile / LOCAL_STORAGE / "000099.log")


def _fifo(profile: Path, outside: Path) -> None:
    os.mkfifo(profile / LOCAL_STORAGE / "000099.ldb")
    (profile / "Last Version").unlink()
    os.mkfifo(profile / "Last Version")


def _socket(profile: Path, outside: Path) -> None:
    # A socket's path has to be short: bind it where it is short and move it.
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(profile / LOCAL_STORAGE)
        try:
            one.bind("000098.log")
        finally:
            os.chdir(here)


def _device(profile: Path, outside: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(profile / LOCAL_STORAGE / "000097.log", 0o020600, os.makedev(1, 5))


def _names(profile: Path, outside: Path) -> None:
    for name in (f"{SEQUENCE}.log", "new\nline.ldb", "\udcff.log", "-rf", "a" * 255):
        (profile / LOCAL_STORAGE / name).write_bytes(b"x")
    (profile / f"{SEQUENCE}\n").mkdir()


def _deep(profile: Path, outside: Path) -> None:
    folder = profile / DATABASE
    for _ in range(200):
        folder = folder / "deep"
    folder.mkdir(parents=True)


@pytest.mark.parametrize(
    "hurt",
    [
        _link_a_file, _link_the_login, _link_default, _link_the_profile, _link_hard, _fifo, _socket, _device, _names,
        _deep,
    ],
    ids=lambda one: one.__name__[1:],
)  # fmt: skip
def test_nothing_outside_is_read_into_a_backup_written_or_removed(
    hurt: Callable[[Path, Path], None], home: Home, outside: Outside
) -> None:
    hurt(home.named_profile(NUMBER), outside.folder)
    _do_everything(home, outside)
    assert outside.is_untouched()


def _tell(home: Home, **fields: object) -> Path:
    folder = home.at(home.stamped("backup", NUMBER)[0])
    told = json.loads((folder / "backup.json").read_bytes())
    (folder / "backup.json").write_text(json.dumps({**told, **fields}))
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "../../../outside/secret",
        "/etc/passwd",
        "Default/../../../outside/secret",
        "Default/./x",
        "a\\..\\b",
        "x\0y",
        "",
    ],
)
def test_a_backup_that_names_files_elsewhere_is_none(path: str, home: Home, outside: Outside) -> None:
    entries = [{"path": path, "size": len(SECRET), "sha256": "0" * 64}]
    _tell(home, files=entries, fingerprint="0" * 64)
    listed = store_of(home).restorable(NUMBER).backups
    assert [one.valid for one in listed] == [False, True]
    _do_everything(home, outside)
    assert outside.is_untouched()
    assert not outside.is_in(home.root)


@pytest.mark.parametrize("depth", ["file", "folder", "manifest", "backup"])
def test_a_backup_made_of_links_is_none(depth: str, home: Home, outside: Outside) -> None:
    folder = home.at(home.stamped("backup", NUMBER)[0])
    if depth == "backup":
        shutil.rmtree(folder)
        folder.symlink_to(outside.folder)
    else:
        victim = {"file": LOCAL_STORAGE / "CURRENT", "folder": LOCAL_STORAGE, "manifest": Path("backup.json")}[depth]
        if depth == "folder":
            shutil.rmtree(folder / victim)
        else:
            (folder / victim).unlink()
        (folder / victim).symlink_to(outside.folder / ("inner" if depth == "folder" else "secret"))
    assert [one.valid for one in store_of(home).restorable(NUMBER).backups] == [False, True]
    _do_everything(home, outside)
    assert outside.is_untouched()
    assert not outside.is_in(home.root)


def _take_no_more_than(more: int) -> None:
    """From here on this process may only grow by so many bytes of addresses."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _in_little_memory(home: Home) -> int:
    """Look and restore in a child that may not take more than half a gigabyte; its exit code."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _take_no_more_than(ADDRESS_SPACE)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            store = store_of(home)
            store.overview()
            store.restore(NUMBER)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            code = 0 if grown < 400_000 else 71
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_manifest_of_a_gigabyte_is_not_read(home: Home) -> None:
    folder = home.at(home.stamped("backup", NUMBER)[0])
    os.truncate(folder / "backup.json", 1 << 30)
    home.hash_memory(NUMBER).touch()
    os.truncate(home.hash_memory(NUMBER), 1 << 30)
    assert _in_little_memory(home) == 0
    assert [one.valid for one in manifest.listed(home, NUMBER)].count(False) == 1


def test_a_state_file_of_a_gigabyte_is_put_aside(home: Home) -> None:
    os.truncate(home.state_file, 1 << 30)
    assert _in_little_memory(home) == 0
    assert home.state_file.stat().st_size < 10_000
    assert len(list(home.root.glob("session-state.json.garbled-*"))) == 1


def test_a_manifest_with_a_million_entries_is_no_backup(home: Home) -> None:
    entry = {"path": "Last Version", "size": 1, "sha256": "0" * 64}
    _tell(home, files=[entry] * 1_000_000)
    assert _in_little_memory(home) == 0


def test_a_manifest_that_is_nested_for_ever_is_no_backup(home: Home) -> None:
    (home.at(home.stamped("backup", NUMBER)[0]) / "backup.json").write_text("[" * 200_000)
    assert _in_little_memory(home) == 0


def test_a_profile_of_sparse_giants_is_looked_at_in_bounded_memory(home: Home) -> None:
    for name in ("000003.log", "000098.ldb", "MANIFEST-000099"):
        with open(home.named_profile(NUMBER) / LOCAL_STORAGE / name, "ab") as file:
            file.truncate(1 << 30)
    (home.named_profile(NUMBER) / "Local State").unlink()
    with open(home.named_profile(NUMBER) / "Local State", "wb") as file:
        file.truncate(1 << 30)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _take_no_more_than(ADDRESS_SPACE)
            store_of(home).info(NUMBER)
            code = 0
        except BaseException:  # noqa: BLE001 - the test judges it
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_sequence_from_a_file_reaches_the_terminal(home: Home, tmp_path: Path) -> None:
    _names(home.named_profile(NUMBER), tmp_path)
    _tell(home, label=f"kept{SEQUENCE}", reason=SEQUENCE, createdAt=SEQUENCE)
    store_of(home).save_state(NUMBER, last_state=SEQUENCE, linked_at=SEQUENCE, auth_method=SEQUENCE)
    (home.cache / f"backup-{NUMBER}-1{SEQUENCE}").mkdir()
    (home.sessions / f"session-{SEQUENCE}").mkdir()
    linda = Linda(home.root)
    for words in (
        ["info"], ["info", NUMBER], ["info", NUMBER, "--deep"], ["restore", NUMBER, "--list"], ["info", SEQUENCE],
        ["backup", NUMBER], ["backup", "--all"], ["restore", NUMBER, "--from", f"backup{SEQUENCE}"],
        ["cleanup", "--dry-run"], ["clear", NUMBER, "--yes"],
    ):  # fmt: skip
        done = linda.run(*words)
        assert "\x1b" not in done.out + done.err, (words, done)
        assert "\x07" not in done.out + done.err, (words, done)
        assert "Traceback" not in done.err, (words, done)
