"""Our reader sees in a LevelDB folder what LevelDB itself sees, and never falls over what it finds."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import plyvel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linda_cli.sessions.storage.damage import Damage
from linda_cli.sessions.storage.leveldb import database

BYTEWISE = b"leveldb.BytewiseComparator"
KEYS = st.binary(min_size=0, max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.binary(max_size=3000)),
        st.tuples(st.just("put"), KEYS, st.integers(1, 90_000).map(lambda size: bytes([size % 256]) * size)),
        st.tuples(st.just("delete"), KEYS, st.just(b"")),
        st.tuples(st.just("reopen"), st.just(b""), st.just(b"")),
        st.tuples(st.just("compact"), st.just(b""), st.just(b"")),
    ),
    max_size=30,
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def _open(folder: Path) -> plyvel.DB:
    return plyvel.DB(str(folder), create_if_missing=True, write_buffer_size=70_000, max_file_size=1 << 20)


def _grown(folder: Path, seed: int, count: int = 400) -> dict[bytes, bytes]:
    """A database with tables on some levels, deletions, and a log."""
    chance = random.Random(seed)
    truth: dict[bytes, bytes] = {}
    for _ in range(3):
        db = _open(folder)
        for _ in range(count):
            key = b"key%d" % chance.randrange(300)
            if chance.random() < 0.2:
                db.delete(key)
                truth.pop(key, None)
            else:
                value = chance.randbytes(chance.randrange(600))
                db.put(key, value)
                truth[key] = value
        db.close()
    return truth


@QUICK
@given(steps=STEPS)
def test_every_value_is_the_one_leveldb_gives(steps: list[tuple[str, bytes, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "db")
        db = _open(folder)
        keys = {b"never written"}
        for what, key, value in steps:
            keys.add(key)
            if what == "put":
                db.put(key, value)
            elif what == "delete":
                db.delete(key)
            elif what == "reopen":
                db.close()
                db = _open(folder)
            else:
                db.compact_range()
        expected = {key: db.get(key) for key in keys}
        # once beside the open database, once after it was closed
        assert database.read(folder, keys) == expected
        db.close()
        assert database.read(folder, keys) == expected
        assert database.salvage(folder, keys) == expected
        for deep in (False, True):
            found = database.inspect(folder, comparator=BYTEWISE, deep=deep)
            assert found.ok, found.detail
            assert found.repairs == ()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grown") / "db"
    _grown(folder, 1)
    return folder


def test_looking_changes_nothing(grown: Path) -> None:
    def state() -> dict[str, tuple[int, int, bytes]]:
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()) for path in grown.iterdir()}

    before = state(), grown.stat().st_mtime_ns
    assert database.inspect(grown, comparator=BYTEWISE, deep=True).repairs == ()
    database.get(grown, b"key1")
    assert (state(), grown.stat().st_mtime_ns) == before


def test_a_log_torn_at_any_byte_is_no_damage_and_keeps_what_was_whole(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    db = _open(folder)
    for at in range(12):
        db.put(b"k%d" % at, bytes([at]) * 40)
    db.close()
    log = next(folder.glob("*.log"))
    whole = log.read_bytes()
    seen = 0
    for size in range(len(whole) + 1):
        log.write_bytes(whole[:size])
        assert database.inspect(folder, comparator=BYTEWISE).ok, size
        now = sum(value is not None for value in database.read(folder, [b"k%d" % at for at in range(12)]).values())
        assert now >= seen
        seen = now
    assert seen == 12


def test_a_flipped_byte_anywhere_in_a_log_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    db = _open(folder)
    for at in range(12):
        db.put(b"k%d" % at, bytes([at]) * 40)
    db.close()
    log = next(folder.glob("*.log"))
    whole = log.read_bytes()
    last = len(whole) // 12 * 11
    for at in range(last):
        log.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert not database.inspect(folder, comparator=BYTEWISE).ok, at


@QUICK
@given(seed=st.integers(0, 2**32))
def test_random_corruption_never_crashes(grown: Path, seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "db")
        shutil.copytree(grown, folder)
        for _ in range(chance.randint(1, 4)):
            victim = chance.choice(sorted(folder.iterdir()))
            data = bytearray(victim.read_bytes())
            at = chance.randrange(len(data) + 1)
            size = chance.randrange(1, 200)
            data[at : at + size] = chance.choice([b"", chance.randbytes(size), b"\0" * size, b"\xff" * size])
            victim.write_bytes(data)
        for deep in (False, True):
            found = database.inspect(folder, comparator=BYTEWISE, deep=deep)
            assert found.detail.isprintable()
        database.salvage(folder, [b"key1", b"key299"])
        try:
            database.read(folder, [b"key1", b"key299"])
        except Damage as damage:
            assert damage.detail.isprintable()


@pytest.mark.parametrize("compressed", [True, False])
def test_every_flipped_byte_in_a_table_is_told_by_the_deep_look(tmp_path: Path, compressed: bool) -> None:
    folder = tmp_path / "db"
    db = plyvel.DB(
        str(folder), create_if_missing=True, compression="snappy" if compressed else None, bloom_filter_bits=10
    )
    for at in range(60):
        db.put(b"k%d" % at, bytes([at]) * 40)
    db.compact_range()
    db.close()
    table = next(folder.glob("*.ldb"))
    whole = table.read_bytes()
    for at in range(len(whole) - 48):
        table.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        assert not database.inspect(folder, comparator=BYTEWISE, deep=True).ok, at
