"""Homes with many sessions and many backups, made without a browser: one login's files, each with its own number."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import linda_cli
from benchmarks.rows import Row, side_by_side, timed
from benchmarks.scene import LINDA, NUMBER, Scene
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.login import read_login
from linda_cli.sessions.login_files import DATABASE, LOCAL_STORAGE, Entry, fingerprint
from linda_cli.sessions.storage.files import opened
from linda_cli.sessions.storage.leveldb import log
from linda_cli.sessions.storage.leveldb.encoding import checksum

HOUR_MS = 3_600_000

_BLOCK = 32 * 1024
_HEADER = struct.Struct("<IHB")
# Enough of a database for a look at it to have something to do.
_ENOUGH = 8 * 1024


def home_of(there: Scene, folder: Path, sessions: int, backups: int) -> Path:
    """A home of ``sessions`` with ``backups`` each, an hour between two: every one of them restorable.

    Backups of a session share their files by hard link, as ours do; profiles share nothing with anything.
    """
    store = linda_cli.Store(there.inner)
    newest = store.home.at(store.home.stamped("backup", NUMBER)[0])
    told = json.loads((newest / "backup.json").read_text())
    small = small_login(newest)
    (folder / "sessions").mkdir(parents=True)
    cache = folder / ".session-cache"
    cache.mkdir()
    now = now_ms()
    state = {}
    for index in range(sessions):
        number = f"97150{index:07d}"
        state[number] = {"isLinked": True, "lastState": "stopped", "backupCount": backups, "createdAt": iso(now)}
        profile = folder / "sessions" / f"session-{number}"
        files = {name: renumbered(data, number) if "Local Storage" in name else data for name, data in small.items()}
        write(files, profile)
        login = read_login(profile)
        assert login is not None
        assert login.number == number
        entries = [Entry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()]
        manifest = {
            **told,
            "number": number,
            "linkedAs": number,
            "login": login.digest,
            "fingerprint": fingerprint(entries),
            "files": [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in entries],
        }
        first: Path | None = None
        for age in range(backups):
            ms = now - age * HOUR_MS
            backup = cache / f"backup-{number}-{ms}"
            if first is None:
                write(files, backup)
                first = backup
            else:
                shutil.copytree(first, backup, copy_function=os.link, ignore=shutil.ignore_patterns("backup.json"))
            (backup / "backup.json").write_text(json.dumps({**manifest, "createdAt": iso(ms)}))
    (folder / "session-state.json").write_text(json.dumps({"sessions": state}))
    return folder


def small_login(source: Path) -> dict[str, bytes]:
    """The files of a login whose database is cut to its first records: a thousand of it are made in seconds."""
    kept = {}
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if not path.is_file() or name == "backup.json" or name.startswith("Default/IndexedDB/"):
            continue
        kept[name] = path.read_bytes()
    database = source / DATABASE
    assert not list(database.glob("*.ldb")), "the login has grown: its tables would be missed"
    for path in sorted(database.iterdir()):
        data = path.read_bytes()
        kept[f"{DATABASE}/{path.name}"] = data[: whole_records(path)] if path.suffix == ".log" else data
    assert any(name.startswith(f"{LOCAL_STORAGE}/") for name in kept)
    return kept


def whole_records(path: Path) -> int:
    """Where the first record ends that goes beyond what is enough."""
    progress = log.Progress()
    with opened(path) as file:
        for _ in log.records(file, progress=progress):
            if progress.end >= _ENOUGH:
                break
    return progress.end


def renumbered(data: bytes, number: str) -> bytes:
    """A log of a database with another number of the same length in it, and the checksums that go with it."""
    old, new = NUMBER.encode(), number.encode()
    if old not in data:
        return data
    made = bytearray(data.replace(old, new))
    for start in range(0, len(made), _BLOCK):
        at, end = start, min(start + _BLOCK, len(made))
        while at + _HEADER.size <= end:
            _, length, kind = _HEADER.unpack_from(made, at)
            if not kind:
                break
            body = bytes(made[at + 6 : at + _HEADER.size + length])
            _HEADER.pack_into(made, at, checksum(body), length, kind)
            at += _HEADER.size + length
    return bytes(made)


def write(files: dict[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def rows(there: Scene, folder: Path) -> list[Row]:
    """Rows that say whether the cost grows in proportion."""
    # Logins of the stand-in belong into homes of the sandbox.
    few = home_of(there, folder / "few" / ".sandbox", 100, 10)
    many = home_of(there, folder / "many" / ".sandbox", 1000, 10)
    made = [
        side_by_side(
            "`linda info` over 1,000 sessions with 10,000 backups",
            "over 100 with 1,000",
            11,
            timed(lambda: run([*LINDA, "--home", str(many), "info"])),
            timed(lambda: run([*LINDA, "--home", str(few), "info"])),
        ),
        side_by_side(
            "`linda cleanup --dry-run` over 10,000 backups",
            "`find` listing the same tree",
            5,
            timed(lambda: run([*LINDA, "--home", str(many), "cleanup", "--dry-run"])),
            timed(lambda: run(["find", str(many / ".session-cache"), "-type", "f", "-size", "+0"])),
        ),
    ]
    # Without backups that retention would take in the first turn and not in the others.
    few_alone = home_of(there, folder / "few-alone" / ".sandbox", 100, 1)
    many_alone = home_of(there, folder / "many-alone" / ".sandbox", 1000, 1)
    made.append(
        side_by_side(
            "`linda backup --all` over 1,000 sessions, nothing changed",
            "over 100",
            11,
            timed(lambda: run([*LINDA, "--home", str(many_alone), "backup", "--all"])),
            timed(lambda: run([*LINDA, "--home", str(few_alone), "backup", "--all"])),
        )
    )
    return made


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr)
