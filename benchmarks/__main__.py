"""Measure every row and write ``docs/benchmarks.md``."""

from __future__ import annotations

import compileall
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from math import isinf
from pathlib import Path

from benchmarks import linking, many, moving, network, npm, restarting, room, serving, starting, storing, uploading
from benchmarks.rows import TURNS, Row
from benchmarks.scene import SQLITE_TRIAL, scene

_REMARKS = Path(__file__).parent / "remarks.md"
_DOC = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    warm_up()
    peers = npm.peers()
    wanted = set(sys.argv[1:])
    rows: list[Row] = []
    with scene() as there:
        if not wanted or "starting" in wanted:
            rows += starting.rows(there)
        if not wanted or "restarting" in wanted:
            rows += restarting.rows(there, peers)
        if not wanted or "linking" in wanted:
            rows += linking.rows()
        if not wanted or "many" in wanted:
            rows += many.rows(there, there.home / "many")
        if not wanted or "storing" in wanted:
            rows += storing.rows(there, peers)
            # After it: on the login that it has made large.
            rows += room.rows(there)
    if not wanted or "sqlite" in wanted:
        with scene(SQLITE_TRIAL) as there:
            rows += storing.rows(there, peers)
            rows += room.rows(there)
    if not wanted or "serving" in wanted:
        rows += serving.rows(peers)
    if not wanted or "moving" in wanted:
        rows += moving.rows()
    if not wanted or "uploading" in wanted:
        rows += uploading.rows()
    if not wanted or "network" in wanted:
        rows += network.rows()
    if wanted:
        print(page(rows))
        return 0
    _DOC.write_text(page(rows))
    return 0


def warm_up() -> None:
    """Everybody's Python starts from compiled files, as an installed program does."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in {sysconfig.get_paths()["purelib"], str(Path(__file__).parent.parent / "linda_cli")}:
        compileall.compile_dir(folder, quiet=2)


def page(rows: list[Row]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Ours and its peer are measured in turns in one run, so that whatever else the",
        f"machine does falls on both; each figure is the median of {TURNS} after one turn that is not counted. What",
        "counts is the ratio: these machines are noisy. The sandbox serves the page without delay; the real one needs",
        "6-8 s by itself.",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}.",
        "",
        "| what | beside | ours | peer | ratio | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        judged = "| | |" if isinf(row.target) else f"| at most {row.target:g} | {'met' if row.met else '**missed**'} |"
        lines.append(
            f"| {row.what} | {row.beside} | {row.ours:.3f} {row.unit} | {row.peer:.3f} {row.unit} | {row.ratio:.2f} "
            + judged
        )
    return "\n".join([*lines, "", _REMARKS.read_text()])


def machine() -> str:
    """What a reader must know of it to compare."""
    browser = shutil.which("chromium") or "chromium"
    version = subprocess.run([browser, "--version"], capture_output=True, text=True, check=False).stdout.split(
        " built"
    )[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Python {sys.version.split()[0]}, {version.strip()}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
