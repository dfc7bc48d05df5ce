"""Chromium's feature switches: merged to one list each, and chosen so that a profile keeps the format that it has.

Measured with Chromium 156 (docs/chromium.md): with the wrong features a start deletes an IndexedDB, or ignores a
localStorage, that is kept in the other format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from linda_cli.errors import Misused
from linda_cli.storage_format import StorageFormat, StorageFormats


@dataclass(frozen=True, slots=True)
class _StoreFeatures:
    """The features of one store. ``staged`` is the one that keeps a store of either kind where its stage is ``keeps``.

    ``moves``: enabled, they drop or move a LevelDB store. Disabling them harms no SQLite store.
    """

    called: str
    staged: str
    parameter: str
    keeps: str
    moves: tuple[str, ...]

    @property
    def kept_by(self) -> str:
        return f"{self.staged}:{self.parameter}/{self.keeps}"

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.moves, self.staged)


_INDEXED_DB = _StoreFeatures(
    "IndexedDB", "IdbSqliteOnDiskRollout", "stage", "UseSqliteForNewStores", ("IdbSqliteBackingStore",)
)
_LOCAL_STORAGE = _StoreFeatures(
    "localStorage",
    "DomStorageSqliteNewDatabases",
    "DomStorageSqliteNewDatabasesStage",
    "UseSqliteForNewDatabases",
    ("DomStorageSqlite", "DomStorageSqliteMigration"),
)

# "Feature<Study.Group:parameter/value", with a * in front where a trial goes before the command line
_FEATURE = re.compile(r"\*?([^<.:*]+)")


@dataclass(frozen=True, slots=True)
class Features:
    """What is to be switched on and off, in order; of two equal names Chromium takes the first."""

    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: Iterable[str]) -> Features:
        """What ``--enable-features`` and ``--disable-features`` among these arguments say, all of them together."""
        found: dict[str, list[str]] = {"enable-features": [], "disable-features": []}
        for argument in arguments:
            name, _, value = argument.lstrip("-").partition("=")
            if name in found:
                found[name] += [one.strip() for one in value.split(",") if one.strip()]
        return cls(tuple(found["enable-features"]), tuple(found["disable-features"]))

    def arguments(self) -> list[str]:
        """At most one switch of each kind: Chromium takes the last of two and forgets the first."""
        lists = {"--enable-features": self.enabled, "--disable-features": self.disabled}
        return [f"{name}={','.join(dict.fromkeys(ones))}" for name, ones in lists.items() if ones]


def is_feature_switch(argument: str) -> bool:
    """Whether an argument is one of the two switches, with one dash or two."""
    return argument.lstrip("-").partition("=")[0] in ("enable-features", "disable-features")


def merged(ours: Features, extra: Features, formats: StorageFormats) -> Features:
    """Our features and a person's, who wins but where a store would be lost. Raises ``Misused`` there.

    For a store that is not there yet the person's word counts, else it becomes LevelDB.
    """
    refuse_dropping(extra, formats)
    keeping = _keeping(formats, {_name(one) for one in (*extra.enabled, *extra.disabled)})
    settled = {_name(one) for one in (*keeping.enabled, *keeping.disabled)}
    chosen = {_name(one): one for one in extra.enabled}
    refused = {_name(one): one for one in extra.disabled}
    enabled = [one for one in ours.enabled if _name(one) not in refused]
    disabled = [one for one in ours.disabled if _name(one) not in chosen]
    return Features(
        (*keeping.enabled, *enabled, *_others(extra.enabled, settled)),
        (*keeping.disabled, *disabled, *_others(extra.disabled, settled)),
    )


def _others(named: Sequence[str], settled: set[str]) -> list[str]:
    return [one for one in named if _name(one) not in settled]


def _keeping(formats: StorageFormats, named: set[str]) -> Features:
    enabled: list[str] = []
    disabled: list[str] = []
    for store, there in _of_each(formats):
        if there is StorageFormat.SQLITE:
            enabled.append(store.kept_by)
        elif there is StorageFormat.LEVELDB:
            disabled += store.all
        else:
            disabled += [one for one in store.all if one not in named]
    return Features(tuple(enabled), tuple(disabled))


def refuse_dropping(extra: Features, formats: StorageFormats) -> None:
    """Raise ``Misused`` where features that a person named would make Chromium drop a store that is there."""
    for store, there in _of_each(formats):
        wrong = _dropping(extra, store, there)
        if wrong is not None:
            raise Misused(
                f"LINDA_CHROME_ARGS: with {wrong} Chromium would drop the {store.called} of this profile, "
                f"which is {there.value}",
                "unset LINDA_CHROME_ARGS",
            )


def _dropping(extra: Features, store: _StoreFeatures, there: StorageFormat) -> str | None:
    """The argument that would, as it was written."""
    if there not in (StorageFormat.LEVELDB, StorageFormat.SQLITE):
        return None
    sqlite = there is StorageFormat.SQLITE
    for one in extra.disabled:
        if sqlite and _name(one) == store.staged:
            return f"--disable-features={one}"
    for one in extra.enabled:
        if _name(one) == store.staged and not _is_harmless(one, store, sqlite):
            return f"--enable-features={one}"
        if not sqlite and _name(one) in store.moves:
            return f"--enable-features={one}"
    return None


def _is_harmless(feature: str, store: _StoreFeatures, sqlite: bool) -> bool:
    """Whether the staged feature is at a stage that keeps what is there; a stage that is not known keeps nothing."""
    _, colon, rest = feature.partition(":")
    words = rest.split("/") if colon else []
    stages: Mapping[str, str] = dict(zip(words[::2], words[1::2], strict=False))
    stage = stages.get(store.parameter)
    if "<" in feature or "*" in feature:
        return False
    if sqlite:
        # A stage that moves LevelDB stores is one in which SQLite is kept.
        return stage == store.keeps or (stage or "").startswith("Migrate")
    # Without a stage it does nothing; the other stages move what is there.
    return stage in (None, store.keeps)


def _of_each(formats: StorageFormats) -> tuple[tuple[_StoreFeatures, StorageFormat], ...]:
    return (_INDEXED_DB, formats.indexed_db), (_LOCAL_STORAGE, formats.local_storage)


def _name(feature: str) -> str:
    match = _FEATURE.match(feature)
    return match[1] if match else feature
