"""What can be mended in a profile without touching the login: found by the checks, carried out by whoever starts.

Only for a profile that no browser has open, and under the run lock: in a live one the same signs mean nothing.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from linda_cli.sessions.durable import sync_folder, unfinished, write_whole
from linda_cli.sessions.login_files import DATABASE, LOCAL_STORAGE
from linda_cli.sessions.storage.repair import Repair


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
