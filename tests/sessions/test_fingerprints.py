"""What need not be read again, and what must be."""

from __future__ import annotations

import json
import os

import pytest

from linda_cli import Store
from linda_cli.errors import ProfileDamaged
from linda_cli.sessions import fingerprints
from tests.linda import NUMBER, World, flip


@pytest.fixture
def store(linked: World, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that trusts what it has read a moment ago, not only some seconds ago."""
    monkeypatch.setattr(fingerprints, "_FINE_NS", 0)
    monkeypatch.setattr(fingerprints, "_COARSE_NS", 0)
    return Store(linked.inner)


def test_a_log_that_has_settled_is_not_read_again_by_the_next_backup(store: Store) -> None:
    assert not store.backup(NUMBER).is_new
    remembered = json.loads(store.home.hash_memory(NUMBER).read_text())
    assert any(path.endswith(".log") for path in remembered)
    assert not store.backup(NUMBER).is_new


def test_a_log_that_was_changed_in_place_is_read_again_though_its_time_was_put_back(store: Store) -> None:
    store.backup(NUMBER)
    logs = (store.profile(NUMBER) / "Default" / "Local Storage" / "leveldb").glob("*.log")
    log = max(logs, key=lambda one: one.stat().st_size)
    before = log.stat()
    flip(log)
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(ProfileDamaged):
        store.backup(NUMBER)


def test_what_was_written_a_moment_ago_is_not_trusted(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # A moment is thirty milliseconds, which a busy machine may spend anywhere.
    monkeypatch.setattr(fingerprints, "_FINE_NS", 10**12)
    store = Store(linked.inner)
    for log in store.profile(NUMBER).rglob("*.log"):
        os.utime(log)
    store.backup(NUMBER)
    memory = store.home.hash_memory(NUMBER)
    assert not memory.exists() or not any(path.endswith(".log") for path in json.loads(memory.read_text()))
