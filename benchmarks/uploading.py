"""Backups going to an object store, beside restic with the same store: rclone's S3 on loopback."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, side_by_side
from benchmarks.scene import NUMBER
from chaos.homes import home_at, make_sqlite_profile, store_of
from linda_cli.object_store.settings import new_key
from linda_cli.sessions.storage.paths import IDB_SQLITE
from tests.object_store import places

_MEGABYTES = 42


def rows() -> list[Row]:
    """Rows of a first upload and of one after a small change; none where restic is not installed."""
    if shutil.which("restic") is None:
        print("no rows of uploading: restic is not installed", flush=True)
        return []
    with tempfile.TemporaryDirectory(prefix="linda-bench-uploading-") as folder:
        os.environ["NO_PROXY"] = "127.0.0.1"
        with places.rclone(Path(folder) / "served") as place:
            return _rows(Path(folder), {**os.environ, **place.environ})


def _rows(folder: Path, environ: dict[str, str]) -> list[Row]:
    home = home_at(folder / "home")
    home.make()
    profile = home.named_profile(NUMBER)
    make_sqlite_profile(profile)
    database = min((profile / IDB_SQLITE).iterdir())
    with sqlite3.connect(database) as grown:
        grown.execute("create table if not exists filling (id integer primary key, data blob)")
        rows = ((os.urandom(65536),) for _ in range(_MEGABYTES * 16))
        grown.executemany("insert into filling (data) values (?)", rows)
    grown.close()
    store = store_of(home)
    new_key(folder / "key")
    environ |= {"LINDA_REMOTE_IDENTITY": str(folder / "key"), "RESTIC_PASSWORD": "benchmark"}
    endpoint = environ["AWS_ENDPOINT_URL"]
    turn = itertools.count()
    url = repository = ""

    def backed_up() -> None:
        store.backup(NUMBER)

    def linda() -> float:
        command = [sys.executable, "-m", "linda_cli", "--quiet", "--home", home.root, "backup", NUMBER]
        return _taken([*command, "--remote", url], environ)

    def restic() -> float:
        command = ["restic", "--no-cache", "-q", "-r", repository, "backup", profile]
        return _taken(command, environ)

    def first_linda() -> float:
        nonlocal url
        backed_up()
        url = f"s3://bucket/linda-{next(turn)}"
        return linda()

    def first_restic() -> float:
        nonlocal repository
        repository = f"s3:{endpoint}/bucket/restic-{next(turn)}"
        made = ["restic", "--no-cache", "-q", "-r", repository, "init"]
        subprocess.run(made, env=environ, check=True, stdout=subprocess.DEVNULL)
        return restic()

    def changed() -> float:
        """A message: both upload the same backup, made before and not counted."""
        with sqlite3.connect(database) as small:
            small.execute("update filling set data = ? where id = 100", (os.urandom(65536),))
        small.close()
        backed_up()
        return linda()

    return [
        side_by_side(
            f"the first upload of a login of {_MEGABYTES} MB, `linda backup --remote`, whole process",
            "`restic backup` of the same files to the same store",
            1.0,
            first_linda,
            first_restic,
        ),
        side_by_side(
            "an upload after a small change",
            "`restic backup` of the same files to the same store",
            1.0,
            changed,
            restic,
        ),
    ]


def _taken(command: list[object], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, env=environ, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
