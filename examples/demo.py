"""The main job before your eyes: ``make demo``.

A stand-in for WhatsApp Web plays WhatsApp, and its phone is driven from here; everything else is what you would type
yourself, on a real Chromium, in a temporary home that is removed at the end. No phone, no account, no network.

    1  link by the QR code in the terminal
    2  restart: no code
    3  the profile is damaged: healed from a backup, no code
    4  logged out on the phone: a new code, linked again

Exit 0 when all four did what they promise, else 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from linda_cli.sandbox.server import Sandbox, Timing

NUMBER = "971505760056"
_KEPT = ("LINDA_CHROME", "LINDA_CHROMEDRIVER", "LINDA_CHROME_ARGS")


@dataclass(slots=True)
class Outcome:
    """What one of the four did. ``wrong``: what it did not keep of its promise."""

    title: str
    seconds: float | None = None
    facts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, promise: str) -> None:
        """Note a promise as kept or broken."""
        (self.facts if holds else self.wrong).append(promise)


@dataclass(slots=True)
class Scene:
    """A temporary home with a stand-in beside it, and the command line."""

    home: Path
    sandbox: Sandbox
    look: float
    """Seconds a code is on show before the phone scans it."""

    @property
    def inner(self) -> Path:
        """Where sandbox runs keep their sessions."""
        return self.home / ".sandbox"

    @property
    def profile(self) -> Path:
        """What Chromium keeps."""
        return self.inner / "sessions" / f"session-{NUMBER}"

    def linda(self, *words: str, home: Path | None = None) -> int:
        """Type a command: shown first, then run on this very terminal."""
        home = home or self.home
        say(f"\n$ linda --home {shlex.quote(str(home))} {shlex.join(words)}")
        # The child shares our terminal, so a Ctrl-C reaches it too: it is given the time to leave kindly.
        child = subprocess.Popen([*command(), "--home", str(home), *words], stdin=subprocess.DEVNULL, env=environ())
        try:
            return child.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(30)
            raise

    def start(self, outcome: Outcome, *words: str, scan: bool) -> dict[str, Any]:
        """``linda start --sandbox --once``; with ``scan`` the phone scans the code, else none may come on show.

        Gives what ``linda info`` says afterwards.
        """
        # A logged-out session shows a new code only where somebody can see it: a terminal, or else a picture.
        shown_at = () if sys.stderr.isatty() else ("--qr-file", str(self.home / "code.png"))
        before, began, wall = self.linkings, time.monotonic(), time.time()
        with self.watching(scan=scan) as codes:
            code = self.linda("start", *words, "--sandbox", "--once", "--qr-timeout", "60", *shown_at)
        told = self.info()
        ready = moment(told["state"].get("lastReady"))
        outcome.seconds = ready - wall if ready is not None and ready > wall else time.monotonic() - began
        outcome.expect(bool(codes) == scan, "a code was shown" if scan else "no code was shown")
        outcome.expect(self.linkings - before == int(scan), "scanned once" if scan else "nothing scanned")
        outcome.expect(
            code == 0 and told["linkedAs"] == NUMBER, "online and saved" + (f" (exit {code})" if code else "")
        )
        return told

    @contextlib.contextmanager
    def watching(self, *, scan: bool) -> Iterator[list[str]]:
        """Watch for codes; the phone takes its time and scans the one on show, the next one where that had changed."""
        seen: list[str] = []
        over = threading.Event()

        def watch() -> None:
            scanned = False
            while not over.wait(0.1):
                # A phone that failed once tries again: a code may change while it is held up, the page may be busy.
                with contextlib.suppress(Exception):
                    shown = self.sandbox.phone.status()["code"]
                    if shown and shown not in seen:
                        seen.append(shown)
                    if shown and scan and not scanned and not over.wait(self.look):
                        self.sandbox.phone.scan(NUMBER, qr=shown)
                        scanned = True

        phone = threading.Thread(target=watch, daemon=True)
        phone.start()
        try:
            yield seen
        finally:
            over.set()
            phone.join(10)

    @property
    def linkings(self) -> int:
        """How many times a phone has linked a device."""
        return int(self.sandbox.phone.status()["linkings"])

    def info(self) -> dict[str, Any]:
        """``linda info``, for our own eyes."""
        asked = [*command(), "--home", str(self.inner), "info", NUMBER, "--json"]
        done = subprocess.run(
            asked, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environ(), check=False
        )
        told: dict[str, Any] = json.loads(done.stdout or "{}")
        return {"verdict": "missing", "linkedAs": None, "state": {}, "backups": [], **told}


def link(scene: Scene, outcome: Outcome) -> None:
    """Nothing is there: a code is shown, the phone scans it."""
    told = scene.start(outcome, scan=True)
    outcome.expect(any(one["verified"] for one in told["backups"]), "backed up")


def restart(scene: Scene, outcome: Outcome) -> None:
    """The same command again."""
    scene.start(outcome, NUMBER, scan=False)


def heal(scene: Scene, outcome: Outcome) -> None:
    """Bytes of the login's database are overwritten, as a failing disk does."""
    database = scene.profile / "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
    file = max(database.glob("*.log"), key=lambda one: one.stat().st_size)
    damaged = bytearray(file.read_bytes())
    damaged[100:164] = bytes(byte ^ 0xFF for byte in damaged[100:164])
    file.write_bytes(damaged)
    say(f"(64 bytes of {file.name} in the profile are overwritten now)")
    scene.linda("info", NUMBER, home=scene.inner)
    scene.start(outcome, NUMBER, scan=False)
    aside = list((scene.inner / ".session-cache").glob("quarantine-*"))
    outcome.expect(len(aside) == 1, "the damaged profile is kept aside")


