"""One ``sudo`` run leaves files that the user can no longer read: no damage, and the command that gives them back."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.homes import NUMBER, home_at, make_profile, store_of
from linda_cli.errors import StoreUnreadable
from linda_cli.sessions import profiles
from linda_cli.sessions.checks import look
from linda_cli.sessions.storage import ownership
from tests.as_nobody import NOBODY, give, linda_as_nobody, needs_root, shared_folder
from tests.linda import World


@pytest.fixture
def folder() -> Iterator[Path]:
    yield from shared_folder()


@pytest.fixture
def theirs(_linked_once: Path, make_world: Callable[..., World], folder: Path) -> World:
    """A linked home of an ordinary user."""
    home = folder / "home"
    shutil.copytree(_linked_once, home, symlinks=True)
    world = make_world(home)
    give(home)
    return world


def _run(world: World, *words: str) -> list[dict[str, object]]:
    """The events of a ``linda start`` of that user, or the answer of another command."""
    done = linda_as_nobody("--home", str(world.home), "--json", *words)
    return [json.loads(line) for line in done.out.splitlines()] or [{"none": done.err}]


def _tree(folder: Path) -> list[str]:
    return sorted(str(one) for one in folder.rglob("*"))


@needs_root
@pytest.mark.parametrize("place", ["Default/IndexedDB", "Default/Local Storage/leveldb/CURRENT", "Default", ""])
def test_the_path_and_the_chown_are_told_before_anything_is_moved(theirs: World, place: str) -> None:
    wrong = theirs.profile / place
    give(wrong, 0)
    wrong.chmod(0o700)
    before = _tree(theirs.profile)
    (seen,) = _run(theirs, "info", NUMBER, "--home", str(theirs.inner))
    assert seen["verdict"] == "unknown_format"
    last = _run(theirs, "start", NUMBER, "--sandbox", "--once")[-1]
    assert (last["event"], last["code"], last["name"]) == ("error", 14, "StoreUnreadable")
    assert str(wrong) in str(last["message"])
    assert last["hint"] == f"sudo chown -R {NOBODY}:{NOBODY} {shlex.quote(str(wrong))}"
    assert _tree(theirs.profile) == before
    assert theirs.quarantined() == []
    subprocess.run(str(last["hint"]).removeprefix("sudo "), shell=True, check=True)
    events = _run(theirs, "start", NUMBER, "--sandbox", "--once", "--no-link")
    assert [one["source"] for one in events if one["event"] == "ready"] == ["profile"], events
    assert events[-1]["event"] == "stopped"


@needs_root
def test_leftovers_that_cannot_be_removed_are_noted_and_never_fatal(theirs: World) -> None:
    for kind in ("making", "discarding"):
        left = theirs.cache / f".{kind}-{NUMBER}-1600000000000" / "Default"
        left.mkdir(parents=True)
        (left / "file").write_text("root's")
    dead = theirs.inner / "sessions" / f".discarding-{NUMBER}-1600000000000"
    shutil.copytree(theirs.profile, dead, symlinks=True)
    (cleaned,) = _run(theirs, "cleanup", "--home", str(theirs.inner))
    assert cleaned["errors"] == []
    reasons = [str(one["reason"]) for one in cleaned["items"] if one["kind"] == "leftover"]  # type: ignore[attr-defined]
    assert len(reasons) == 3
    assert all("sudo rm -r" in one for one in reasons)
    events = _run(theirs, "start", NUMBER, "--sandbox", "--once", "--no-link")
    assert [one["source"] for one in events if one["event"] == "ready"] == ["profile"], events
    assert events[-1]["event"] == "stopped"


def test_a_file_that_its_own_user_may_not_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counterpart that needs no root: the system's refusal, by permission or by a failing disk."""
    home = home_at(tmp_path / "home")
    home.make()
    profile = home.named_profile(NUMBER)
    make_profile(profile)
    closed = profile / "Default" / "IndexedDB"
    if os.geteuid():
        closed.chmod(0)
    else:
        real = os.scandir

        def refuse(path: str | Path) -> object:
            if str(path).startswith(str(closed)):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", refuse)
    try:
        store = store_of(home)
        assert store.info(NUMBER).verdict == "unknown_format"
        assert not store.can_restore(NUMBER)
        with pytest.raises(StoreUnreadable):
            store.backup(NUMBER)
    finally:
        closed.chmod(0o700)


def test_what_belongs_to_nobody_else_is_told_as_ours(tmp_path: Path) -> None:
    make_profile(tmp_path / "profile")
    assert ownership.foreign(tmp_path / "profile") is None
    assert look(tmp_path / "profile", number=NUMBER).foreign is None


def test_a_linking_whose_login_cannot_be_read_is_not_cleaned_up(tmp_path: Path) -> None:
    """An hour old and without a known login it would go; but what is there is not known to be nothing."""
    home = home_at(tmp_path / "home")
    home.make()
    linking = home.sessions / "linking-1600000000000"
    make_profile(linking)
    shutil.rmtree(linking / "Default" / "Local Storage")
    (linking / "Default" / "LocalStorage").write_bytes(os.urandom(5000))
    cleaned = store_of(home).cleanup()
    assert linking.is_dir()
    assert [one.name for one in cleaned.items] == []
    assert profiles.try_remove(linking) is None
    assert not linking.exists()
