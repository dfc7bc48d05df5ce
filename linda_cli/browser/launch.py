"""Starting Chromium ourselves, in its own process group, so that it can outlive us and be found again."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from linda_cli.browser.environment import scrubbed_environment
from linda_cli.browser.processes import DevToolsPort, forget_port, occupant, read_port
from linda_cli.errors import BrowserFailed, BrowserMissing, BrowserSilent, InUse

SIGN_OF_LIFE = 20.0
"""Seconds within which a browser must have opened its debugging port."""

# What every browser on a server says and never is the reason: the bus that is missing, crashpad, graphics, stack
# traces, and the shell of Debian's own wrapper.
_NOISE = re.compile(
    r"dbus|crashpad|^\s*#\d+ 0x|\[end of stack trace\]|^\s*(?:r\d+|[re][a-ds][xip]|efl|cgf|erf|trp|msk|cr2):|"
    r"Received signal|Trace/breakpoint trap|Task trace|DevTools listening|vaInitialize|[Vv]ulkan|ANGLE|libva|/gl/|"
    r"gpu_process_host|viz_main|google_apis/gcm|setsockopt: Bad file|TensorFlow|chromium: \d+: \[: |"
    r"oom_score_adj|Created TensorFlow|ptrace: |Gtk-WARNING|update available",
)
_FAILURE = re.compile(
    r"error|fatal|fail|cannot|can't|could not|unable|denied|not (?:found|permitted|supported)|no such|missing|exceeded|"
    r"killed|abort|too many|no space|invalid|unknown",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Running:
    """A browser on one profile. ``started`` (seconds since 1970) tells it from a later owner of the same pid.

    ``child`` is there only where this very process started it.
    """

    profile: Path
    pid: int
    started: float
    port: DevToolsPort
    child: subprocess.Popen[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Starting:
    """A browser that was started and has not opened its port yet."""

    profile: Path
    child: subprocess.Popen[bytes]
    log: Path
    since: float


def begin(binary: Path, arguments: Sequence[str], profile: Path, log: Path) -> Starting:
    """Start Chromium and return at once. Raises ``BrowserMissing``."""
    forget_port(profile)
    # Its stderr goes to a file: a pipe would break when it outlives us.
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            [binary, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            start_new_session=True,
            cwd=profile,
            env=_environment(),
        )
    except OSError as problem:
        raise BrowserMissing(
            f"{binary} cannot be run: {problem.strerror}", "sudo apt-get install chromium chromium-driver"
        ) from problem
    finally:
        os.close(handle)
    return Starting(profile, child, log, time.monotonic())


def _environment() -> dict[str, str]:
    """Ours, but for a TMPDIR that Chromium cannot use: it keeps a socket there, whose path may have 107 bytes at most,
    and ends where it has more, or where the folder is missing or read-only."""
    environ = scrubbed_environment()
    named = environ.get("TMPDIR", "")
    if len(os.fsencode(named)) > 60 or (named and not _can_be_written(named)):
        fallback = next((one for one in ("/tmp", "/var/tmp", "/dev/shm") if _can_be_written(one)), "/tmp")
        environ["TMPDIR"] = fallback
    return environ


def _can_be_written(folder: str) -> bool:
    """Whether a file can be made there. Root may write anywhere by its rights, and yet not to a read-only disk."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        # Some filesystems know no files without a name; the rights are asked then.
        unnamed = problem.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)
        return unnamed and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
    os.close(handle)
    return True


def await_port(
    starting: Starting, *, timeout: float = SIGN_OF_LIFE, interrupted: Callable[[], bool] = lambda: False
) -> Running | None:
    """Wait until the browser listens; None where ``interrupted`` says so meanwhile.

    Raises ``BrowserFailed`` with the line of its stderr that matters where it dies, ``BrowserSilent`` after ``timeout``
    seconds without a sign of life; it is ended then.
    """
    child = starting.child
    deadline = starting.since + timeout
    while True:
        port = read_port(starting.profile)
        if port is not None:
            return _running(starting, port)
        code = child.poll()
        if code is not None:
            raise _died(starting, code)
        if interrupted():
            end(starting)
            return None
        if time.monotonic() > deadline:
            end(starting)
            raise BrowserSilent(
                f"the browser gave no sign of life for {timeout:g} s{_last_words(starting.log)}",
                f"cat {shlex.quote(str(starting.log))}",
            )
        # Chromium writes the file some 300 ms after its start and says so to nobody.
        time.sleep(0.004)


def _running(starting: Starting, port: DevToolsPort) -> Running:
    found = occupant(starting.profile)
    if found is not None and found.proven:
        return Running(starting.profile, found.pid, found.started, port, starting.child)
    return Running(starting.profile, starting.child.pid, started_at(starting.child.pid), port, starting.child)


def started_at(pid: int) -> float:
    """When a process began, in seconds since 1970; 0.0 where it is gone."""
    import psutil

    # A process that is gone has no beginning: 0.0 says so.
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).create_time())
    return 0.0


def end(starting: Starting) -> None:
    """End a browser that never came up, with the process group that we gave it."""
    # The whole group has ended already.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(starting.child.pid, 9)
    # Stuck in the kernel after SIGKILL: waiting longer changes nothing, and its pid stays ours as its parent.
    with contextlib.suppress(subprocess.TimeoutExpired):
        starting.child.wait(5)


def _died(starting: Starting, code: int) -> BrowserFailed | InUse:
    words = _last_words(starting.log)
    holder = occupant(starting.profile)
    # 21: Chromium's RESULT_CODE_PROFILE_IN_USE; 0 at once: it handed the address over to a browser already there.
    if code in (0, 21) and holder is not None:
        where = f"pid {holder.pid}" + ("" if holder.here else f" on {holder.host!a}")
        return InUse(f"another browser has the profile {starting.profile.name}: {where}", "linda stop", pid=holder.pid)
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return BrowserFailed(f"the browser {how} at start{words}", f"cat {shlex.quote(str(starting.log))}")


def _last_words(log: Path) -> str:
    """The end of what it wrote, on one line and without control characters."""
    try:
        lines = log.read_bytes()[-16_000:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    words = _CONTROL.sub(" ", telling_line(lines))[:300]
    return f": {words}" if words else ""


def telling_line(lines: Sequence[str]) -> str:
    """The line that says why a browser ended: its last FATAL, else its last ERROR, else the last that sounds
    like a failure, else the last that is no noise."""
    telling = [line.strip() for line in lines if line.strip() and not _NOISE.search(line)]
    for mark in (":FATAL:", ":ERROR:"):
        marked = [line for line in telling if mark in line]
        if marked:
            return marked[-1]
    # Without Chromium's marks: its loader, its wrapper, a shell. What sounds like a failure before any other line.
    failures = [line for line in telling if _FAILURE.search(line)]
    if failures:
        return failures[-1]
    left = telling or [line.strip() for line in lines if line.strip()]
    return left[-1] if left else ""
