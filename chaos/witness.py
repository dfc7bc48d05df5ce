"""A second witness for the layer: what ``strace`` sees of a command, beside what the layer steps through.

``python -m chaos.witness COMMAND ROOT REPORT`` does one command of ``chaos/commands.py`` on a home with the layer laid
over and writes down what the layer saw; run under ``strace`` both watch the same process.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.commands import COMMANDS
from chaos.homes import home_at, store_of
from chaos.layer import Real, laid_over

_BEGINS, _ENDS = "/linda-witness-begins", "/linda-witness-ends"

# Every call that changes names or bytes, by what Python's ``os`` calls it. Modes and times of a file that was just made
# (fchmod, utimensat of a copy) go with the call before them: nothing depends on their order.
_NAMES = {
    "openat": "open", "open": "open", "creat": "open", "write": "write", "writev": "write", "pwrite64": "pwrite",
    "pwritev": "pwrite", "pwritev2": "pwrite", "ftruncate": "ftruncate", "truncate": "truncate", "fsync": "fsync",
    "fdatasync": "fdatasync", "sync_file_range": "fsync", "rename": "rename", "renameat": "rename",
    "renameat2": "rename", "mkdir": "mkdir", "mkdirat": "mkdir", "unlink": "unlink", "rmdir": "rmdir", "link": "link",
    "linkat": "link", "symlink": "symlink", "symlinkat": "symlink", "chmod": "chmod", "fchmodat": "chmod",
    "copy_file_range": "copy", "sendfile": "copy", "mknod": "mknod", "mknodat": "mknod", "fallocate": "fallocate",
}  # fmt: skip
_SAME = {"replace": "rename", "remove": "unlink"}

_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += +(-?\d+)")
_PLACE = re.compile(r"<([^<>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")


@dataclass(frozen=True, slots=True)
class Call:
    """One change. ``path`` is relative to the home, its numbers (pids, stamps) taken out."""

    name: str
    path: str


def _call(name: str, path: str, root: Path) -> Call | None:
    path = os.path.normpath(path.removesuffix(" (deleted)"))
    if path != str(root) and not path.startswith(f"{root}/"):
        return None
    return Call(name, re.sub(r"\d+", "#", os.path.relpath(path, root)))


def traced(command: Sequence[str], root: Path, log: Path, *, marked: bool = False) -> list[Call]:
    """Run a command under strace: what it changed below ``root``; ``marked``: between the witness's two marks.

    Raises ``subprocess.CalledProcessError``.
    """
    words = ["strace", "-f", "-y", "--seccomp-bpf", "-e", f"trace=access,faccessat2,unlinkat,{','.join(_NAMES)}"]
    subprocess.run([*words, "-o", str(log), "--", *command], check=True, capture_output=True)
    lines = _whole(log.read_text("utf-8", "replace").splitlines())
    if marked:
        (first,) = [at for at, line in enumerate(lines) if _BEGINS in line]
        (last,) = [at for at, line in enumerate(lines) if _ENDS in line]
        lines = lines[first:last]
    return [call for line in lines if (call := _read(line, root)) is not None]


def _whole(lines: list[str]) -> list[str]:
    """Calls of threads at work beside one another come in two pieces each: whole, where they ended."""
    begun: dict[str, str] = {}
    whole = []
    for line in lines:
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
        elif " resumed>" in line:
            whole.append(begun.pop(thread, "") + line.split(" resumed>", 1)[1])
        else:
            whole.append(line)
    return whole


def _read(line: str, root: Path) -> Call | None:
    match = _LINE.match(line)
    # What failed has changed nothing; the other witness leaves it out too.
    if match is None or match[1] in ("access", "faccessat2") or int(match[3]) < 0:
        return None
    called, words = match[1], match[2]
    if called in ("openat", "open") and not _WRITES.search(words):
        return None
    name = "rmdir" if called == "unlinkat" and "AT_REMOVEDIR" in words else "unlink"
    name = _NAMES.get(called, name)
    place, text = _PLACE.search(words), _TEXT.search(words)
    if called.endswith(("at", "at2")) and text is not None:
        where = text[1] if text[1].startswith("/") or place is None else f"{place[1]}/{text[1]}"
    elif text is not None and not (place is not None and place.start() < text.start()):
        where = text[1]
    else:
        where = place[1] if place is not None else ""
    return _call(name, where, root)


def told(report: Path) -> list[Call]:
    """What the layer saw."""
    return [Call(*one) for one in json.loads(report.read_text())]


def injected(command: Sequence[str], call: str, way: str, at: int) -> subprocess.CompletedProcess[str]:
    """Run a command whose ``at``-th system call of this name ends badly: ``signal=SIGKILL``, ``error=ENOSPC``."""
    words = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{way}:when={at}"]
    return subprocess.run([*words, "--", *command], capture_output=True, text=True, check=False)


class Watching:
    """The hand that notes what passes through the layer and did not fail."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[Call] = []

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        where = self._where(args[0], kwargs.get("dir_fd"))
        answer = real(*args, **kwargs)
        call = _call(_SAME.get(name, name), where, self.root)
        if call is not None:
            self.calls.append(call)
        return answer

    def _where(self, path: Any, folder: int | None) -> str:
        if isinstance(path, int):
            return os.readlink(f"/proc/self/fd/{path}")
        text = os.fspath(path)
        return f"{os.readlink(f'/proc/self/fd/{folder}')}/{text}" if folder is not None else os.path.abspath(text)


def main() -> None:
    """In the process that both watch."""
    command = next(one for one in COMMANDS if one.name == sys.argv[1])
    root = Path(sys.argv[2])
    store, hand = store_of(home_at(root)), Watching(root)
    with laid_over(hand):
        os.access(_BEGINS, os.F_OK)
        command.act(store)
        os.access(_ENDS, os.F_OK)
    Path(sys.argv[3]).write_text(json.dumps([(one.name, one.path) for one in hand.calls]))


if __name__ == "__main__":
    main()