def relink(scene: Scene, outcome: Outcome) -> None:
    """A person unlinks the device on the phone: no backup of that login may be tried again."""
    old = {one["login"] for one in scene.info()["backups"]}
    scene.linda("sandbox", "log-out", NUMBER)
    told = scene.start(outcome, NUMBER, scan=True)
    newest = told["backups"][0]["login"] if told["backups"] else None
    outcome.expect(newest not in {*old, None}, "the new login is backed up")


STEPS: tuple[tuple[str, Callable[[Scene, Outcome], None]], ...] = (
    ("link by QR code", link),
    ("restart", restart),
    ("profile damaged", heal),
    ("logged out on the phone", relink),
)


def main() -> int:
    """Play the four, show the table."""
    parser = argparse.ArgumentParser(description="linda's main job, against a stand-in for WhatsApp Web.")
    parser.add_argument("--fast", action="store_true", help="nothing waits so that it can be seen")
    fast = parser.parse_args().fast
    timing = Timing() if fast else Timing(page_delay=1.0, sync=1.0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = Path(tempfile.mkdtemp(prefix="linda-demo-"))
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        with Sandbox(home / ".sandbox" / "stand-in", timing=timing) as sandbox:
            scene = Scene(home, sandbox, look=0.2 if fast else 2.0)
            say(f"A stand-in plays WhatsApp Web; its page loads in {timing.page_delay:g} s (the real one: 6 to 8 s).")
            for title, step in STEPS:
                outcome = Outcome(title)
                outcomes.append(outcome)
                say(f"\n--- {len(outcomes)} of {len(STEPS)}: {title}")
                step(scene, outcome)
                if outcome.wrong:
                    break
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return report(outcomes, time.monotonic() - began)


def report(outcomes: list[Outcome], seconds: float) -> int:
    """The table, and the exit code."""
    say("\n--- what happened, and seconds until it was ready")
    for outcome in outcomes:
        mark = "FAILED" if outcome.wrong else "ok"
        time_taken = f"{outcome.seconds:5.1f} s" if outcome.seconds is not None else "      -"
        say(f"{mark:<6} {outcome.title:<24} {time_taken}  {'; '.join(outcome.facts)}")
        for wrong in outcome.wrong:
            say(f"{'':<6} {'not so:':<24} {'':7}  {wrong}")
    kept = len(outcomes) == len(STEPS) and not any(outcome.wrong for outcome in outcomes)
    scanned = "two scans (the first, and the one after the logout)" if kept else "not as promised"
    say(f"\n{scanned}, {seconds:.0f} s in all; the demo's home is removed")
    return 0 if kept else 1


def command() -> list[str]:
    """The ``linda`` beside this Python, else the module."""
    script = Path(sys.executable).with_name("linda")
    return [str(script)] if os.access(script, os.X_OK) else [sys.executable, "-m", "linda_cli"]


def environ() -> dict[str, str]:
    """Ours, without what would lead linda to another home; the browser's variables stay."""
    ours = ("LINDA_", "SESSION_PATH")
    return {name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith(ours)}


def moment(text: str | None) -> float | None:
    """ISO 8601 as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp() if text else None


def say(text: str) -> None:
    """At once, so that it stands above what linda says next."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
