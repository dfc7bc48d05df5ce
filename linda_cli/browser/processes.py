"""Which process has a profile open. A process is ours to end only when its command line proves it.

Chromium's ``SingletonLock`` is a link to ``<host>-<pid>``. A pid alone proves nothing (it may have been given to
somebody else since), so the process must name this very profile on its command line, and its start time is kept
with it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_LOCK = "SingletonLock"
_PORT_FILE = "DevToolsActivePort"


@dataclass(frozen=True, slots=True)
class Occupant:
    """Who ``SingletonLock`` names. ``proven``: a live browser that runs on this very profile.

    ``started``: seconds since 1970, 0.0 where unknown.
    """

    host: str
    pid: int
    here: bool
    proven: bool
    alive: bool
    command: str = ""
    started: float = 0.0


@dataclass(frozen=True, slots=True)
class DevToolsPort:
    """Where Chromium listens: ``path`` is ``/devtools/browser/<uuid>``, different at every start."""

    port: int
    path: str

    @property
    def address(self) -> str:
        """``HOST:PORT``, as Selenium's ``debuggerAddress`` wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """The WebSocket of the browser itself, with the uuid that only this browser has."""
        return f"ws://{self.address}{self.path}"


def occupant(profile: Path) -> Occupant | None:
    """Who is on the profile by its ``SingletonLock``; None where there is no lock. Changes nothing."""
    try:
        text = os.readlink(profile / _LOCK)
    except OSError:
        return None
    host, _, number = text.rpartition("-")
    if not number.isdigit():
        return Occupant(text, 0, False, False, False)
    pid = int(number)
    if host != socket.gethostname():
        return Occupant(host, pid, False, False, False)
    return _local(profile, host, pid)


def _local(profile: Path, host: str, pid: int) -> Occupant:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return Occupant(host, pid, True, False, False)
            command = process.cmdline()
            started = process.create_time()
    except psutil.NoSuchProcess:
        return Occupant(host, pid, True, False, False)
    except psutil.AccessDenied:
        # Somebody else's process: alive, and nothing is proven.
        return Occupant(host, pid, True, False, True)
    return Occupant(host, pid, True, runs_on(command, profile), True, " ".join(command)[:200], started)


def main_process(profile: Path) -> Occupant | None:
    """The browser on a profile by its command line: ``SingletonLock`` is not there yet in its first moments."""
    if (found := occupant(profile)) is not None and found.proven:
        return found
    # No /proc on this system: nobody is found, as where nobody is.
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{int(name)}/cmdline", "rb") as told:
                    words = os.fsdecode(told.read()).split("\0")
            except (OSError, ValueError):
                continue
            if runs_on(words, profile) and not any(word.startswith("--type=") for word in words):
                return _local(profile, socket.gethostname(), int(name))
    return None


def runs_on(command: list[str], profile: Path) -> bool:
    """Whether a command line names this profile as its user-data-dir."""
    for argument in command:
        name, _, value = argument.partition("=")
        if name == "--user-data-dir" and value:
            # A path that cannot be resolved does not name this profile.
            with contextlib.suppress(OSError):
                return os.path.realpath(value) == os.path.realpath(profile)
    return False


def read_port(profile: Path) -> DevToolsPort | None:
    """What ``DevToolsActivePort`` says; None where it is missing or half-written. It is never removed by Chromium."""
    try:
        with open(profile / _PORT_FILE, encoding="ascii", errors="replace") as file:
            lines = file.read(200).split("\n")
    except OSError:
        return None
    if len(lines) < 2 or not lines[0].isdigit() or not lines[1].startswith("/devtools/browser/"):
        return None
    return DevToolsPort(int(lines[0]), lines[1].strip())


def forget_port(profile: Path) -> None:
    """Remove what an earlier browser wrote, so that only the next one's word is believed."""
    (profile / _PORT_FILE).unlink(missing_ok=True)


def family(pid: int) -> list[psutil.Process]:
    """The process and everything below it that is alive now."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_mb(pid: int) -> int:
    """Megabytes that the browser and its helpers take, shared pages counted once where the system tells."""
    import psutil

    total = 0
    for process in family(pid):
        # A process that ended meanwhile uses no memory.
        with contextlib.suppress(psutil.Error):
            try:
                total += process.memory_full_info().pss
            except (psutil.AccessDenied, AttributeError):
                total += process.memory_info().rss
    return round(total / 1e6)
