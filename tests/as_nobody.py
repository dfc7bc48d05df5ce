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
_CHECKOUT = Path(__file__).parents[1]

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("unshare") is None,
    reason="only root becomes another user",
)


def linda_as_nobody(*words: str, timeout: float = 120) -> Result:
    """A command line of linda, run to its end by that user."""
    command = [sys.executable, "-m", "linda_cli", *words]
    becoming = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    with tempfile.TemporaryDirectory(dir="/tmp") as user:
        os.chmod(user, 0o777)
        showing = shown_to_all(Path(user))
        if showing:
            lines = [*showing, f"cd {shlex.quote(str(_CHECKOUT))}", f"exec {shlex.join(becoming)}"]
            becoming = ["unshare", "--mount", "sh", "-ec", "\n".join(lines)]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        done = subprocess.run(
            becoming,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=_CHECKOUT,
            env={**environ, "HOME": user},
        )
    return Result(done.returncode, done.stdout, done.stderr)


def shown_to_all(folder: Path) -> list[str]:
    """Lines of a shell in a mount namespace of its own, after which every user may enter the checkout and its Python.

    Root's own Python, and a checkout in a private folder, lie below a folder that nobody else may enter. There an
    empty one of the same name is shown with only them in it. ``folder`` is where they are held meanwhile.
    """
    needed = [_CHECKOUT, Path(sys.prefix), Path(sys.base_prefix)]
    closed = {path: above for path in needed if (above := closed_above(path)) is not None}
    held = {path: folder / f"shown-{number}" for number, path in enumerate(closed)}
    quote = shlex.quote
    return [
        *(f"mkdir {held[path]} && mount --bind {quote(str(path))} {held[path]}" for path in closed),
        *(f"mount -t tmpfs -o mode=0755 tmpfs {quote(str(above))}" for above in dict.fromkeys(closed.values())),
        *(f"mkdir -p {quote(str(path))} && mount --bind {held[path]} {quote(str(path))}" for path in closed),
    ]


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
