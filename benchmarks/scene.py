"""What the measurements are made on: a stand-in without page delay, a linked home, a large login."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from linda_cli.sandbox.server import Sandbox
from linda_cli.sessions.login_files import login_files

NUMBER = "971505760056"
LINDA = [sys.executable, "-m", "linda_cli"]


class Scene:
    """A home with a stand-in, linked once. ``trial``: browser arguments that play a field trial at the linking."""

    def __init__(self, folder: Path, trial: str = "") -> None:
        self.trial = trial
        self.home = folder / "home"
        self.inner = self.home / ".sandbox"
        self.profile = self.inner / "sessions" / f"session-{NUMBER}"
        self.sandbox = Sandbox(self.inner / "stand-in")
        self.sandbox.start()
        self.link()

    def link(self) -> None:
        """Scan once."""
        with self.run("--once") as events:
            for told in events:
                if told["event"] == "qr":
                    self.sandbox.phone.scan(NUMBER)

    @contextlib.contextmanager
    def run(self, *words: str) -> Iterator[Iterator[dict[str, object]]]:
        """``linda start --sandbox``, its events as they come."""
        with subprocess.Popen(
            [*LINDA, "--home", str(self.home), "--json", "start", "--sandbox", *words],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "LINDA_CHROME_ARGS": self.trial},
        ) as process:
            assert process.stdout is not None
            yield (json.loads(line) for line in process.stdout)
            process.wait()

    def until_ready(self, *words: str) -> float:
        """Seconds from exec to the line that says ready."""
        began = time.perf_counter()
        taken = 0.0
        with self.run("--once", *words) as events:
            for told in events:
                if told["event"] == "ready":
                    taken = time.perf_counter() - began
        assert taken, "it never was ready"
        return taken

    def until_said(self, command: Sequence[str | Path]) -> float:
        """Seconds from exec until a peer prints ``ready``; the peer ends by itself."""
        began = time.perf_counter()
        taken = 0.0
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={**os.environ, **self.environ()}
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("ready"):
                    taken = time.perf_counter() - began
            process.wait()
        assert taken, f"{command[0]} never said ready"
        return taken

    def environ(self) -> dict[str, str]:
        """What a peer needs to open the same profile on the same stand-in."""
        return {
            "BENCH_PROFILE": str(self.profile),
            "BENCH_ARGS": json.dumps(self.sandbox.chrome_args),
            "BENCH_BROWSER": shutil.which("chromium") or "",
            "BENCH_DRIVER": shutil.which("chromedriver") or "",
        }

    def grow(self, megabytes: int) -> None:
        """Make the login as large as a real account's: records in an IndexedDB of the origin, until its files have
        so many megabytes. How much of them lies in a log as well as in a table for now is Chromium's to say."""
        records = 0
        while (lacking := megabytes - self.login_size / 1e6) > 0:
            more = max(1, int(lacking * (0.65 if not records else 1)))
            self._add(records, more)
            records += more

    @property
    def login_size(self) -> int:
        """Bytes of the login's files."""
        return sum((self.profile / name).stat().st_size for name in login_files(self.profile))

    def _add(self, first: int, megabytes: int) -> None:
        from selenium.webdriver.remote.webdriver import WebDriver

        import linda_cli

        with linda_cli.start(NUMBER, home=self.inner, browser_args=self.sandbox.chrome_args) as live:
            driver: WebDriver = live.driver
            driver.set_script_timeout(120)
            driver.execute_async_script(_GROW, first, megabytes)

    def end(self) -> None:
        self.sandbox.stop()


_GROW = """
const done = arguments[arguments.length - 1];
const [first, megabytes] = arguments;
const request = indexedDB.open("bulk", 1);
request.onupgradeneeded = () => request.result.createObjectStore("rows");
request.onsuccess = async () => {
  const size = 16384;
  for (let batch = first; batch < first + megabytes; batch++) {
    await new Promise((next) => {
      const write = request.result.transaction("rows", "readwrite");
      for (let index = 0; index < 64; index++) {
        write.objectStore("rows").put(crypto.getRandomValues(new Uint8Array(size)), batch * 64 + index);
      }
      write.oncomplete = next;
    });
  }
  done();
};
"""


SQLITE_TRIAL = (
    "--enable-features=IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores,"
    "DomStorageSqliteNewDatabases:DomStorageSqliteNewDatabasesStage/UseSqliteForNewDatabases"
)
"""Chromium keeps a new profile in SQLite under it, and linda keeps it so."""


@contextlib.contextmanager
def scene(trial: str = "") -> Iterator[Scene]:
    """A scene in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="linda-bench-"))
    made = Scene(folder, trial)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)
