"""The home's files: the disk below them, whose they are, what the filesystem can do, and what was left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from linda_cli.doctor.commands import quoted
from linda_cli.doctor.models import Finding, Look, Patient, Topic
from linda_cli.errors import LindaError
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.home import Home

LEAST_FREE = 500 << 20
"""Bytes: a backup, a new profile and Chromium's caches beside a login of usual size."""

_FEWEST_INODES = 2000
_MOST_FILES = 50_000
_FAR_PAST = "520w"
_MANY = 100_000


def look_at_disk(patient: Patient, home: Home) -> Look:
    """Is there room for the next backup?"""
    status = os.statvfs(home.root)
    free = status.f_bavail * status.f_frsize
    few_inodes = bool(status.f_files) and status.f_favail < _FEWEST_INODES
    detail = f"{free / 1e9:.1f} GB free"
    if free >= LEAST_FREE and not few_inodes:
        return Look(Topic.DISK, detail)
    what = f"only {status.f_favail} more files fit" if few_inodes else f"only {free >> 20} MB are free"
    message = f"{what} where {home.root} is: a backup may fail"
    return Look(Topic.DISK, detail, (Finding(Topic.DISK, message, _more_room(patient, home)),))


def _more_room(patient: Patient, home: Home) -> str:
    """Old backups and quarantine, if there are any; else only a person knows what may go."""
    for words in ("cleanup --older-than 1d --keep 3", "cleanup --older-than 1m --keep 1"):
        age, keep = (86400.0, 3) if "1d" in words else (60.0, 1)
        with contextlib.suppress(LindaError, OSError):  # the disk's own trouble is told already
            if store_at(home).cleanup(age, keep, dry_run=True).freed:
                return patient.linda(words)
    return f"{quoted('du', '-xh', '--max-depth=2', _mount_point(home.root))} | sort -h | tail -n 20"


def _mount_point(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if os.path.ismount(one))


def look_at_rights(patient: Patient, home: Home) -> Look:
    """Logins are for their owner alone, and one owner has them all."""
    found: list[Finding] = []
    owner = home.root.stat().st_uid
    if not patient.is_root and owner != patient.user:
        command = f"sudo {quoted('chown', '-R', _spelled(patient.user), *_roots(home))}"
        message = f"{home.root} belongs to the user {owner}, and you are {patient.user}"
        return Look(Topic.RIGHTS, message, (Finding(Topic.RIGHTS, message, command),))
    # What only root can make right again, is not for --fix of a user.
    for path, status in _entries(home):
        if status.st_uid != owner:
            command = f"{patient.sudo}{quoted('chown', '-R', _spelled(owner), *_roots(home))}"
            message = f"{path} belongs to the user {status.st_uid} and not to {owner}, as the home does"
            found.append(Finding(Topic.RIGHTS, message, command, safe=patient.is_root))
            break
    wide = [path for path in _secrets(home) if _mode(path) & 0o077]
    if wide:
        command = quoted("chmod", "-R", "go-rwx", *_tops(home, wide))
        more = f" and {len(wide) - 1} more" if len(wide) > 1 else ""
        message = f"other users may read {wide[0]}{more}, which is or holds a login"
        found.append(Finding(Topic.RIGHTS, message, command, safe=True))
    return Look(Topic.RIGHTS, f"owner {owner}", tuple(found))


def _spelled(user: int) -> str:
    """As ``chown`` takes it: with a name the group follows by itself, with a number it must be named."""
    import pwd

    try:
        return f"{pwd.getpwuid(user).pw_name}:"
    except KeyError:
        return f"{user}:{user}"


def _roots(home: Home) -> tuple[Path, ...]:
    outside = not home.sessions.is_relative_to(home.root)
    return (home.root, home.sessions) if outside and os.path.lexists(home.sessions) else (home.root,)


