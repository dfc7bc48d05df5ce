"""Homes with many sessions and many backups, made without a browser: a login's files copied under other numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import linda_cli
from benchmarks.rows import Row, side_by_side, timed
from benchmarks.scene import LINDA, NUMBER, Scene
from linda_cli.sessions.clock import iso, now_ms

HOUR_MS = 3_600_000


def home_of(there: Scene, folder: Path, sessions: int, backups: int) -> Path:
    """A home of ``sessions`` with ``backups`` each, an hour between two.

    The files are hard links of one login: looking at them costs what it costs anyway, and they are made in seconds.
    """
    store = linda_cli.Store(there.inner)
    newest = store.home.at(store.home.stamped("backup", NUMBER)[0])
    manifest = json.loads((newest / "backup.json").read_text())
    (folder / "sessions").mkdir(parents=True)
    cache = folder / ".session-cache"
    cache.mkdir()
    now = now_ms()
    state = {}
    for index in range(sessions):
        number = f"97150{index:07d}"
        state[number] = {"isLinked": True, "lastState": "stopped", "backupCount": backups, "createdAt": iso(now)}
        profile = folder / "sessions" / f"session-{number}"
        linked(newest, profile)
        for age in range(backups):
            ms = now - age * HOUR_MS
            backup = cache / f"backup-{number}-{ms}"
            linked(newest, backup)
            told = {**manifest, "number": number, "createdAt": iso(ms), "linkedAs": number}
            (backup / "backup.json").write_text(json.dumps(told))
    (folder / "session-state.json").write_text(json.dumps({"sessions": state}))
    return folder


def linked(source: Path, target: Path) -> None:
    """``cp -al`` without ``backup.json``."""
    shutil.copytree(source, target, copy_function=os.link, ignore=shutil.ignore_patterns("backup.json"))


def rows(there: Scene, folder: Path) -> list[Row]:
    """Rows that say whether the cost grows in proportion."""
    few = home_of(there, folder / "few", 100, 10)
    many = home_of(there, folder / "many", 1000, 10)
    return [
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


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr)
