"""Whose the files are: one ``sudo`` run leaves some that their owner can no longer read. That is no damage."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from linda_cli.sessions.storage.paths import IDB, IDB_BLOBS, IDB_LEVELDB, IDB_SQLITE, LOCAL_LEVELDB, LOCAL_SQLITE

_MOST = 20_000


def foreign(profile: Path) -> Path | None:
    """The topmost file or folder of the login that is another user's and that we may not use, None where all are ours.

    A link is never followed; what it leads to is for the checks.
    """
    user = os.geteuid()
    if user == 0:
        return None
    places = (profile, profile / "Default", profile / LOCAL_LEVELDB.parent, profile / IDB)
    for place in places:
        if _is_foreign(place, user):
            return place
    stores = (LOCAL_SQLITE, LOCAL_SQLITE.with_name(f"{LOCAL_SQLITE.name}-wal"), LOCAL_LEVELDB, IDB_LEVELDB, IDB_SQLITE)
    seen = 0
    for root in (*stores, IDB_BLOBS):
        if _is_foreign(profile / root, user):
            return profile / root
        try:
            with os.scandir(profile / root) as listing:
                for one in listing:
                    seen += 1
                    if _is_foreign(Path(one.path), user):
                        return Path(one.path)
                    if seen > _MOST:
                        return None
        except OSError:
            # Not there, or no folder, or not to be listed: the checks say which.
            continue
    return None


def chown(path: Path) -> str:
    """The command that gives it back."""
    import shlex  # only who has to say this needs it

    return f"sudo chown -R {os.geteuid()}:{os.getegid()} {shlex.quote(str(path))}"


def _is_foreign(path: Path, user: int) -> bool:
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return False
    if status.st_uid == user or stat.S_ISLNK(status.st_mode):
        return False
    needed = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(status.st_mode) else 0)
    return not os.access(path, needed, effective_ids=True)
