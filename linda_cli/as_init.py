"""As PID 1 of a container linda has init's duty: to reap what others leave behind, and to hear signals.

Chromium's helpers whose parent is gone become children of PID 1. It forks, and stays as a parent that reaps everything,
passes signals on, and ends as its child ends; the child is linda.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

_PASSED_ON = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT,
)  # fmt: skip


def fork_below_init() -> None:
    """For PID 1: return in a child of it, and never return in itself."""
    # Kept back until there is a child to pass them on to.
    heard = [name for name in _PASSED_ON if signal.getsignal(name) is not signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    child = os.fork()
    if child == 0:
        _take_terminal()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)
        return
    for name in heard:
        signal.signal(name, lambda number, _: _pass_on(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)
    os._exit(_reap_until(child))


def _take_terminal() -> None:
    """A group of its own that has the terminal: else Ctrl-C would reach linda twice, and that means more than once."""
    os.setpgid(0, 0)
    kept = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # Without a terminal there is nothing to take.
    with contextlib.suppress(OSError, ValueError):
        os.tcsetpgrp(sys.stdin.fileno() if sys.stdin is not None else 0, os.getpid())
    signal.signal(signal.SIGTTOU, kept)


def _pass_on(child: int, number: int) -> None:
    # It may have ended in this moment.
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _reap_until(child: int) -> int:
    """Reap everything until the child has ended; its exit code."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
