"""The sessions of a home: their formats, their checks, and processes that hold them and do not move."""

from __future__ import annotations

import os
import socket

import psutil

from linda_cli.browser.binaries import browser_version, find_browser
from linda_cli.browser.features import Features, refuse_dropping
from linda_cli.browser.flags import extra_arguments
from linda_cli.doctor.commands import install
from linda_cli.doctor.models import Finding, Look, Patient, Topic
from linda_cli.errors import BrowserFailed, Misused
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import holder_of
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.values import Overview


def look_at_logins(patient: Patient, home: Home) -> Look:
    """What ``linda info`` says, and what to do about it. A session that is logged out, or never was linked, is well."""
    overview = store_at(home).overview()
    found: list[Finding] = []
    for session in overview.sessions:
        if session.verdict == "damaged":
            usable = any(backup.valid is not False for backup in session.backups)
            words = f"restore {session.session}" if usable else f"start {session.session}"
            message = f"the login of {session.session} is damaged" + ("" if usable else ", and there is no backup")
            found.append(Finding(Topic.LOGINS, message, patient.linda(words)))
        elif session.verdict == "too_new":
            message = f"the profile of {session.session} was written by a newer Chromium than the one that is used"
            found.append(Finding(Topic.LOGINS, message, _newer_browser(patient)))
    return Look(Topic.LOGINS, _counted(overview), tuple(found))


def _newer_browser(patient: Patient) -> str:
    if patient.environ.get("LINDA_CHROME"):
        try:
            without = {name: value for name, value in patient.environ.items() if name != "LINDA_CHROME"}
            browser_version(find_browser(without))
            return patient.unset("LINDA_CHROME")
        except BrowserFailed:
            pass  # there is no other browser here: one is installed
    return install(patient, "chromium", "chromium-driver")


def _counted(overview: Overview) -> str:
    counts: dict[str, int] = {}
    for session in overview.sessions:
        counts[session.verdict] = counts.get(session.verdict, 0) + 1
    return ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in sorted(counts.items())) or "none yet"


def look_at_storage_format(patient: Patient, home: Home) -> Look:
    """LevelDB or SQLite; with the wrong features Chromium deletes the one or the other."""
    try:
        given = Features.of(extra_arguments(patient.environ.get("LINDA_CHROME_ARGS", "")))
    except Misused:
        # look_at_browser says so.
        given = Features()
    kinds: set[str] = set()
    for number in home.numbers_with_profile():
        formats = formats_of(home.named_profile(number))
        kinds |= {formats.indexed_db.value, formats.local_storage.value}
        try:
            refuse_dropping(given, formats)
        except Misused as problem:
            wrong = Finding(Topic.STORAGE_FORMAT, f"{number}: {problem.message}", patient.unset("LINDA_CHROME_ARGS"))
            return Look(Topic.STORAGE_FORMAT, problem.message, (wrong,))
    return Look(Topic.STORAGE_FORMAT, ", ".join(sorted(kinds)) or "none yet")


def look_at_locks(home: Home) -> Look:
    """A process that Ctrl-Z or a debugger has stopped holds its session, and answers nobody."""
    found = []
    held = 0
    names = [*home.numbers_with_profile(), *{one.number for one in home.stamped("backup")}, "linking", "serve"]
    for lock in [*(home.run_lock(name) for name in dict.fromkeys(names)), *(home.store_lock(name) for name in names)]:
        holder = holder_of(lock)
        if holder is None:
            continue
        held += 1
        if holder.host == socket.gethostname() and _is_stopped(holder.pid):
            message = f"{holder} holds {lock.name} and is stopped: nobody else can use that session"
            found.append(Finding(Topic.LOCKS, message, f"kill -CONT {holder.pid}"))
    return Look(Topic.LOCKS, f"{held} in use", tuple(dict.fromkeys(found)))


def _is_stopped(pid: int) -> bool:
    try:
        return pid != os.getpid() and psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False
