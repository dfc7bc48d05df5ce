"""How long a developer waits: the browser alive, the browser cold, the bot alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.rows import Row, side_by_side
from benchmarks.scene import LINDA, NUMBER, Scene

_PEERS = Path(__file__).parent / "peers"
_SELENIUM = [sys.executable, str(_PEERS / "bare_selenium.py")]


def rows(there: Scene, peers: Path | None) -> list[Row]:
    """Rows of every kind of restart, and of what stays in memory."""
    other = Scene(Path(tempfile.mkdtemp(prefix="linda-bench-")))
    try:
        other.until_ready("--keep-browser")
        made = [
            side_by_side(
                "restart with the browser alive, exec of `linda start --once --keep-browser` to ready",
                "a bare Selenium script launching a browser on the same kind of profile to the same rule for ready",
                0.5,
                lambda: other.until_ready("--keep-browser"),
                lambda: there.until_said(_SELENIUM),
            )
        ]
        subprocess.run([*LINDA, "--home", str(other.inner), "--quiet", "stop", NUMBER], check=True)
        made.append(
            side_by_side(
                "restart cold, exec of `linda start --once` to ready",
                "the same Selenium script",
                1.0,
                there.until_ready,
                lambda: there.until_said(_SELENIUM),
            )
        )
        if peers is not None:
            os.environ["BENCH_NPM"] = str(peers)
            made.append(
                side_by_side(
                    "restart cold, exec of `linda start --once` to ready",
                    "puppeteer-core, node's start included",
                    1.2,
                    there.until_ready,
                    lambda: there.until_said(["node", _PEERS / "bare_puppeteer.js"]),
                )
            )
            made.append(watched(there, other, peers))
        made.append(memory(there, other))
        return made
    finally:
        other.end()
        shutil.rmtree(other.home.parent, ignore_errors=True)


class Said:
    """A process whose lines are waited for."""

    def __init__(self, command: Sequence[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environ},
        )

    def wait_for(self, holds: Callable[[str], bool]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if holds(line):
                return
        raise AssertionError(f"{self.process.args!r} ended")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def watched(there: Scene, other: Scene, peers: Path) -> Row:
    """A file is saved: until the bot says that it is ready again."""
    folder = Path(tempfile.mkdtemp(prefix="linda-bench-"))
    ours, theirs = folder / "ours.py", folder / "theirs.py"
    shutil.copy(_PEERS / "attached_bot.py", ours)
    shutil.copy(_PEERS / "bare_selenium.py", theirs)
    words = ["--watch", str(ours), "--", sys.executable, str(ours)]
    linda = Said([*LINDA, "--home", str(other.home), "start", "--sandbox", NUMBER, *words], other.environ())
    nodemon = Said(
        [
            "node",
            str(peers / "node_modules/nodemon/bin/nodemon.js"),
            "--signal",
            "SIGTERM",
            "--watch",
            str(theirs),
            "--ext",
            "py",
            "--exec",
            f"exec {sys.executable} {theirs}",
        ],
        {**there.environ(), "BENCH_STAY": "1"},
    )

    def saved(path: Path, process: Said, line: str) -> float:
        began = time.perf_counter()
        os.utime(path)
        process.wait_for(lambda said: said.startswith(line))
        return time.perf_counter() - began

    try:
        linda.wait_for(lambda line: line.startswith("bot | ready"))
        nodemon.wait_for(lambda line: line.startswith("ready"))
        return side_by_side(
            "a bot restarted under `linda start --watch`, file saved to bot attached and ready",
            "nodemon with a bare Selenium bot, file saved to bot ready",
            0.3,
            lambda: saved(ours, linda, "bot | ready"),
            lambda: saved(theirs, nodemon, "ready"),
        )
    finally:
        linda.end()
        nodemon.end()
        shutil.rmtree(folder, ignore_errors=True)


def memory(there: Scene, other: Scene) -> Row:
    """Megabytes of the process itself, browser and driver not counted."""

    def resident(process: Said, line: str) -> float:
        process.wait_for(lambda said: line in said)
        taken = psutil.Process(process.process.pid).memory_info().rss / 1e6
        process.end()
        return taken

    def linda() -> float:
        command = [*LINDA, "--home", str(other.home), "--json", "start", "--sandbox", NUMBER]
        return resident(Said(command, {}), '"event": "saved"')

    def selenium() -> float:
        return resident(Said(_SELENIUM, {**there.environ(), "BENCH_STAY": "1"}), "ready")

    return side_by_side(
        "resident memory of linda while ready", "of the bare Selenium script", 1.2, linda, selenium, unit="MB"
    )
