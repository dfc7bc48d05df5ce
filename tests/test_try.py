"""``linda try``: the whole promise before one's eyes, and nothing left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.linda import COMMAND, Linda

pytestmark = pytest.mark.browser


@pytest.fixture
def folder() -> Iterator[Path]:
    """Chromium makes a socket below TMPDIR, and a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        yield Path(name)


def left(folder: Path) -> list[str]:
    """What is left of a trial: files, and processes that name its folder."""
    named = [
        process.info["cmdline"][0]
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and f"{folder}/linda-try-" in " ".join(process.info["cmdline"])
    ]
    return [*named, *(one.name for one in folder.iterdir() if one.name.startswith("linda-try-"))]


def test_it_links_is_killed_and_comes_back_with_one_code(linda: Linda, folder: Path) -> None:
    told = linda.json("try", TMPDIR=str(folder))
    steps = {one["name"]: one["source"] for one in told["steps"]}
    assert steps == {
        "link": "qr",
        "message": None,
        "restart after the kill": "profile",
        "restart from the backup": "backup",
        "stop": None,
    }
    assert told["codes"] == 1
    assert told["seconds"] < 60
    assert left(folder) == []
    assert not linda.home.exists()


def test_ended_in_the_middle_it_leaves_nothing_either(linda: Linda, folder: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "try"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "is loading" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    assert process.wait(60) == 130
    deadline = time.monotonic() + 10
    while left(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left(folder) == []
