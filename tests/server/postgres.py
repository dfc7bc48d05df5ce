"""A PostgreSQL of the tests' own: Debian's package, an ordinary user, a socket in a folder of ours, no network."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def binaries() -> Path | None:
    """Where Debian keeps the server's programs, newest version first; None where it is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda one: int(one.split("/")[4]))
    if found:
        return Path(found[-1]).parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


def _ordinary() -> str | None:
    """PostgreSQL refuses to run as root; who runs the tests otherwise is ordinary enough."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise LookupError("no ordinary user to run PostgreSQL")


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Start one and give the address of its database; it is gone afterwards."""
    programs = binaries()
    assert programs is not None
    # A socket's path must be short, and an ordinary user must be able to walk to it.
    with tempfile.TemporaryDirectory(prefix="linda-pg-", dir="/tmp") as folder:
        user = _ordinary()
        if user is not None:
            shutil.chown(folder, user)
        data = f"{folder}/data"

        def run(*words: str) -> None:
            subprocess.run(
                [str(programs / words[0]), *words[1:]], check=True, user=user, cwd=folder, timeout=60,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )  # fmt: skip

        run("initdb", "-D", data, "-U", "linda", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", data, "-l", f"{folder}/log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://linda@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
