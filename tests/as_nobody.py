"""``linda`` as an ordinary user, where the tests themselves run as root."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.linda import Result

NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("unshare") is None,
    reason="only root becomes another user",
)


def linda_as_nobody(*words: str, timeout: float = 120) -> Result:
    """A command line of linda, run to its end by that user.

    Root's own Python may lie below a folder that nobody else may enter: in a mount namespace of its own it is shown
    in an empty folder of the same name.
    """
    command = [sys.executable, "-m", "linda_cli", *words]
    closed = closed_above(Path(sys.base_prefix))
    becoming = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    with tempfile.TemporaryDirectory(dir="/tmp") as user:
        os.chmod(user, 0o777)
        if closed is not None:
            shown = shlex.join(becoming)
            inner = Path(sys.base_prefix).relative_to(closed)
            lines = [
                f"mkdir '{user}/python' && mount --bind '{sys.base_prefix}' '{user}/python'",
                f"mount -t tmpfs -o mode=0755 tmpfs '{closed}' && mkdir -p '{closed / inner}'",
                f"mount --bind '{user}/python' '{closed / inner}'",
                f"exec {shown}",
            ]
            becoming = ["unshare", "--mount", "sh", "-ec", "\n".join(lines)]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        done = subprocess.run(
            becoming,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            env={**environ, "HOME": user},
        )
    return Result(done.returncode, done.stdout, done.stderr)


def closed_above(path: Path) -> Path | None:
    """The topmost folder above ``path`` that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def give(folder: Path, user: int = NOBODY) -> None:
    """Make a tree the user's."""
    for one in [folder, *folder.rglob("*")]:
        os.chown(one, user, user, follow_symlinks=False)


def shared_folder() -> Iterator[Path]:
    """A folder that every user may enter, gone after."""
    folder = Path(tempfile.mkdtemp(prefix="linda-nobody-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
