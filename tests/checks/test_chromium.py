"""What we say of a damaged profile beforehand is what Chromium then does with it. The long form: ``mutations.py``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from linda_cli.browser.features import Features
from linda_cli.sessions.checks import look
from linda_cli.sessions.login import read_login
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.verdict import verdict
from linda_cli.storage_format import StorageFormat, StorageFormats
from tests.checks.mutations import IDB, LOCAL, Generations, make, run
from tests.checks.stand import CHROMIUM, NUMBER, SQLITE_TRIAL, Stand, standing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def linked(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Generations:
    return make(stand, tmp_path_factory.mktemp("linked"), "rows=9000&filler=40")


@pytest.fixture
def profile(linked: Generations, tmp_path: Path) -> Path:
    shutil.copytree(linked.now, tmp_path / "profile", symlinks=True)
    return tmp_path / "profile"


def _word(profile: Path) -> str:
    found = look(profile, number=NUMBER, deep=True)
    return verdict(found, running=False, cleared=False, logged_out=False, rejected=False)


def test_a_score_of_mutations_end_as_foretold(stand: Stand, linked: Generations, tmp_path: Path) -> None:
    outcomes = list(run(stand, [linked], range(20), tmp_path, twice=False))
    assert [outcome.what for outcome in outcomes if outcome.unforeseen] == []
    harmless = [outcome for outcome in outcomes if outcome.kind.startswith(("unrelated", "Local State", "Preferences"))]
    assert [outcome.what for outcome in harmless if outcome.said_bad] == []
    assert any(outcome.said_bad for outcome in outcomes)


def test_a_missing_current_costs_the_tables_unless_it_is_mended(stand: Stand, profile: Path) -> None:
    assert list((profile / IDB).glob("*.ldb"))
    for store in (IDB, LOCAL):
        (profile / store / "CURRENT").unlink()
    assert _word(profile) == "repairable"
    for repair in look(profile, number=NUMBER).repairs:
        assert carry_out(profile, repair)
    assert stand.visit(profile).logged_in


def test_an_unfinished_record_costs_the_second_start_unless_it_is_cut_off(stand: Stand, profile: Path) -> None:
    left_alone = profile.with_name("left-alone")
    shutil.copytree(profile, left_alone, symlinks=True)
    for folder in (profile, left_alone):
        log = max((folder / IDB).glob("*.log"))
        os.truncate(log, log.stat().st_size - 5)
        assert _word(folder) == "repairable"
    for repair in look(profile, number=NUMBER).repairs:
        assert carry_out(profile, repair)
    for folder in (profile, left_alone):
        assert stand.visit(folder, "more=1").logged_in
    assert stand.visit(profile).logged_in
    # should Chromium learn to do better, this says so
    assert _word(left_alone) == "damaged"


MOVING = Features(("DomStorageSqliteMigration:DomStorageSqliteMigrationInactivityTimeoutParam/1s",))


def test_a_localstorage_that_chromium_has_moved_is_the_same_login(
    stand: Stand, linked: Generations, profile: Path
) -> None:
    """A browser that linda did not start, in a trial: it moves localStorage to SQLite after a while without writes."""
    before = read_login(profile)
    stand.visit(profile, trial=MOVING, alone=True, stays=4)
    stand.visit(profile, trial=MOVING, alone=True)
    assert formats_of(profile) == StorageFormats(StorageFormat.LEVELDB, StorageFormat.SQLITE)
    after = read_login(profile)
    assert before is not None
    assert after is not None
    assert after.digest == before.digest
    assert _word(profile) == "restorable"
    assert stand.visit(profile, "more=1").logged_in
    assert formats_of(profile) == StorageFormats(StorageFormat.LEVELDB, StorageFormat.SQLITE)


@pytest.mark.parametrize("idb", [StorageFormat.LEVELDB, StorageFormat.SQLITE])
@pytest.mark.parametrize("local", [StorageFormat.LEVELDB, StorageFormat.SQLITE])
def test_each_combination_of_formats_stays_what_it_is(
    stand: Stand, tmp_path: Path, idb: StorageFormat, local: StorageFormat
) -> None:
    trial = Features(
        tuple(
            feature
            for feature, chosen in zip(SQLITE_TRIAL.enabled, (idb, local), strict=True)
            if chosen is StorageFormat.SQLITE
        )
    )
    profile = tmp_path / "profile"
    assert stand.visit(profile, f"link={NUMBER}", patience=60, trial=trial).logged_in
    for query, kill in (("more=1", False), ("more=1", True), ("", False)):
        assert formats_of(profile) == StorageFormats(idb, local)
        assert _word(profile) == "restorable"
        for repair in look(profile, number=NUMBER).repairs:
            carry_out(profile, repair)
        assert stand.visit(profile, query, kill=kill).logged_in


def test_a_score_of_mutations_of_a_login_in_sqlite_end_as_foretold(stand: Stand, tmp_path: Path) -> None:
    linked = make(stand, tmp_path / "linked", "rows=600", trial=SQLITE_TRIAL, killed=True)
    outcomes = list(run(stand, [linked], range(20), tmp_path, twice=False))
    # SQLite's pages bear no checksum: bytes flipped inside a value are for the page to find (docs/damage.md).
    unforeseen = [outcome.what for outcome in outcomes if outcome.unforeseen and "flipped" not in outcome.kind]
    assert unforeseen == []
    assert any(outcome.said_bad for outcome in outcomes)


def test_an_empty_leveldb_folder_hides_a_login_until_it_is_set_aside(stand: Stand, tmp_path: Path) -> None:
    """A browser without the features leaves one, and it is read from then on. Should Chromium learn better, this says
    so."""
    profile, left_alone = tmp_path / "profile", tmp_path / "left-alone"
    assert stand.visit(profile, f"link={NUMBER}", patience=60, trial=Features(SQLITE_TRIAL.enabled[1:])).logged_in
    stand.visit(profile)
    (profile / LOCAL).mkdir(parents=True)
    (profile / LOCAL / "LOG").write_text("an old line\n")
    shutil.copytree(profile, left_alone, symlinks=True)
    assert not stand.visit(left_alone).logged_in
    assert _word(profile) == "repairable"
    for repair in look(profile, number=NUMBER).repairs:
        assert carry_out(profile, repair)
    assert stand.visit(profile).logged_in


def test_a_page_that_only_showed_a_code_leaves_no_damaged_login(stand: Stand, tmp_path: Path) -> None:
    assert not stand.visit(tmp_path / "closed", "idle=1").logged_in
    stand.visit(tmp_path / "killed", "idle=1", kill=True)
    assert [_word(tmp_path / name) for name in ("closed", "killed")] == ["missing", "missing"]


def test_a_manifest_that_lost_all_its_changes_is_not_taken_for_a_young_one(profile: Path) -> None:
    manifest = next((profile / IDB).glob("MANIFEST-*"))
    first = 7 + int.from_bytes(manifest.read_bytes()[4:6], "little")
    os.truncate(manifest, first)
    assert _word(profile) == "damaged"
