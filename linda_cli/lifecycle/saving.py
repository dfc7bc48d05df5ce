"""From ready to saved: the login has been seen on disk, and a backup of it exists."""

from __future__ import annotations

from dataclasses import replace

from linda_cli.errors import BrowserFailed, LindaError
from linda_cli.lifecycle.run import Run
from linda_cli.sessions.clock import iso, ms_of, now_ms
from linda_cli.sessions.login import read_login
from linda_cli.sessions.results import BackedUp
from linda_cli.sessions.values import Backup

SEEN_EVERY = 0.1
"""Seconds between two looks at the disk for a login that is not there yet. One look takes about 3 ms."""


def ready(run: Run, source: str) -> None:
    """The page is ready: keep and tell it. Raises ``InUse`` where the learnt number is run by somebody else."""
    assert run.live is not None
    assert run.number is not None
    number, restored = run.number, source in ("browser", "profile", "backup")
    first = not run.was_ready
    run.was_ready = True
    run.source = source
    moment = iso(now_ms())

    def change(entry: dict[str, object]) -> None:
        entry.update(isLinked=True, lastState="ready", lastReady=moment, linkAfter=None)
        if not restored:
            entry.update(authMethod=source, linkedAt=moment)
        elif first:
            entry["restoreCount"] = int(str(entry.get("restoreCount") or 0)) + 1
            entry["lastRestored"] = moment

    entry = run.store.state.update(number, change)
    run.tell(
        "ready",
        source=source,
        isRestored=restored,
        restoreCount=entry["restoreCount"],
        number=number,
        debuggerAddress=run.live.address,
    )
    # Only now, so that a kill between the two leaves what must not come back forgotten rather than the new login.
    run.store.state.welcome(number)


def save(run: Run) -> bool:
    """Try to say ``saved``. False: the login is not on disk yet, try again in ``SEEN_EVERY`` seconds."""
    assert run.number is not None
    seen = read_login(run.profile)
    if seen is None or seen.number != run.number:
        return False
    if run.live is not None and run.options.driver_at_once:
        # Attached beside all this; what keeps ChromeDriver from it must come out before anybody relies on this run.
        try:
            run.live.prove_driver()
        except BrowserFailed:
            if not run.live.gone:
                raise
            # Killed this very moment: the page's word of it is on its way, and the way back from it ends in saved.
            return False
    run.login = seen.digest
    there = _good_enough(run, seen.digest)
    if there is not None:
        run.store.raise_verified(run.number, there.name)
        made = BackedUp(run.number, replace(there, verified=True), False, 0.0)
    else:
        made = run.store.backup(
            run.number,
            reason="restored" if run.source in ("browser", "profile", "backup") else "linked",
            verified=True,
            profile=run.profile,
        )
        if made.is_new:
            run.tell("backed_up", backup=made.backup, reason=made.backup.reason)
    # The backup is durable already; now the profile is, too: a power cut costs neither.
    run.store.make_durable(run.profile)
    run.saved = True
    run.tell("saved", backup=made.backup, isNew=made.is_new)
    return True


def _good_enough(run: Run, login: str) -> Backup | None:
    """A backup that makes another one needless now: the very bytes that became ready, or for a browser that ran on
    all the while a recent one of its login."""
    assert run.number is not None
    if run.source in ("profile", "backup"):
        return run.store.backup_of(run.number, run.fingerprint)
    if run.source == "browser" and run.options.backup_every:
        newest = run.store.newest_of(run.number, login)
        age = now_ms() - (ms_of(newest.created_at) or 0) if newest is not None else None
        if age is not None and 0 <= age < run.options.backup_every * 1000:
            return newest
    return None


def back_up(run: Run, reason: str, *, replaces: bool = False) -> Backup | None:
    """Back up along the way; a failure is told as a failed backup and stops nothing."""
    if run.number is None:
        return None
    try:
        made = run.store.backup(
            run.number,
            reason=reason,
            verified=run.was_ready and _is_this_runs_login(run),
            replaces_since=run.began_ms if replaces else None,
            profile=run.profile,
        )
    except LindaError as problem:
        run.tell("backup_failed", reason=problem.message)
        return None
    if made.is_new:
        run.tell("backed_up", backup=made.backup, reason=made.backup.reason)
    return made.backup


def _is_this_runs_login(run: Run) -> bool:
    seen = read_login(run.profile)
    return seen is not None and seen.digest == run.login
