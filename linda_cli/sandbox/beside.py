"""A stand-in beside a run: one that serves this folder already, else one started for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from linda_cli.errors import Failed
from linda_cli.sandbox.running import Running, running


@contextlib.contextmanager
def stand_in(folder: Path, *, keep: bool = False) -> Iterator[list[str]]:
    """The browser arguments that lead to a stand-in. ``keep``: it stays when the block ends, as the browser does."""
    found = running(folder)
    if found is not None:
        yield found.chrome_args
        return
    child, started = launch(folder, parent=None if keep else os.getpid())
    try:
        yield started.chrome_args
    finally:
        if not keep:
            child.terminate()
            # It ends when it has let go of its pages; nobody waits for it longer.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)


def launch(folder: Path, parent: int | None, *words: str) -> tuple[subprocess.Popen[bytes], Running]:
    """Start a stand-in in a process of its own and wait until it serves. Raises ``Failed``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "linda_cli.sandbox", str(folder), *words]
    if parent is not None:
        command += ["--parent", str(parent)]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    found = running(folder) if line else None
    if found is None:
        _, words_left = child.communicate(timeout=10)
        last = words_left.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        raise Failed(f"the sandbox did not start: {last[0]}", "linda sandbox serve")
    return child, found
