"""The command line as a user has it: a process with a home, its answers and its events."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools
from linda_cli.browser.strays import drivers
from linda_cli.sandbox.phone import Phone
from linda_cli.sandbox.server import Sandbox
from linda_cli.whatsapp.page import URL

NUMBER = "971505760056"
COMMAND = [sys.executable, "-m", "linda_cli"]

Event = dict[str, Any]

DRIVERS = ("chromedriver", "undetected")
"""How the processes of both engines are called."""

ENGINE: list[str] = []
"""What every ``linda start`` of the tests gets that names no engine itself: ``pytest --engine undetected``."""


def driven_by(words: Sequence[str]) -> list[str]:
    """``--engine``, where the tests were asked to run on another and the test itself names none."""
    return ENGINE if "--engine" not in words else []


@dataclass(frozen=True, slots=True)
class Result:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its answer, where it was asked for JSON."""
        told: dict[str, Any] = json.loads(self.out)
        assert told["version"] == 1
        return told


class Linda:
    """``linda`` with a home. ``run`` waits for the end, ``start`` gives a run to follow."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        self.environ = environ

    def run(self, *words: str, timeout: float = 60, home: bool = True, **environ: str) -> Result:
        """Run a command to its end, without a terminal."""
        done = subprocess.run(
            [*COMMAND, *(("--home", str(self.home)) if home else ()), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environ, **environ},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str, **environ: str) -> dict[str, Any]:
        """The JSON answer of a command that must do well."""
        done = self.run(*words, "--json", **environ)
        assert done.code == 0, (words, done)
        return done.json

    def start(self, *words: str, **environ: str) -> Started:
        """``linda start --json …`` as a process whose events can be waited for."""
        command = [*COMMAND, "--home", str(self.home), "--json", "start", *driven_by(words), *words]
        return Started(command, {**os.environ, **self.environ, **environ})

    def info(self, number: str = NUMBER, *words: str) -> dict[str, Any]:
        """``linda info NUMBER --json``."""
        return self.json("info", number, *words)


class SandboxLinda(Linda):
    """``linda`` whose runs go to the stand-in, and whose other commands look at the sandbox's home."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / ".sandbox")
        self.outer = home

    def start(self, *words: str, **environ: str) -> Started:
        before, dashes, after = list(words), [], []
        if "--" in words:
            cut = words.index("--")
            before, dashes, after = list(words[:cut]), ["--"], list(words[cut + 1 :])
        chosen = ["--sandbox", *driven_by(words), *before]
        command = [*COMMAND, "--home", str(self.outer), "--json", "start", *chosen, *dashes, *after]
        return Started(command, {**os.environ, **self.environ, **environ})


class Started:
    """A ``linda start`` that runs; leaving the block ends it, with whatever it started."""

    def __init__(self, command: list[str], environ: dict[str, str], stdin: int = subprocess.DEVNULL) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            start_new_session=True,
        )
        self.events: list[Event] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            with self._changed:
                self.events.append(told)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for reader in self._readers:
            reader.join(5)

    def wait_for(self, name: str, *, count: int = 1, timeout: float = 60, **facts: Any) -> Event:
        """The ``count``-th event of this name with these facts, from the run's beginning."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [one for one in self.all(name) if all(one.get(key) == value for key, value in facts.items())]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                over = self.process.poll() is not None and not self._readers[0].is_alive()
                if left <= 0 or over:
                    raise AssertionError(f"no {name} {facts or ''}: {self.story()} {self.errors[-5:]}")
                self._changed.wait(min(left, 0.2))

    def all(self, name: str) -> list[Event]:
        """Every event of this name so far."""
        return [one for one in self.events if one.get("event") == name]

    def names(self) -> list[str]:
        """The events' names in order."""
        return [str(one.get("event")) for one in self.events]

    def story(self) -> list[str]:
        """The events with what matters of them, for a failed assertion."""
        dull = ("version", "event", "session", "at", "elapsedMs", "checks", "qr")
        return [
            f"{one.get('event')} { {key: value for key, value in one.items() if key not in dull} }"
            for one in self.events
        ]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send linda a signal."""
        self.process.send_signal(number)

    def end(self, timeout: float = 60) -> int:
        """Wait for the end and give the exit code."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        return code

    def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        self.signal()
        return self.end()

    @property
    def last(self) -> Event:
        return self.events[-1]


@dataclass(slots=True)
class World:
    """A home, a stand-in with its phone, and the command line between them."""

    home: Path
    sandbox: Sandbox

    @property
    def linda(self) -> SandboxLinda:
        return SandboxLinda(self.home)

    @property
    def phone(self) -> Phone:
        return self.sandbox.phone

    @property
    def inner(self) -> Path:
        """The home that sandbox runs use."""
        return self.home / ".sandbox"

    @property
    def profile(self) -> Path:
        return self.inner / "sessions" / f"session-{NUMBER}"

    @property
    def cache(self) -> Path:
        return self.inner / ".session-cache"

    def backups(self, number: str = NUMBER) -> list[Path]:
        """Backup folders, newest first."""
        return sorted(self.cache.glob(f"backup-{number}-*"), key=lambda one: one.name, reverse=True)

    def quarantined(self) -> list[Path]:
        return sorted(self.cache.glob("quarantine-*"))

    def state(self, number: str = NUMBER) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.inner / "session-state.json").read_text())["sessions"][number]
        return told

    @property
    def linkings(self) -> int:
        """How many times a phone has linked a device here."""
        return int(self.phone.status()["linkings"])

    def wait_online(self, seconds: float = 4.0) -> None:
        """Until the server has the device back. An outage is told after 5 s: what is back before that is none."""
        deadline = time.monotonic() + seconds
        while not all(one["online"] for one in self.phone.status()["devices"]):
            assert time.monotonic() < deadline, f"not online again within {seconds:g} s"
            time.sleep(0.02)

    def open_second_tab(self) -> None:
        """Open WhatsApp Web in another tab of the session's own browser, as a person or a bot might."""
        found = find(self.profile)
        assert found is not None
        devtools = DevTools(found.port.socket_url)
        devtools.call("Target.createTarget", url=URL)
        devtools.close()

    def browsers(self) -> list[psutil.Process]:
        """Chromium's main processes on profiles of this home."""
        return list(browsers_below(self.home))

    def end(self) -> None:
        """End what is left, each process proven by the profile on its command line or in its environment, and the
        stand-in."""
        for driver in drivers(self.inner / "sessions"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(driver.pid, signal.SIGKILL)
        for process in self.browsers():
            with contextlib.suppress(psutil.Error):
                # Each on its own: a helper that has just gone, or is its sandbox's, must not spare the browser.
                for one in [*process.children(recursive=True), process]:
                    with contextlib.suppress(psutil.Error):
                        one.kill()
                process.wait(5)
        self.sandbox.stop()


def browsers_below(home: Path) -> Iterator[psutil.Process]:
    """Main browser processes whose user-data-dir is below ``home``."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            data = next((word for word in words if word.startswith("--user-data-dir=")), "")
            main = not any(word.startswith("--type=") for word in words)
            if main and data.removeprefix("--user-data-dir=").startswith(str(home)) and process.status() != "zombie":
                yield process


def flip(path: Path, offset: int = -1, count: int = 64) -> None:
    """Damage a file in its middle, or at ``offset``."""
    data = bytearray(path.read_bytes())
    start = len(data) // 2 if offset < 0 else offset
    for index in range(start, min(len(data), start + count)):
        data[index] ^= 0xFF
    path.write_bytes(data)
