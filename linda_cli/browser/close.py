"""Ending a browser that is proven to be ours: ``Browser.close``, SIGINT, SIGTERM, SIGKILL; and waiting for it."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

from linda_cli.browser.attach import connect
from linda_cli.browser.devtools import DevTools
from linda_cli.browser.launch import Running
from linda_cli.browser.processes import family

if TYPE_CHECKING:
    import psutil

KIND = 10.0
"""Seconds for a browser to close by itself; flushing a large login to a slow disk takes some of them."""


def close(running: Running, devtools: DevTools | None = None, *, kind: float = KIND) -> bool:
    """End the browser and everything below it. True when it closed by itself, with everything flushed.

    ``Browser.close`` and SIGINT flush; SIGTERM loses cookies, SIGKILL up to a minute of localStorage: they come last.
    """
    everyone = family(running.pid)
    if not everyone or not _same(everyone[0], running):
        _reap(running)
        return True
    clean = _asked(running, devtools) and _gone(running, everyone, kind)
    for number, patience in ((signal.SIGINT, 3.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
        if _gone(running, everyone, 0.0):
            break
        _tell(everyone, number, only_first=number is not signal.SIGKILL)
        clean = _gone(running, everyone, patience) and number is signal.SIGINT
    _reap(running)
    return clean


def _asked(running: Running, devtools: DevTools | None) -> bool:
    own = devtools or connect(running, 3.0)
    if own is None:
        return False
    try:
        own.call("Browser.close", 5.0)
    except TimeoutError:
        # It does not listen any more: waiting for a clean close would be waiting for nothing.
        return False
    except OSError:
        # It may well be gone before it could answer; whoever waits for it will see.
        pass
    finally:
        if devtools is None:
            own.close()
    return True


def _same(process: psutil.Process, running: Running) -> bool:
    import psutil

    # A process that is gone is not the same one.
    with contextlib.suppress(psutil.Error):
        return running.started == 0.0 or abs(process.create_time() - running.started) < 0.1
    return False


def _tell(everyone: list[psutil.Process], number: int, *, only_first: bool) -> None:
    import psutil

    # psutil refuses to signal a pid that was given to another process meanwhile.
    for process in everyone[:1] if only_first else everyone:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _gone(running: Running, everyone: list[psutil.Process], patience: float) -> bool:
    """Whether every process has gone within ``patience`` seconds; a zombie holds nothing and counts as gone."""
    import psutil

    deadline = time.monotonic() + patience
    pause = 0.002
    while True:
        _reap(running)
        alive = False
        for process in everyone:
            # A process that is gone is not alive, which is what is asked.
            with contextlib.suppress(psutil.Error):
                alive = alive or (process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        if not alive:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)


def _reap(running: Running) -> None:
    if running.child is not None:
        running.child.poll()
