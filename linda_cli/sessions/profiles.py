"""Profiles changing places: into quarantine, out of a backup, from ``linking-<ms>`` to their number.

Everything here is called with the session's store lock held, and every change is a rename after the bytes are durable.
Half-done work has a name that says what it was (``.restoring-``, ``.aside-``, ``.quarantining-``, ``.making-``,
``.discarding-``), so that whoever holds the lock next can finish it or take it back: :func:`tidy`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import BackupNotFound, Failed, InUse
from linda_cli.sessions import backups
from linda_cli.sessions.caches import drop_caches, kept
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.durable import (
    copy_hashed,
    hash_file,
    make_folder,
    move,
    remove_tree,
    sync_folder,
    sync_folders,
    write_whole,
)
from linda_cli.sessions.finding import linked_number, profile_of
from linda_cli.sessions.fingerprints import remember
from linda_cli.sessions.home import Home, Stamped, parse_stamped
from linda_cli.sessions.locks import held
from linda_cli.sessions.login_files import LOGIN_ROOTS, is_ours_alone
from linda_cli.sessions.manifest import Manifest
from linda_cli.sessions.repairs import unfinished_repairs
from linda_cli.sessions.sharing import unfinished_parts
from linda_cli.sessions.storage import ownership

REASON = "quarantine.json"

# What a browser that was running left of itself, and our own note: no part of a profile that is put back.
_OF_A_RUN = frozenset({REASON, "SingletonLock", "SingletonSocket", "SingletonCookie", "DevToolsActivePort"})

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PutInPlace:
    """``aside``: the quarantine name of the profile that was there, None when there was none."""

    profile: Path
    aside: str | None


def quarantine(home: Home, number: str, profile: Path, reason: str) -> str | None:
    """Put a profile aside, whole but for its caches; None when there was nothing. It is out of the way in one step."""
    if not os.path.lexists(profile):
        return None
    ms = home.next_ms(number)
    work = home.work_in_cache("quarantining", number, ms)
    if profile.is_symlink() or not profile.is_dir():
        # Whatever stands there is not ours to look into: move the name itself, never what it points to.
        move(profile, work)
        move(work, home.at(f"quarantine-{number}-{ms}"))
        return f"quarantine-{number}-{ms}"
    if profile.stat().st_dev == home.cache.stat().st_dev:
        move(profile, work)
        return _finish_quarantine(home, work, number, ms, reason)
    name, unread = _copied_aside(home, number, profile, reason)
    if unread:
        remove_tree(home.at(name))
        raise Failed(
            f"{profile / unread[0]} cannot be read, so nothing was put aside: what cannot be copied is not removed",
            ownership.giving_back(profile / unread[0]),
        )
    dead = home.work_in_sessions("discarding", number, ms)
    move(profile, dead)
    # What cannot be removed is a leftover from here on, and noted by whoever tidies.
    try_remove(dead)
    return name


def quarantine_copy(home: Home, number: str, profile: Path, reason: str) -> str:
    """Copy a profile aside, whole but for its caches, and leave it where it is.

    What cannot be read is left out: it is not lost, the profile still has it.
    """
    return _copied_aside(home, number, profile, reason)[0]


def _copied_aside(home: Home, number: str, profile: Path, reason: str) -> tuple[str, list[str]]:
    """The quarantine's name, and what could not be read."""
    ms = home.next_ms(number)
    # Not "quarantining", which is finished after a kill: half a copy is worth nothing while the profile is there.
    work = home.work_in_cache("making", number, ms)
    try:
        unread = _copy_whole(profile, work)
    except BaseException:
        if work.exists():
            remove_tree(work)
        raise
    return _finish_quarantine(home, work, number, ms, reason), unread


def _copy_whole(source: Path, target: Path, leave_out: frozenset[str] = frozenset()) -> list[str]:
    """Copy all but the caches, durably; gives what could not be read. A link is copied as one, never followed.

    A file with a second name is left out: nobody knows whose it is, and it is not lost with this name.
    """
    unread = []
    make_folder(target)
    for one in kept(source):
        where = target / one.path
        if one.path in leave_out:
            continue
        if one.kind == "folder":
            make_folder(where, durable=False)
        elif one.kind == "link":
            os.symlink(os.readlink(source / one.path), where)
        elif one.kind == "file" and is_ours_alone(source / one.path):
            try:
                copy_hashed(source / one.path, where, durable=True)
            except OSError:
                if _reads(source / one.path):
                    raise
                where.unlink(missing_ok=True)
                unread.append(one.path)
    sync_folders(target)
    return unread


def _reads(path: Path) -> bool:
    try:
        hash_file(path)
    except OSError:
        return False
    return True


def _finish_quarantine(home: Home, work: Path, number: str, ms: int, reason: str) -> str:
    drop_caches(work)
    if not (work / REASON).exists():
        told = {"version": 1, "number": number, "putAside": iso(now_ms()), "reason": reason}
        write_whole(work / REASON, json.dumps(told, indent=1).encode() + b"\n")
    name = f"quarantine-{number}-{ms}"
    move(work, home.at(name))
    return name


