"""How fast a question about a session is answered."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.rows import Row, side_by_side, timed
from benchmarks.scene import LINDA, NUMBER, Scene


def rows(there: Scene) -> list[Row]:
    """Rows of ``info``."""
    return [
        side_by_side(
            "`linda info NUMBER`, whole process",
            '`python -c "import typer, rich.table"`',
            1.5,
            timed(lambda: run([*LINDA, "--home", str(there.inner), "info", NUMBER])),
            timed(lambda: run([sys.executable, "-c", "import typer, rich.table"])),
        ),
        side_by_side(
            "`linda doctor`, whole process, all checks",
            "the 2 s that it may take",
            1.0,
            timed(lambda: run([*LINDA, "--home", str(there.inner), "doctor"], check=False)),
            lambda: 2.0,
        ),
    ]


def run(command: list[str], *, check: bool = True) -> None:
    subprocess.run(command, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
