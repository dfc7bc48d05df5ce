"""How light a run is while nothing happens: CPU and memory of linda's own process over some minutes of ready."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.day import NUMBER, link
from linda_cli.sandbox.server import Sandbox


@dataclass(frozen=True, slots=True)
class Lightness:
    """``cpu_percent`` of one core; memory resident, in MB; ``driver_mb`` is ChromeDriver's, beside it."""

    seconds: float
    cpu_percent: float
    memory_mb: float
    driver_mb: float


def run(seconds: float) -> Lightness:
    """Stay ready for ``seconds`` and measure."""
    home = Path(tempfile.mkdtemp(prefix="linda-light-")) / ".sandbox"
    sandbox = Sandbox(home / "stand-in")
    sandbox.start()
    try:
        link(home)
        command = [
            sys.executable,
            "-m",
            "linda_cli",
            "--home",
            str(home.parent),
            "--json",
            "start",
            "--sandbox",
            NUMBER,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if '"saved"' in line:
                    break
            own = psutil.Process(process.pid)
            before = sum(own.cpu_times()[:2])
            time.sleep(seconds)
            used = sum(own.cpu_times()[:2]) - before
            memory = own.memory_info().rss / 1e6
            driver = sum(one.memory_info().rss for one in own.children() if "chromedriver" in one.name()) / 1e6
            process.terminate()
            process.wait(60)
        return Lightness(seconds, round(100 * used / seconds, 3), round(memory, 1), round(driver, 1))
    finally:
        sandbox.stop()
        shutil.rmtree(home.parent, ignore_errors=True)


if __name__ == "__main__":
    print(run(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0))
