"""Whether a database is still what a backup has checked page by page."""

from __future__ import annotations

import os
from pathlib import Path

from linda_cli.sessions.storage.inspection import Vouched
from linda_cli.sessions.storage.sqlite.files import BESIDE


def is_vouched(database: Path, vouched: Vouched) -> bool:
    """Every file of it that is there is known; an empty -wal holds nothing."""
    try:
        if not vouched(database, os.lstat(database)):
            return False
        for suffix in BESIDE:
            beside = database.with_name(database.name + suffix)
            try:
                status = os.lstat(beside)
            except FileNotFoundError:
                continue
            if status.st_size and not vouched(beside, status):
                return False
    except OSError:
        return False
    return True
