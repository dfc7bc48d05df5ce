"""Ending a stand-in that another process serves."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from linda_cli.errors import Failed, InUse
from linda_cli.sandbox.running import Running, running

_PATIENCE = 10.0


def end(folder: Path, found: Running) -> None:
    """SIGTERM to the stand-in, and wait until it has gone. Raises ``InUse`` where it is part of another program."""
    with contextlib.suppress(psutil.Error):
        words = psutil.Process(found.pid).cmdline()
        # A test or a bot may serve one in its own process: that is not ours to end.
        if not {"linda_cli.sandbox", "sandbox"} & set(words):
            raise InUse(f"the stand-in is part of process {found.pid}: {' '.join(words)[:80]}", f"ps -fp {found.pid}")
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while running(folder) is not None:
        if time.monotonic() > deadline:
            raise Failed(f"the stand-in (process {found.pid}) did not end", f"kill -9 {found.pid}")
        time.sleep(0.05)
