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
    ]


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
