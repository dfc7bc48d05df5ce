"""Break something, read the doctor, run the command that is printed, read the doctor again: all in one shell."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.as_nobody import NOBODY, shown_to_all

MOUNTS = ("unshare", "--mount")
"""A mount namespace: what is mounted in it is seen by nobody else."""

USERS = (sys.executable, str(Path(__file__).with_name("user_namespace.py")))
"""A user namespace with all users in it: its limits of the kernel are its own."""

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run([*USERS, "true"], capture_output=True, check=False).returncode != 0,
    reason="only root makes these namespaces",
)

_PICK = """
import json, sys
report = json.load(open(sys.argv[1]))
print(next((one["command"] for one in report["findings"] if one["topic"] == sys.argv[2]), "echo nothing found"))
"""


@dataclass(frozen=True, slots=True)
class Mended:
    """The reports before and after, of one topic."""

    topic: str
    before: dict[str, Any]
    after: dict[str, Any]
    command: str
    said: str

    def _of(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        return [one for one in report["findings"] if one["topic"] == self.topic]

    def assert_gone(self) -> dict[str, Any]:
        """It was found, and the command took it away. Gives the finding."""
        found = self._of(self.before)
        assert found, (self.before, self.said)
        assert self._of(self.after) == [], (self.command, self.after, self.said)
        assert not self.before["healthy"]
        return found[0]


def broken_and_mended(
    topic: str,
    home: Path | None,
    breaking: str = "",
    *,
    inside: Sequence[str] = (),
    as_nobody: bool = False,
    healing: str = "",
    **environ: str,
) -> Mended:
    """``healing``: what stands for the world's own part of the mending, before the second look."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        out = Path(folder)
        linda = shlex.join(["linda", *(("--home", str(home)) if home is not None else ()), "doctor", "--json"])
        user = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups env HOME={folder} " if as_nobody else ""
        python = shlex.quote(sys.executable)
        seen = "\n".join(
            [
                # The time is for a busy machine; how long it takes is measured elsewhere.
                f"{linda} --timeout 30 > {out}/before.json",
                f"{python} -c {shlex.quote(_PICK)} {out}/before.json {topic} > {out}/command",
                f". {out}/command",
                healing or ":",
                f"{linda} --timeout 30 > {out}/after.json",
            ]
        )
        (out / "seen.sh").write_text(seen)
        script = "\n".join([*(shown_to_all(out) if as_nobody else ()), breaking, f"{user}sh {out}/seen.sh"])
        done = subprocess.run(
            [*inside, "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environ},
        )
        said = done.stdout + done.stderr
        assert (out / "after.json").exists(), said
        before, after = (_json(out / name, said) for name in ("before.json", "after.json"))
        return Mended(topic, before, after, (out / "command").read_text().strip(), said)


def _json(path: Path, said: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise AssertionError((path.read_text(), said)) from None
    assert told["version"] == 1
    return told


def wrapper(path: Path, says: str) -> Path:
    """A program that says this to ``--version``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {shlex.quote(says)}\n")
    path.chmod(0o755)
    return path


def folder_for_all() -> Path:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="linda-doctor-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
