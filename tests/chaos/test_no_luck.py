"""No space, no rights, no luck: a clear error, the right exit code, and nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.commands import lived
from chaos.homes import NUMBER, home_at, store_of, write_keys
from chaos.survey import Facts, print_of, prints, survey
from linda_cli.app.exit_codes import exit_code
from linda_cli.errors import LindaError
from linda_cli.sessions import clock
from linda_cli.sessions import home as homes
from linda_cli.sessions.home import Home
from linda_cli.sessions.store import Store
from tests.linda import Linda
from tests.read_only import read_only

YEAR = 365 * 86_400_000

WRITING: dict[str, Callable[[Store], object]] = {
    "backup": lambda store: store.backup(NUMBER),
    "restore": lambda store: store.restore(NUMBER),
    "clear": lambda store: store.clear(NUMBER),
    "state": lambda store: store.save_state(NUMBER, counter=1),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path / "home")
    lived(made)
    return made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a tmpfs")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("name", WRITING)
def test_a_full_disk_is_said_and_costs_nothing(name: str, small_disk: Path) -> None:
    home = home_at(small_disk / "home")
    lived(home)
    before = print_of(home.named_profile(NUMBER))
    filler = small_disk / "filler"
    for left in (0, 4096, 8192, 16384, 32768):
        with open(filler, "wb", buffering=0) as file:
            free = shutil.disk_usage(small_disk).free
            while free > left:
                free -= file.write(b"\0" * min(free - left, 65536))
                free = shutil.disk_usage(small_disk).free
        try:
            WRITING[name](store_of(home))
            filler.unlink()
            break
        except LindaError as problem:
            assert exit_code(problem) == 1, problem
            assert problem.hint
            assert "space" in f"{problem.message} {problem.hint}".lower(), problem
        assert before in prints(home)
        filler.unlink()
    verdicts = frozenset({"restorable", "cleared"} if name == "clear" else {"restorable"})
    assert survey(home, Facts(NUMBER, verdicts, frozenset({before}))) == []


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("spare", range(8))
def test_too_few_file_handles_are_said_and_cost_nothing(name: str, spare: int, home: Home) -> None:
    before = print_of(home.named_profile(NUMBER))
    child = os.fork()
    if child == 0:
        code = 70
        try:
            highest = max(int(one) for one in os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, highest + spare))
            try:
                WRITING[name](store_of(home))
                code = 0
            except LindaError as problem:
                code = exit_code(problem)
        except BaseException:  # noqa: BLE001 - the test judges it
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, highest + spare))
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # With no handle to read with, a backup cannot be told from a damaged one (13), nor a profile from one (12, 10);
    # a store that could not be opened is said to be unreadable (14), never damaged.
    assert code in (0, 1, 10, 12, 13, 14), code
    assert survey(home, Facts(NUMBER, frozenset({"restorable", "cleared"}), frozenset({before}))) == []


@pytest.mark.parametrize("words", [["backup", NUMBER], ["restore", NUMBER], ["clear", NUMBER, "--yes"]])
def test_a_home_that_may_not_be_written_is_exit_1(words: list[str], home: Home) -> None:
    with read_only(home.root):
        done = Linda(home.root).run(*words)
    assert done.code == 1, done
    assert "Traceback" not in done.err


def test_sessions_on_another_filesystem_do_all_that_others_do(tmp_path: Path) -> None:
    there = Path("/dev/shm")
    if not os.access(there, os.W_OK) or there.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem to be had")
    moved = there / f"linda-{os.getpid()}"
    try:
        home = home_at(tmp_path / "home", moved)
        lived(home)
        store = store_of(home)
        before = print_of(home.named_profile(NUMBER))
        cleared = store.clear(NUMBER)
        assert cleared.aside is not None
        assert before in prints(home)
        store.restore(NUMBER, cleared.aside)
        assert print_of(home.named_profile(NUMBER)) == before
        store.restore(NUMBER, store.home.stamped("backup", NUMBER)[-1].name)
        done = Linda(home.root).json("info", NUMBER, SESSION_PATH=str(moved))
        assert done["verdict"] == "restorable"
        assert survey(home, Facts(NUMBER, frozenset({"restorable"}), frozenset({before}))) == []
    finally:
        shutil.rmtree(moved, ignore_errors=True)


def test_a_clock_that_jumps_back_a_year_keeps_the_order(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store_of(home).backup(NUMBER).backup.name
    real = clock.now_ms
    for module in ("backups", "cleanup", "home", "profiles", "saving", "state"):
        found = __import__(f"linda_cli.sessions.{module}", fromlist=["now_ms"])
        if hasattr(found, "now_ms"):
            monkeypatch.setattr(found, "now_ms", lambda: real() - YEAR)
    assert homes.now_ms() < real() - YEAR + 60_000
    store = store_of(home)
    names = [first]
    for step in range(2):
        write_keys(home.named_profile(NUMBER), WALangPref=f'"after {step}"')
        names.append(store.backup(NUMBER).backup.name)
    assert [one.name for one in home.stamped("backup", NUMBER)][: len(names)] == names[::-1]
    cleared = store.clear(NUMBER)
    assert store.info(NUMBER).verdict == "cleared"
    assert store.restore(NUMBER).source == names[-1]
    assert cleared.aside is not None
    store.cleanup()
    assert store.info(NUMBER).verdict == "restorable"
