"""What goes up and what goes away, as a table: no store, no disk."""

from __future__ import annotations

import pytest

from linda_cli.object_store.plan import BLOCK_AGE, LocalBackup, old_blocks, sync_plan
from linda_cli.object_store.record import RecordName
from linda_cli.sessions.retention import Policy

NOW = 1_764_000_000_000
HOUR = 3_600_000


def at(hours: float, *flags: str) -> RecordName:
    """A backup made so many hours ago; ``l``: it has a label, ``v``: it is verified."""
    return RecordName(NOW - round(hours * HOUR), "l" in flags, "v" in flags)


def here(*names: RecordName, valid: bool = True) -> list[LocalBackup]:
    return [LocalBackup(f"backup-971505760056-{name.ms}", name, valid) for name in names]


ROWS: list[tuple[str, list[LocalBackup], list[RecordName], list[RecordName], list[RecordName], list[RecordName]]] = [
    ("nothing anywhere", [], [], [], [], []),
    ("all of an empty store goes up, newest first", here(at(1), at(3)), [], [], [at(1), at(3)], []),
    ("what is there stays there", here(at(1)), [at(1)], [], [], []),
    ("what was verified since takes the place of its record", here(at(1, "v")), [at(1)], [], [at(1, "v")], [at(1)]),
    ("and after an interruption the older record goes", here(at(1, "v")), [at(1), at(1, "v")], [], [], [at(1)]),
    ("a label is such a change too", here(at(1, "l")), [at(1)], [], [at(1, "l")], [at(1)]),
    ("what only the store has stays within the age", [], [at(1), at(100)], [], [], []),
    ("and goes past it", here(at(1)), [at(1), at(200)], [], [], [at(200)]),
    ("never the newest verified", here(at(1)), [at(1), at(300, "v"), at(200)], [], [], [at(200)]),
    ("nor one with a label", here(at(1)), [at(1), at(300, "l")], [], [], []),
    ("the last one stays however old it is", [], [at(300)], [], [], []),
    ("at most five stay of both together", here(at(1)), [at(n) for n in (2, 4, 8, 16, 32)], [], [at(1)], [at(4)]),
    ("a damaged one does not go up", here(at(1), valid=False), [at(3)], [], [], []),
    ("what is not whole in the store goes up again", here(at(1)), [at(1)], [at(1)], [at(1)], []),
    ("and cannot stand for the newest", [], [at(1), at(300)], [at(1)], [], []),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_store_gets_what_retention_keeps(
    row: tuple[str, list[LocalBackup], list[RecordName], list[RecordName], list[RecordName], list[RecordName]],
) -> None:
    _, local, there, broken, upload, remove = row
    plan = sync_plan(local, there, Policy(), NOW, broken)
    assert [one.of for one in plan.upload] == upload
    assert list(plan.remove) == sorted(remove, key=str)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_second_upload_has_nothing_to_do(
    row: tuple[str, list[LocalBackup], list[RecordName], list[RecordName], list[RecordName], list[RecordName]],
) -> None:
    _, local, there, broken, *_ = row
    done = sync_plan(local, there, Policy(), NOW, broken)
    after = {*(one.of for one in done.upload), *there} - {*done.remove}
    again = sync_plan(local, after, Policy(), NOW, set(broken) - {one.of for one in done.upload})
    assert (again.upload, again.remove) == ((), ())


@pytest.mark.parametrize("text", ["1764000000000", "1764000000000-l", "1764000000000-v", "1764000000000-l-v"])
def test_the_name_of_a_record_reads_back(text: str) -> None:
    assert str(RecordName.parse(text)) == text


@pytest.mark.parametrize("text", ["", "x", "1764-v-l", "1764000000000-x", "-1", "9" * 15, "1764000000000.json"])
def test_any_other_name_is_none_of_ours(text: str) -> None:
    assert RecordName.parse(text) is None


def test_a_block_goes_when_no_backup_needs_it_and_it_is_a_day_old() -> None:
    blocks = [("needed", 0.0), ("old", 0.0), ("new", 100.0)]
    assert old_blocks(blocks, frozenset({"needed"}), BLOCK_AGE + 50) == ["old"]
