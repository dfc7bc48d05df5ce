"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Chromium makes a socket below TMPDIR, and a socket's path must be short; pytest's folders are not."""
    with tempfile.TemporaryDirectory(prefix="linda-") as folder:
        yield Path(folder)


def test_the_demo_keeps_its_four_promises(short_folder: Path) -> None:
    """Without a terminal, as CI has it; nothing of it is left."""
    done = subprocess.run(
        [sys.executable, str(DEMO), "--fast"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    table = done.stdout.rpartition("--- what happened")[2]
    assert [line[:2] for line in table.splitlines()[1:5]] == ["ok"] * 4
    assert "is damaged (session: " in done.stderr
    assert list(short_folder.glob("linda-demo-*")) == []
