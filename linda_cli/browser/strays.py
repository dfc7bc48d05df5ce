"""ChromeDrivers left behind by a linda that was killed: each bears in its environment whose it was.

A record on disk would be written a moment after the driver had begun, and a kill in between would leave one that
nobody can prove anything of. What a process was started with is there from its first moment on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.browser.environment import scrubbed_environment

_MARK = "LINDA_DRIVES"
_PROCESSES = Path("/proc")
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver on one profile. ``linda`` is when its linda began, in the kernel's ticks since it was booted: that is
    the same in every container, which a pid is not."""

    pid: int
    profile: Path
    linda: str


def marked(profile: Path) -> dict[str, str]:
    """The environment for a driver on this profile."""
    return {**scrubbed_environment(), _MARK: f"{_began(os.getpid())} {os.path.realpath(profile)}"}


def strays(sessions: Path) -> Iterator[Driver]:
    """Drivers on profiles in this folder whose linda is gone. Nothing is known of them where there is no ``/proc``."""
    for driver in drivers(sessions):
        above = _parent(driver.pid)
        # Killed, it left its children to another parent at once. What a driver itself started goes with the driver.
        if above is not None and _began(above) != driver.linda and _read(above) is None:
            yield driver


def drivers(sessions: Path) -> Iterator[Driver]:
    """Every driver that a linda started on a profile in this folder."""
    folder = os.path.realpath(sessions)
    # No /proc on this system: no driver can be proven to be ours, so none is found.
    with contextlib.suppress(OSError):
        for name in os.listdir(_PROCESSES):
            found = _read(int(name)) if name.isdigit() else None
            if found is not None and str(found.profile.parent) == folder:
                yield found


def end(stray: Driver) -> bool:
    """End it and wait until it has gone. False where it is no longer there."""
    try:
        handle = os.pidfd_open(stray.pid)
    except OSError:
        return False
    try:
        # Looked at again through a handle that no other process can come to stand for.
        if _read(stray.pid) != stray:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], _PATIENCE)[0]:
                return True
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
    return False


def _read(pid: int) -> Driver | None:
    try:
        # Asked of every process there is, at every start: a Path for each would take longer than reading it.
        with open(f"{_PROCESSES}/{pid}/environ", "rb", buffering=0) as file:
            told = file.read()
    except OSError:
        return None
    start = f"{_MARK}=".encode()
    for word in told.split(b"\0") if start in told else ():
        if word.startswith(start):
            began, _, profile = os.fsdecode(word.removeprefix(start)).partition(" ")
            return Driver(pid, Path(profile), began)
    return None


def _parent(pid: int) -> int | None:
    told = _status(pid)
    return int(told[1]) if told else None


def _began(pid: int) -> str:
    told = _status(pid)
    return told[19] if told else ""


def _status(pid: int) -> list[str]:
    """``/proc/<pid>/stat`` from the state on; the name before it may hold anything."""
    try:
        return (_PROCESSES / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
