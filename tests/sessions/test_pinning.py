"""A copy of a login that is being written to is of one moment, however long the copying takes."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from chaos.homes import DATABASE, make_profile, write_keys
from chaos.survey import print_of
from linda_cli.sessions import backups
from linda_cli.sessions.login_files import LOCAL_STORAGE
from linda_cli.sessions.pinning import pinned


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    folder = tmp_path / "profile"
    make_profile(folder)
    # Opened anew LevelDB writes what it found in the log into a table.
    write_keys(folder, WALangPref='"en"')
    return folder


def copy(profile: Path, target: Path, between: object = None) -> str:
    with pinned(profile) as pins:
        if callable(between):
            between()
        backups._copied(profile, target, None, pins)
    return print_of(target)


def test_what_is_removed_replaced_or_written_meanwhile_makes_no_difference(profile: Path, tmp_path: Path) -> None:
    before = print_of(profile)

    def a_compaction() -> None:
        for store in (DATABASE, LOCAL_STORAGE):
            for table in (profile / store).glob("*.ldb"):
                table.unlink()
            (profile / store / "000099.ldb").write_bytes(b"another table")
            for growing in [*(profile / store).glob("*.log"), *(profile / store).glob("MANIFEST-*")]:
                growing.write_bytes(growing.read_bytes() + b"a record that names the other table")
        assert print_of(profile) != before

    assert copy(profile, tmp_path / "copy", a_compaction) == before
    assert backups.soundness(tmp_path / "copy")[1] is None


def test_a_login_that_stays_as_it_is_is_copied_as_it_is(profile: Path, tmp_path: Path) -> None:
    assert copy(profile, tmp_path / "copy") == print_of(profile)


def test_where_few_files_may_be_open_each_is_opened_in_its_turn(profile: Path, tmp_path: Path) -> None:
    kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pinned(profile) as pins:
        handles = sorted(pin.handle for pin in pins.values())
    # Too few to hold all of them; whatever else this process has open lies between them, so their own numbers count.
    resource.setrlimit(resource.RLIMIT_NOFILE, (handles[len(handles) // 2] + 1, kept[1]))
    try:
        with pinned(profile) as pins:
            assert pins == {}
            backups._copied(profile, tmp_path / "copy", None, pins)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
    assert print_of(tmp_path / "copy") == print_of(profile)
