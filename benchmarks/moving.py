"""A large login out of one home and into another, beside the plain programs that carry the same bytes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, side_by_side
from benchmarks.scene import NUMBER
from chaos.homes import DATABASE, make_profile
from linda_cli.sessions.login_files import login_files

_MEGABYTES = 300
_TURNS = 3
"""Each writes a gigabyte."""


def rows() -> list[Row]:
    """Rows of an export and an import; none where ``age`` is not installed."""
    if shutil.which("age") is None:
        print("no rows of moving: age is not installed", flush=True)
        return []
    with tempfile.TemporaryDirectory(prefix="linda-bench-moving-") as folder:
        return _rows(Path(folder))


def _rows(folder: Path) -> list[Row]:
    profile = folder / "home" / "sessions" / f"session-{NUMBER}"
    make_profile(profile)
    blobs = profile / DATABASE.with_suffix(".blob") / "1" / "00"
    blobs.mkdir(parents=True)
    for index in range(_MEGABYTES // 10):
        (blobs / f"{index:x}").write_bytes(os.urandom(10 << 20))
    key, file, peer = folder / "key.txt", folder / "login.age", folder / "peer.age"
    said = subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True, text=True).stderr
    public = said.split()[-1]
    names = "\0".join(login_files(profile))
    linda = [sys.executable, "-m", "linda_cli", "--quiet", "--home"]
    subprocess.run([*linda, folder / "home", "backup"], check=True, stdout=subprocess.DEVNULL)

    def exported() -> float:
        file.unlink(missing_ok=True)
        return _taken([*linda, folder / "home", "export", "-o", file, "--recipient", public])

    def sealed() -> float:
        tar = f"tar -C {shlex.quote(str(profile))} -c --null -T - | age -r {public} -o {shlex.quote(str(peer))}"
        return _taken(["sh", "-c", f"{tar} && sync {shlex.quote(str(peer))}"], names)

    def imported() -> float:
        shutil.rmtree(folder / "other", ignore_errors=True)
        return _taken([*linda, folder / "other", "import", file, "--identity", key])

    def unsealed() -> float:
        shutil.rmtree(folder / "plain", ignore_errors=True)
        (folder / "plain").mkdir()
        return _taken(["sh", "-c", f"age -d -i {key} {peer} | tar -C {folder / 'plain'} -x"])

    return [
        side_by_side(
            f"`linda export` of {_MEGABYTES} MB, whole process, read again to its last byte",
            "`tar | age` of the same files, synced",
            float("inf"),
            exported,
            sealed,
            turns=_TURNS,
        ),
        side_by_side(
            "`linda import` of it: a backup and a profile, every block checked, all of it synced",
            "`age -d | tar -x`, one copy, neither checked nor synced",
            float("inf"),
            imported,
            unsealed,
            turns=_TURNS,
        ),
    ]


def _taken(command: list[object], given: str = "") -> float:
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, input=given, text=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
