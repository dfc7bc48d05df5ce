"""What can be mended in a profile without touching the login: found by the checks, carried out by whoever starts.

Only for a profile that no browser has open, and under the run lock: in a live one the same signs mean nothing.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from linda_cli.sessions.durable import sync_folder, unfinished, write_whole
from linda_cli.sessions.login_files import DATABASE, LOCAL_STORAGE


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing to do to one file of the profile."""

    act: Literal["write", "cut", "set aside"]
    path: PurePath
    """Relative to the profile."""
    what: str
    """In words, for the one line that tells of it."""
    content: bytes = b""
    """What to write."""
    size: int = 0
    """What to cut to."""
    was: int = 0
    """The size that was looked at; another one means that somebody else was here."""


def carry_out(profile: Path, repair: Repair) -> bool:
    """Do it, durably. False where the file is no longer what was looked at, and nothing was done."""
    path = profile / repair.path
    if repair.act == "write":
        if os.path.lexists(path):
            return False
        write_whole(path, repair.content)
        return True
    if repair.act == "cut":
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size != repair.was:
                return False
            os.ftruncate(descriptor, repair.size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    else:
        if not os.path.lexists(path):
            return False
        path.rename(path.with_name(f"{path.name}.garbled-{time.time_ns() // 1_000_000}"))
    sync_folder(path.parent)
    return True


def unfinished_repairs(profile: Path) -> list[Path]:
    """What a mend that was killed left of the file that it wrote."""
    return [one for store in (DATABASE, LOCAL_STORAGE) for one in unfinished(profile / store, "CURRENT")]
