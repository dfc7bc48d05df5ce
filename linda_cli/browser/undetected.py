"""The other engine: ChromeDriver as undetected-chromedriver patches it, on the browser that we started.

Only its patch is used. It would patch the file in place, download drivers, choose a fixed port and end the browser
with SIGTERM; here it gets a private copy of the installed driver, made once for each version of it. Its licence is
GPL-3.0, so it is imported only when this engine is chosen.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from linda_cli.errors import BrowserFailed
from linda_cli.installation import install


def patched_driver(driver: Path, folder: Path) -> Path:
    """The patched private copy of ``driver`` in ``folder``. Raises ``BrowserFailed``."""
    status = driver.stat()
    target = folder / f"undetected-{status.st_size:x}-{status.st_mtime_ns:x}"
    if target.exists():
        return target
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Two starts at once would patch each other's half-written copy.
    with open(folder / "undetected.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            for dead in folder.glob(".undetected-*.new"):
                # Killed at it: whoever has the lock is the only one to make these.
                dead.unlink()
            _patch(driver, target)
    return target


def _patch(driver: Path, target: Path) -> None:
    try:
        from undetected_chromedriver.patcher import Patcher
    except ImportError as problem:
        raise BrowserFailed(
            f"undetected-chromedriver cannot be loaded: {problem}", install("setuptools", "undetected-chromedriver")
        ) from problem
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        shutil.copyfile(driver, fresh)
        # Without this the patcher makes a folder of its own in the user's home.
        Patcher.data_path = str(target.parent)
        patcher = Patcher(executable_path=str(fresh))
        patcher.patch_exe()
        if not patcher.is_binary_patched():
            raise BrowserFailed(
                f"{driver} could not be patched: nothing in it looks as undetected-chromedriver expects",
                "linda start --engine selenium",
            )
        fresh.chmod(0o700)
        fresh.replace(target)
    finally:
        # It has taken its name already.
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
