"""Whose the files are: one ``sudo`` run leaves some that the user can no longer read. That is no damage."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from linda_cli.sessions.storage.paths import IDB, IDB_BLOBS, IDB_LEVELDB, IDB_SQLITE, LOCAL_LEVELDB, LOCAL_SQLITE

_MOST = 20_000


def foreign(profile: Path) -> Path | None:
    """The topmost file or folder of the login that we may not use, None where we may use all of them.

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


def whose(path: Path) -> str:
    """What is wrong with it, in words."""
    return "belongs to another user" if _owner(path) != os.geteuid() else "may not be read"


def giving_back(path: Path) -> str:
    """The command that makes it ours to use."""
    import shlex  # only who has to say this needs it

    quoted = shlex.quote(str(path))
    if _owner(path) == os.geteuid():
        return f"chmod -R u+rwX {quoted}"
    return f"sudo chown -R {os.geteuid()}:{os.getegid()} {quoted}"


def _owner(path: Path) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def _is_foreign(path: Path, user: int) -> bool:
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return False
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        return False
    needed = os.R_OK | (os.X_OK if stat.S_ISDIR(status.st_mode) else 0)
    if status.st_uid != user:
        # Our own that are read-only are a home that is looked at; another's would fail under the browser's hands.
        needed |= os.W_OK
    return not os.access(path, needed, effective_ids=True)