def put_back(
    home: Home,
    stamped: Stamped,
    number: str,
    reason: str,
    proven: Callable[[Manifest | None], None] = lambda _: None,
) -> PutInPlace:
    """Make a backup, or a quarantined profile, the profile of its number; the present one goes to quarantine.

    ``proven`` is called once the whole of it is known to be good and nothing has been moved yet; what it raises
    leaves everything as it was. The swap is two renames in ``sessions/``; on any failure, an interruption included,
    the old profile is back.
    """
    make_folder(home.sessions)
    ms = now_ms()
    fresh = home.work_in_sessions("restoring", number, ms)
    aside = home.work_in_sessions("aside", number, ms)
    present = profile_of(home, number)
    target = home.named_profile(number)
    told: Manifest | None = None
    try:
        if stamped.kind == "backup":
            told = backups.unpack(home, stamped, fresh)
        else:
            _copy_quarantined(home, stamped, fresh)
        proven(told)
        had = os.path.lexists(present)
        try:
            if had:
                move(present, aside)
            move(fresh, target)
        except BaseException:
            _swap_back(fresh, target, aside, present)
            raise
    except BaseException as problem:
        if os.path.lexists(fresh):
            remove_tree(fresh)
        if isinstance(problem, OSError):
            raise Failed(
                f"{stamped.name} could not be put in place: {problem.strerror or problem}; the profile is as it was",
                "linda cleanup --keep 2",
            ) from problem
        raise
    if told is not None:
        # Every byte of these has just been read, and every block: the next look need not do it again.
        remember(home, number, target, told.files, time.time_ns())
    return PutInPlace(target, quarantine(home, number, aside, reason) if had else None)


def _swap_back(fresh: Path, target: Path, aside: Path, present: Path) -> None:
    """Undo a swap that failed anywhere: a rename may have been done although making it durable was refused."""
    if not os.path.lexists(fresh) and os.path.lexists(target):
        target.rename(fresh)
    if os.path.lexists(aside) and not os.path.lexists(present):
        aside.rename(present)
    # The renames are done and undone on disk or not at all; a failing fsync must not hide the first failure.
    with contextlib.suppress(OSError):
        sync_folder(target.parent)


def _copy_quarantined(home: Home, stamped: Stamped, fresh: Path) -> None:
    source = home.at(stamped)
    if source.is_symlink() or not source.is_dir():
        raise BackupNotFound(f"{stamped.name} is no folder", f"linda restore {stamped.number} --list")
    for path in _copy_whole(source, fresh, _OF_A_RUN):
        if path.startswith(tuple(f"{root}/" for root in LOGIN_ROOTS)):
            raise Failed(f"{source / path} cannot be read", ownership.giving_back(source / path))


def adopt(home: Home, linking: Path, number: str, tell: Tell = lambda _: None) -> Path:
    """Give ``linking-<ms>`` the name of its number, now that no browser is on it; an older profile goes aside."""
    target = home.named_profile(number)
    if os.path.lexists(target):
        name = quarantine(home, number, target, "a newer linking of the same number took its place")
        tell(f"the older profile of {number} is kept as {name}")
    move(linking, target)
    return target


def tidy(home: Home, number: str) -> Iterator[str]:
    """Finish or take back what an interrupted command left, one line each. The store lock makes all of it dead work."""
    for dead in (*home.unfinished(number), *unfinished_repairs(profile_of(home, number))):
        wrong = try_remove(dead)
        yield wrong or f"{dead.name}, an unfinished write, was removed"
    for backup in home.stamped("backup", number):
        for dead in unfinished_parts(home.at(backup)):
            wrong = try_remove(dead)
            if wrong:
                yield wrong
    for path, kind, _, ms in list(home.leftovers(number)):
        if kind == "aside" and not os.path.lexists(home.named_profile(number)):
            move(path, home.named_profile(number))
            yield f"an interrupted restore of {number} was taken back"
        elif kind == "aside":
            name = quarantine(home, number, path, "an interrupted restore had put it aside")
            yield f"an interrupted restore of {number} was finished; the profile before it is kept as {name}"
        elif kind == "quarantining":
            _finish_quarantine(home, path, number, ms, "an interrupted command had put it aside")
            yield f"quarantine-{number}-{ms} was finished"
        else:
            wrong = try_remove(path)
            yield wrong or f"a half-made copy of {number} was removed"


def try_remove(path: Path) -> str | None:
    """Remove a leftover; why it stays where it cannot be removed. It takes room, and is no reason to fail."""
    try:
        remove_tree(path)
        sync_folder(path.parent)
    except OSError as problem:
        where = f"sudo rm -r {shlex.quote(str(path))}"
        return f"{path.name}, a leftover, could not be removed ({problem.strerror or problem}): {where}"
    return None


def adopt_leftovers(home: Home, busy: Callable[[Path], bool], tell: Tell) -> None:
    """Name the ``linking-<ms>`` folders whose number is known and whose browser is gone."""
    for linking in home.linkings():
        number = linked_number(linking)
        if number is None or busy(linking):
            continue
        # Somebody holds it: it gets its name at a later command.
        with contextlib.suppress(InUse), contextlib.ExitStack() as locks:
            locks.enter_context(held(home.run_lock("linking"), what="the linking run", hint="linda stop"))
            locks.enter_context(held(home.run_lock(number), what=f"session {number}", hint=f"linda stop {number}"))
            locks.enter_context(held(home.store_lock(number), what=f"the store of {number}"))
            adopt(home, linking, number, tell)
            tell(f"{linking.name} is now session-{number}")


def find_stamped(home: Home, number: str, name: str) -> Stamped:
    """The backup or quarantined profile of that name; raises ``BackupNotFound``."""
    stamped = parse_stamped(name)
    if stamped is None or stamped.number != number or not os.path.lexists(home.at(stamped)):
        raise BackupNotFound(f"there is no {name[:80]!a} of {number}", f"linda restore {number} --list", session=number)
    return stamped
