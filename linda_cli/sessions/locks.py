"""Who may touch what: a *run* lock per session for as long as a run lasts, a *store* lock for seconds.

Both are ``flock`` on a file beside the thing they guard, so they die with their holder, SIGKILL included. ``fcntl`` is
used directly because importing filelock takes longer (85 ms measured) than everything else before the browser starts.

Between two hosts that share a home a ``flock`` may not reach from one to the other. So the holder says where it runs
(host, boot) and a run says every ``BEAT`` seconds that it is still there: what another host said less than
``BEAT_LASTS`` seconds ago is believed, whatever the kernel here says.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import HomeUnusable, InUse
from linda_cli.sessions.durable import make_folder

STORE_WAIT = 10.0
"""Seconds that a command waits for another one's store lock before it gives up."""

BEAT = 20.0
BEAT_LASTS = 60.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a lock.

    ``run``: it is a whole run, which ``linda stop`` may end; otherwise a command of some seconds. ``beat``: when it
    last said that it is there, in seconds since 1970.
    """

    pid: int
    command: str
    run: bool = True
    host: str = ""
    boot: str = ""
    beat: float = 0.0

    def __str__(self) -> str:
        where = f" on {ascii(self.host)[1:-1]}" if self.host and self.host != socket.gethostname() else ""
        return f"pid {self.pid} ({self.command}){where}"

    @property
    def elsewhere(self) -> bool:
        """On another host, where a lock's holder may live without this kernel knowing.

        Another container on this kernel is not elsewhere, and neither is this host before it was booted anew.
        """
        return bool(self.host and self.boot) and self.host != socket.gethostname() and self.boot != boot_id()

    @property
    def lives_elsewhere(self) -> bool:
        """Another host's run that was heard of lately. A beat from the future is some clock's fault, and is believed
        as far as it would be in the past."""
        return self.elsewhere and abs(time.time() - self.beat) < BEAT_LASTS


@contextlib.contextmanager
def held(path: Path, *, wait: float = 0.0, what: str, run: bool = False, hint: str = "") -> Iterator[None]:
    """Hold the lock at ``path``, waiting up to ``wait`` seconds. Raises ``InUse`` naming the holder.

    ``run``: for a whole run, with a heartbeat. ``hint``: what ends a run that holds it; a command of some seconds is
    left alone.
    """
    handle = _open(path)
    try:
        # A look by ``holder_of`` may have the lock for microseconds: never give up at the first refusal.
        deadline = time.monotonic() + max(wait, 0.1)
        pause = 0.002
        while not _try(handle) or _lives_elsewhere(handle):
            if time.monotonic() >= deadline:
                holder = _read_holder(handle)
                raise InUse(
                    f"{what} is in use by {holder or 'another process'}",
                    hint if hint and (holder is None or holder.run) else f"ps -fp {holder.pid if holder else '1'}",
                    pid=holder.pid if holder else None,
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
        with _beating(handle) if run else _named(handle):
            yield
    finally:
        # Not unlinked: a second process may already wait on this very file.
        os.close(handle)


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock at ``path`` now; None when nobody does. Changes nothing on disk."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A shared lock is refused exactly while somebody holds the exclusive one.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read_holder(handle) or Holder(0, "unknown")
    else:
        told = _read_holder(handle)
        return told if told is not None and told.lives_elsewhere else None
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        if os.fstat(handle).st_mode & 0o777 != 0o600:
            os.fchmod(handle, 0o600)
        return handle
    except OSError as problem:
        raise HomeUnusable(
            f"cannot write {path}: {problem.strerror}", "ls -ld {0}; df -h {0}".format(shlex.quote(str(path.parent)))
        ) from problem


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _lives_elsewhere(handle: int) -> bool:
    """The kernel gave us the lock, and another host's run says that it has it: then it has."""
    told = _read_holder(handle)
    if told is None or not told.lives_elsewhere:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


@contextlib.contextmanager
def _named(handle: int, run: bool = False) -> Iterator[None]:
    """Have our name in the lock while we hold it."""
    _write_holder(handle, run)
    try:
        yield
    finally:
        # Another host cannot ask our kernel: an empty file tells it that nobody is there any more.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)


@contextlib.contextmanager
def _beating(handle: int) -> Iterator[None]:
    """Say again and again that we are there, from a thread of its own: a run may wait for minutes for one thing."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT):
            _write_holder(handle, True)

    with _named(handle, True):
        beater = threading.Thread(target=beat, name="linda-beat", daemon=True)
        beater.start()
        try:
            yield
        finally:
            done.set()
            beater.join()


def _write_holder(handle: int, run: bool) -> None:
    """Say who we are, for the message of whoever comes second. Not being able to (disk full) is no reason to stop."""
    told = {
        "pid": os.getpid(),
        "command": command_line(),
        "run": run,
        "host": socket.gethostname(),
        "bootId": boot_id(),
        "beat": round(time.time(), 3),
    }
    with contextlib.suppress(OSError):
        said = json.dumps(told).encode()
        # In one write that covers what was there: whoever reads at this moment finds one whole line.
        os.pwrite(handle, said.ljust(os.fstat(handle).st_size), 0)


def boot_id() -> str:
    """This kernel since it was booted; containers on it share it. Empty where it does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as told:
            return told.read(64).strip()
    except OSError:
        return ""


def _read_holder(handle: int) -> Holder | None:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return Holder(
            int(told["pid"]),
            str(told["command"]),
            told.get("run") is not False,
            str(told.get("host") or ""),
            str(told.get("bootId") or ""),
            float(told.get("beat") or 0),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def command_line() -> str:
    """This process's command as a person could have typed it, the verb first: ``linda start --home DIR``."""
    given = sys.argv[1:]
    cut = 0
    while cut < len(given) and given[cut].startswith("--"):
        cut += 2 if given[cut] == "--home" else 1
    return " ".join(["linda", *given[cut:], *given[:cut]])[:200]