def _entries(home: Home) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything that is ours in a home, links themselves and not what they name; so much of it as is looked at."""
    left = _MOST_FILES
    tops = (home.sessions, home.cache, home.logs, home.state_file, home.database, home.root / ".sandbox")
    for top in tops:
        if not os.path.lexists(top):
            continue
        yield top, top.lstat()
        for here, folders, names in os.walk(top):
            for name in (*folders, *names):
                path = Path(here, name)
                left -= 1
                with contextlib.suppress(OSError):  # gone meanwhile: a browser is at work
                    yield path, path.lstat()
            if left <= 0:
                return


def _secrets(home: Home) -> list[Path]:
    """What must be for the owner alone; a folder that is keeps everything below it."""
    profiles = [*(home.named_profile(number) for number in home.numbers_with_profile()), *home.linkings()]
    saved = [home.at(one) for kind in ("backup", "quarantine") for one in home.stamped(kind)]
    files = [home.state_file, home.database, *(home.root / name for name in ("linda.toml", "linda.env"))]
    return [path for path in (*profiles, *saved, *files) if os.path.lexists(path) and not path.is_symlink()]


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode & 0o777
    except OSError:
        return 0


def _tops(home: Home, wide: list[Path]) -> list[Path]:
    """As few paths as say it: a thousand backups are one folder."""
    if len(wide) <= 5:
        return wide
    return list(dict.fromkeys(path.parent if path.parent in (home.sessions, home.cache) else path for path in wide))


def look_at_filesystem(patient: Patient, home: Home) -> Look:
    """Chromium's locks are symbolic links, ours are ``flock``: some filesystems have neither."""
    kind, mount, flags = _mount_of(home.root)
    detail = f"{kind} at {mount}"
    if "ro" in flags:
        command = f"{patient.sudo}{quoted('mount', '-o', 'remount,rw', mount)}"
        message = f"{home.root} is on {mount}, which is mounted read-only"
        return Look(Topic.FILESYSTEM, detail, (Finding(Topic.FILESYSTEM, message, command),))
    lacks = _lacks(home.root)
    if lacks is None:
        return Look(Topic.FILESYSTEM, detail)
    better = Path(patient.environ.get("HOME") or "/var/lib") / "linda-home"
    # Not with -p: modes and owners are what such a filesystem does not have.
    copied = f"{quoted('cp', '-r', home.root, better)} && {quoted('chmod', '-R', 'go-rwx', better)}"
    message = f"{home.root} is on {kind}, which has no {lacks}: Chromium cannot keep a profile there"
    command = f"{copied} && {quoted('export', f'LINDA_HOME={better}')}"
    return Look(Topic.FILESYSTEM, detail, (Finding(Topic.FILESYSTEM, message, command),))


def _lacks(folder: Path) -> str | None:
    """What this filesystem cannot do; None where it can do all, or nothing may be tried there."""
    try:
        tried = Path(tempfile.mkdtemp(prefix=".doctor-", dir=folder))
    except OSError:
        return None
    try:
        try:
            (tried / "link").symlink_to("nowhere-1")
        except OSError:
            return "symbolic links"
        try:
            with open(tried / "lock", "w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return "locks"
        if (tried.stat().st_mode & 0o777) != 0o700:
            return "rights"
        return None
    finally:
        shutil.rmtree(tried, ignore_errors=True)


def _mount_of(path: Path) -> tuple[str, str, tuple[str, ...]]:
    """The filesystem's kind, where it is mounted, and how."""
    best: tuple[str, str, tuple[str, ...]] = ("unknown", "/", ())
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return best
    real = os.path.realpath(path)
    longest = -1
    for line in lines:
        words = line.split(" ")
        if len(words) < 4:
            continue
        mount = words[1].encode().decode("unicode_escape") if "\\" in words[1] else words[1]
        # The last of two mounts on one place is the one that is seen.
        if (real == mount or real.startswith(f"{mount.rstrip('/')}/")) and len(mount) >= longest:
            longest = len(mount)
            best = words[2], mount, tuple(words[3].split(","))
    return best


def look_at_leftovers(patient: Patient, home: Home) -> Look:
    """What interrupted work has left: ``linda cleanup`` takes it away."""
    done = store_at(home).cleanup(dry_run=True)
    left = [item for item in done.items if item.kind == "leftover" and item.action == "remove"]
    if not left:
        return Look(Topic.LEFTOVERS, "none")
    # Nothing but the leftovers: which old backups may go is a person's choice.
    command = patient.linda(f"cleanup --older-than {_FAR_PAST} --keep {_MANY}")
    size = sum(item.size for item in left)
    message = f"{len(left)} leftovers of interrupted work take {size / 1e6:.0f} MB: {left[0].name} ({left[0].reason})"
    return Look(Topic.LEFTOVERS, message, (Finding(Topic.LEFTOVERS, message, command, safe=True),))
