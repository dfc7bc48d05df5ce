"""A quarantine is whole: everything but a fixed list of caches goes aside, and comes back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.homes import NUMBER, fast_place, home_at, make_profile, store_of
from linda_cli.sessions.caches import CACHES
from linda_cli.sessions.home import Home

STRANGE = {
    "A file of tomorrow": b"1",
    "A folder of tomorrow/with/levels/file": b"2",
    "Default/LocalStorage": b"SQLite format 3\0 or whatever it will be",
    "Default/LocalStorage-wal": b"3",
    "Default/IndexedDB/https_web.whatsapp.com_0/6SWAZZBF": b"4",
    "Default/IndexedDB/https_web.whatsapp.com_0/6SWAZZBF-wal": b"5",
    "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.duckdb/1": b"6",
    "Default/Local Storage/duckdb/1": b"7",
    "Default/WebStorage/1/IndexedDB/2": b"8",
    "Default/Service Worker/Database/1": b"9",
    "Default/Cachet/1": b"10",
    "Cache/1": b"a folder of a cache's name where Chromium has none",
    "Profile 1/Local Storage/leveldb/CURRENT": b"11",
    "Default/.hidden/.file": b"12",
}


def _strange_profile(home: Home) -> Path:
    home.make()
    profile = home.named_profile(NUMBER)
    make_profile(profile)
    for name, content in STRANGE.items():
        (profile / name).parent.mkdir(parents=True, exist_ok=True)
        (profile / name).write_bytes(content)
    for name in CACHES:
        (profile / name).mkdir(parents=True, exist_ok=True)
        (profile / name / "cached").write_bytes(b"cached")
    (profile / "Default" / "empty").mkdir()
    (profile / "Default" / "link").symlink_to("Preferences")
    return profile


def _contents(folder: Path) -> dict[str, bytes | str | None]:
    """Every path below with its bytes, its target for a link, None for a folder."""
    return {
        str(one.relative_to(folder)): os.readlink(one)
        if one.is_symlink()
        else one.read_bytes()
        if one.is_file()
        else None
        for one in folder.rglob("*")
    }


def _without_caches(there: dict[str, bytes | str | None]) -> dict[str, bytes | str | None]:
    return {
        path: content
        for path, content in there.items()
        if not any(path == cache or path.startswith(f"{cache}/") for cache in CACHES)
    }


def _by_rename(home: Home) -> str | None:
    return store_of(home).quarantine(NUMBER, home.named_profile(NUMBER), "a test")


def _by_copy(home: Home) -> str | None:
    return store_of(home).quarantine_copy(NUMBER, home.named_profile(NUMBER), "a test")


@pytest.mark.parametrize("act", [_by_rename, _by_copy])
def test_unknown_files_and_folders_are_found_again(tmp_path: Path, act: Callable[[Home], str | None]) -> None:
    home = home_at(tmp_path / "home")
    before = _contents(_strange_profile(home))
    name = act(home)
    assert name is not None
    aside = _contents(home.at(name))
    aside.pop("quarantine.json")
    assert aside == _without_caches(before)


@pytest.mark.skipif(fast_place() is None, reason="no second filesystem on this machine")
def test_a_profile_on_another_filesystem_is_put_aside_as_whole(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with tempfile.TemporaryDirectory(dir=fast_place()) as elsewhere:
        home = home_at(tmp_path / "home", Path(elsewhere) / "sessions")
        if Path(elsewhere).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("both are on one filesystem")
        before = _contents(_strange_profile(home))
        name = _by_rename(home)
        assert name is not None
        aside = _contents(home.at(name))
        aside.pop("quarantine.json")
        assert aside == _without_caches(before)
        assert not home.named_profile(NUMBER).exists()


def test_what_was_put_aside_comes_back_whole(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    before = _contents(_strange_profile(home))
    (home.named_profile(NUMBER) / "SingletonLock").symlink_to("somewhere-1")
    name = _by_rename(home)
    assert name is not None
    store_of(home).restore(NUMBER, name)
    assert _contents(home.named_profile(NUMBER)) == _without_caches(before)


def test_a_file_of_a_caches_name_is_no_cache(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    make_profile(home.named_profile(NUMBER))
    (home.named_profile(NUMBER) / "GrShaderCache").write_bytes(b"kept")
    name = _by_rename(home)
    assert name is not None
    assert (home.at(name) / "GrShaderCache").read_bytes() == b"kept"
