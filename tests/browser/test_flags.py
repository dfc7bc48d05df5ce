"""The arguments a browser gets: one list of features each way, and none that would cost a store that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from linda_cli.browser.features import Features
from linda_cli.browser.flags import Wish, arguments, extra_arguments
from linda_cli.errors import BrowserTooOld, Misused, UnknownFormat
from linda_cli.storage_format import NO_STORES, StorageFormat, StorageFormats

LEVELDB, SQLITE, ABSENT, UNKNOWN = (
    StorageFormat.LEVELDB,
    StorageFormat.SQLITE,
    StorageFormat.ABSENT,
    StorageFormat.UNKNOWN,
)
KEEP_IDB = "IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores"
KEEP_LOCAL = "DomStorageSqliteNewDatabases:DomStorageSqliteNewDatabasesStage/UseSqliteForNewDatabases"
IDB = {"IdbSqliteBackingStore", "IdbSqliteOnDiskRollout"}
LOCAL = {"DomStorageSqlite", "DomStorageSqliteNewDatabases", "DomStorageSqliteMigration"}


def features(formats: StorageFormats = NO_STORES, *extra: str, version: str = "156.0.8078.79") -> Features:
    """The features of a browser on such a profile; each switch stands once."""
    wish = Wish(Path("/profile"), "https://web.whatsapp.com/", version, extra=extra, formats=formats)
    given = arguments(wish)
    for name in ("--enable-features", "--disable-features"):
        assert len([one for one in given if one.startswith(name)]) <= 1
    assert not [one for one in given if one.startswith(("-e", "-d"))]
    return Features.of(given)


@pytest.mark.parametrize("idb", [ABSENT, LEVELDB, SQLITE])
@pytest.mark.parametrize("local", [ABSENT, LEVELDB, SQLITE])
def test_each_store_keeps_the_format_that_it_has(idb: StorageFormat, local: StorageFormat) -> None:
    chosen = features(StorageFormats(idb, local))
    assert (KEEP_IDB in chosen.enabled) == (idb is SQLITE)
    assert (KEEP_LOCAL in chosen.enabled) == (local is SQLITE)
    assert IDB.isdisjoint(chosen.disabled) == (idb is SQLITE)
    assert LOCAL.isdisjoint(chosen.disabled) == (local is SQLITE)
    assert idb is SQLITE or set(chosen.disabled) >= IDB
    assert local is SQLITE or set(chosen.disabled) >= LOCAL


@pytest.mark.parametrize(
    ("formats", "extra"),
    [
        (StorageFormats(LEVELDB, ABSENT), "--enable-features=IdbSqliteBackingStore"),
        (StorageFormats(LEVELDB, ABSENT), "--enable-features=IdbSqliteOnDiskRollout:stage/MigrateDataToSqliteGentle"),
        (StorageFormats(LEVELDB, ABSENT), "--enable-features=IdbSqliteOnDiskRollout:stage/OfTomorrow"),
        (StorageFormats(LEVELDB, ABSENT), "--enable-features=A,IdbSqliteOnDiskRollout<Study.Group,B"),
        (StorageFormats(LEVELDB, ABSENT), "-enable-features=IdbSqliteBackingStore"),
        (StorageFormats(ABSENT, LEVELDB), "--enable-features=DomStorageSqliteMigration"),
        (StorageFormats(ABSENT, LEVELDB), "--enable-features=DomStorageSqlite"),
        (StorageFormats(SQLITE, ABSENT), "--disable-features=IdbSqliteOnDiskRollout"),
        (StorageFormats(SQLITE, ABSENT), "-disable-features=X, IdbSqliteOnDiskRollout"),
        (StorageFormats(SQLITE, ABSENT), "--enable-features=IdbSqliteOnDiskRollout"),
        (StorageFormats(SQLITE, ABSENT), "--enable-features=*IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores"),
        (StorageFormats(ABSENT, SQLITE), "--disable-features=DomStorageSqliteNewDatabases"),
        (StorageFormats(ABSENT, SQLITE), "--enable-features=DomStorageSqliteNewDatabases"),
        (StorageFormats(LEVELDB, SQLITE), "--disable-features=DomStorageSqliteNewDatabases<Study"),
    ],
)
def test_features_that_would_drop_a_store_are_refused(formats: StorageFormats, extra: str) -> None:
    with pytest.raises(Misused) as told:
        features(formats, extra)
    assert "LINDA_CHROME_ARGS" in str(told.value)


@pytest.mark.parametrize(
    ("formats", "extra"),
    [
        (StorageFormats(LEVELDB, LEVELDB), f"--enable-features={KEEP_IDB},{KEEP_LOCAL}"),
        (StorageFormats(LEVELDB, LEVELDB), "--disable-features=DomStorageSqlite,IdbSqliteOnDiskRollout"),
        (StorageFormats(SQLITE, SQLITE), f"--enable-features={KEEP_IDB},{KEEP_LOCAL}"),
        (StorageFormats(SQLITE, SQLITE), "--enable-features=IdbSqliteOnDiskRollout:stage/MigrateDataToSqliteGentle"),
        (StorageFormats(SQLITE, SQLITE), "--disable-features=DomStorageSqlite,IdbSqliteBackingStore"),
        (StorageFormats(SQLITE, LEVELDB), "--enable-features=Vulkan"),
    ],
)
def test_features_that_cost_nothing_are_let_through(formats: StorageFormats, extra: str) -> None:
    chosen = features(formats, extra)
    assert (KEEP_IDB in chosen.enabled) == (formats.indexed_db is SQLITE)
    assert (KEEP_LOCAL in chosen.enabled) == (formats.local_storage is SQLITE)


def test_a_new_profile_becomes_what_a_person_asks_for() -> None:
    chosen = features(NO_STORES, f"--enable-features={KEEP_IDB}")
    assert KEEP_IDB in chosen.enabled
    assert "IdbSqliteOnDiskRollout" not in chosen.disabled
    assert set(chosen.disabled) >= LOCAL


def test_the_lists_of_a_person_and_ours_become_one_and_the_person_wins() -> None:
    """Chromium takes the last of two equal switches, and of a feature that stands in both lists the disabled one."""
    chosen = features(
        NO_STORES, "--enable-features=MediaRouter,Vulkan", "--disable-features=Foo", "--disable-features=Bar"
    )
    assert {"MediaRouter", "Vulkan"} <= set(chosen.enabled)
    assert "MediaRouter" not in chosen.disabled
    assert {"Foo", "Bar", "Translate", "WebUIOmniboxPopup"} <= set(chosen.disabled)


def test_a_browser_that_would_lose_a_store_is_never_started() -> None:
    for formats in (StorageFormats(SQLITE, LEVELDB), StorageFormats(ABSENT, SQLITE)):
        with pytest.raises(BrowserTooOld):
            features(formats, version="155.0.1.2")
    features(StorageFormats(LEVELDB, LEVELDB), version="99.0.1.2")
    for formats in (StorageFormats(UNKNOWN, LEVELDB), StorageFormats(LEVELDB, UNKNOWN)):
        with pytest.raises(UnknownFormat):
            features(formats)


@pytest.mark.parametrize(
    "name",
    [
        "incognito",
        "guest",
        "bwsi",
        "profile-directory",
        "user-data-dir",
        "remote-debugging-port",
        "remote-debugging-pipe",
    ],
)
@pytest.mark.parametrize("dashes", ["-", "--"])
@pytest.mark.parametrize("value", ["", "=x"])
def test_arguments_that_take_the_profile_away_are_refused(name: str, dashes: str, value: str) -> None:
    with pytest.raises(Misused):
        extra_arguments(f"--lang=de {dashes}{name}{value}")


@pytest.mark.parametrize("text", ["--", "-", "loose", "--=x", "'open"])
def test_what_is_no_argument_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        extra_arguments(text)


def test_one_dash_is_as_good_as_two() -> None:
    assert extra_arguments("-lang=de --proxy-server=x:1") == ["--lang=de", "--proxy-server=x:1"]
