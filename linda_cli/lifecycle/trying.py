"""``linda try``: linking, a message, a crash and two restorations in a home of its own, with a phone that plays along.

Every run is a ``linda start`` in a process of its own, as a user has it, on a real Chromium; only WhatsApp Web and the
phone are the sandbox's. Nothing is left of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from linda_cli.browser.attach import find
from linda_cli.browser.processes import family
from linda_cli.errors import Failed
from linda_cli.lifecycle.events import Event, OnEvent
from linda_cli.sandbox.beside import launch
from linda_cli.sandbox.phone import Phone
from linda_cli.sessions.home import Home

NUMBER = "971505760056"
PATIENCE = 40.0
"""Seconds that a step may take before the trial has failed."""

_EVENTS = 1000
"""Events that may wait; a trial has some tens."""

_KEPT = ("LINDA_CHROME", "LINDA_CHROMEDRIVER", "LINDA_CHROME_ARGS")
_ENDS_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step that did what it promises. ``seconds``: until the session was ready, or the step was done."""

    name: str
    seconds: float
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What ``linda try`` did; ``codes``: how many codes were shown in all."""

    steps: tuple[Step, ...]
    codes: int
    seconds: float


def try_out(tell: OnEvent, say: Callable[[str], None], look: float) -> Tried:
    """Play all of it. ``look``: seconds that the code stands before the phone scans it.

    Raises ``Failed`` where a step did not do what it promises.
    """
    began = time.monotonic()
    # Short: Chromium makes a socket below it, whose path must be short.
    root = Path(tempfile.mkdtemp(prefix="linda-try-"))
    trial = _Trial(root, tell, say, look)
    try:
        with _interrupted_by_signals():
            steps = tuple(trial.play())
    finally:
        trial.end()
    return Tried(steps, trial.codes, time.monotonic() - began)


class _Trial:
    def __init__(self, root: Path, tell: OnEvent, say: Callable[[str], None], look: float) -> None:
        self._root = root
        self._home = Home(root, root / "sessions").sandbox()
        self._tell = tell
        self._say = say
        self._look = look
        self._run: _LindaStart | None = None
        self._sandbox: subprocess.Popen[bytes] | None = None
        self.codes = 0

    def play(self) -> Iterator[Step]:
        """The steps, one after the other."""
        self._sandbox, found = launch(self._home.sandbox_server, os.getpid())
        phone = Phone(found.control_url)

        self._say(f"1 of 5: linda start shows a code, and the phone of {NUMBER} scans it")
        began = time.monotonic()
        run = self._started()
        code = run.wait_for("qr")
        self.codes += 1
        time.sleep(self._look)
        phone.scan(NUMBER, qr=str(code.facts["qr"]))
        run.wait_for("saved")
        yield Step("link", time.monotonic() - began, "qr")

        self._say("2 of 5: somebody sends a message")
        began = time.monotonic()
        phone.message("hello", NUMBER)
        self._until(lambda: phone.status()["messages"]["delivered"] >= 1, "the message did not arrive")
        yield Step("message", time.monotonic() - began)

        self._say("3 of 5: linda and its browser are killed (SIGKILL), and linda start is typed again")
        self._kill()
        yield self._restored("restart after the kill", "profile")

        self._say("4 of 5: the profile is deleted as well, and linda start is typed again")
        self._kill()
        shutil.rmtree(self._home.named_profile(NUMBER))
        yield self._restored("restart from the backup", "backup")

        self._say("5 of 5: Ctrl-C")
        began = time.monotonic()
        assert self._run is not None
        self._run.stop()
        yield Step("stop", time.monotonic() - began)

    def _started(self) -> _LindaStart:
        self._run = _LindaStart(self._root, self._tell)
        return self._run

    def _restored(self, name: str, source: str) -> Step:
        began = time.monotonic()
        run = self._started()
        ready = run.wait_for("ready")
        seconds = time.monotonic() - began
        run.wait_for("saved")
        codes = run.count("qr")
        self.codes += codes
        if ready.facts["source"] != source or codes:
            raise _failed(
                f"it came back from the {ready.facts['source']}, with {codes} codes, and not from the {source}"
            )
        return Step(name, seconds, source)

    def _kill(self) -> None:
        assert self._run is not None
        profile = self._home.named_profile(NUMBER)
        # A first run links in a folder without a number.
        folders = [profile] if profile.is_dir() else self._home.linkings()
        self._run.kill()
        for folder in folders:
            self._end_browser(folder)

    @staticmethod
    def _end_browser(profile: Path) -> None:
        running = find(profile)
        if running is not None:
            everyone = family(running.pid)
            for process in everyone:
                with contextlib.suppress(Exception):  # it has just ended by itself
                    process.kill()
            deadline = time.monotonic() + 10
            while any(process.is_running() and process.status() != "zombie" for process in everyone):
                if time.monotonic() > deadline:
                    raise _failed("the browser could not be killed")
                time.sleep(0.02)

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise _failed(otherwise)
            time.sleep(0.05)

    def end(self) -> None:
        """End whatever still runs, and remove the home."""
        try:
            if self._run is not None:
                self._run.end()
            for profile in (self._home.named_profile(NUMBER), *self._home.linkings()):
                self._end_browser(profile)
        finally:
            if self._sandbox is not None:
                self._sandbox.terminate()
                try:
                    self._sandbox.wait(5)
                except subprocess.TimeoutExpired:
                    self._sandbox.kill()
                    self._sandbox.wait(5)
            shutil.rmtree(self._root, ignore_errors=True)


class _LindaStart:
    """``linda start --sandbox --json`` in a process of its own, its events told on."""

    def __init__(self, root: Path, tell: OnEvent) -> None:
        words = [sys.executable, "-m", "linda_cli", "--home", str(root), "--json", "--sandbox", "start"]
        ours = ("LINDA_", "SESSION_PATH")
        environ = {name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith(ours)}
        # A session of its own: Ctrl-C is ours, and this run is then ended in order.
        self._process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ,
            start_new_session=True,
        )  # fmt: skip
        self._tell = tell
        self._seen: list[str] = []
        # Full, the reader waits, and with it the run's own writer, which is made for slow readers.
        self._events: queue.Queue[Event | None] = queue.Queue(_EVENTS)
        self._reader = threading.Thread(target=self._read, name="try", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = _event(line)
            if told is not None:
                self._tell(told)
                self._events.put(told)
        self._events.put(None)

    def wait_for(self, name: str) -> Event:
        """The next event of this name. Raises ``Failed`` where the run ends before, or takes too long."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                told = self._events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise _failed(f"no {name} within {PATIENCE:g} s") from None
            if told is None:
                raise _failed(f"linda start ended before {name}")
            self._seen.append(told.event)
            if told.event == name:
                return told
            if told.event == "error":
                raise _failed(f"linda start failed: {told.facts.get('message')}")

    def count(self, name: str) -> int:
        """How many events of this name there were so far."""
        return self._seen.count(name)

    def kill(self) -> None:
        """SIGKILL, as a crash or the kernel does it."""
        self._process.kill()
        self._process.wait()
        self._reader.join(5)

    def stop(self) -> None:
        """SIGINT, and wait for the clean end. Raises ``Failed``."""
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            raise _failed(f"linda start did not end within {_ENDS_WITHIN:g} s") from None
        self._reader.join(5)
        if code != 0:
            raise _failed(f"linda start ended with {code}")

    def end(self) -> None:
        """End it, however it is."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join(5)


def _event(line: bytes) -> Event | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    facts = {name: _named(value) for name, value in told.items()}
    return Event(told["event"], told["session"], told["at"], told["elapsedMs"], facts)


def _named(value: Any) -> Any:
    """Objects as they were before they became JSON: with attributes."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: _named(one) for name, one in value.items()})
    return [_named(one) for one in value] if isinstance(value, list) else value


def _failed(why: str) -> Failed:
    return Failed(f"the trial did not go as promised: {why}", "linda try --verbose")


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP leave as Ctrl-C does: through every ``finally``."""
    heard = (signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, signal.default_int_handler) for name in heard}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
