"""The ladder: attach, else the profile, else the backups, newest first, else link.

A rung that fails is said, recorded, and never destroys the rung below.
"""

from __future__ import annotations

from dataclasses import dataclass

from linda_cli.browser.binaries import find_browser, find_driver
from linda_cli.errors import (
    BackupUnusable,
    BrowserTooOld,
    InUse,
    LindaError,
    LoggedOut,
    ProfileDamaged,
    Unreachable,
)
from linda_cli.lifecycle import linking, mending, readiness, saving
from linda_cli.lifecycle.live import take_up
from linda_cli.lifecycle.patience import Patience
from linda_cli.lifecycle.readiness import Failure
from linda_cli.lifecycle.run import Run
from linda_cli.sessions.checks import Look
from linda_cli.sessions.refusals import unknown_format
from linda_cli.sessions.verdict import can_restore


@dataclass(slots=True)
class Climb:
    """What one way up the ladder has learnt so far."""

    verdict: str = "missing"
    refused: bool = False
    # The quarantine name of the profile that a backup took the place of first.
    original: str | None = None
    tried_backups: int = 0
    bad_backups: int = 0
    # Coming back within a run: who is told, and how, is for the one who stays.
    again: bool = False
    was_damaged: bool = False


def climb_again(run: Run) -> None:
    """The same way up within a run, after its browser was lost: ``run.source`` says which rung held.

    Raises as :func:`climb` does; ``Unreachable`` means that it may be tried again later.
    """
    run.patience = Patience(run.options.timeout)
    _up(run, Climb(again=True))


def climb(run: Run) -> None:
    """Bring the session to ready, and tell it. Raises the named errors, and ``Stopped``."""
    # Before anything is moved: without a browser no rung can hold.
    find_browser()
    find_driver()
    run.patience = Patience(run.options.timeout)
    so_far = Climb()
    if run.number is None:
        run.tell("checked", verdict="missing", checks=())
        _link(run, so_far)
        return
    _up(run, so_far)


def _up(run: Run, so_far: Climb) -> None:
    if _from_browser(run, so_far) or _from_profile(run, so_far) or _from_backups(run, so_far):
        return
    if so_far.refused:
        _put_original_back(run, so_far)
        raise Unreachable(
            "WhatsApp refuses this login for now; it was kept and will be tried again",
            f"linda start {run.number}",
        )
    so_far.was_damaged = so_far.verdict == "damaged"
    if so_far.was_damaged and not so_far.tried_backups and _last_chance(run, so_far):
        return
    _link(run, so_far)


# -- the rungs


def _from_browser(run: Run, so_far: Climb) -> bool:
    number = _number(run)
    running = run.store.world.running(run.profile)
    if running is None:
        holder = run.store.world.around(run.profile).holder
        if holder is not None:
            raise InUse(
                f"the profile of {number} is open in another browser: pid {holder.pid} on {ascii(holder.host)[1:-1]}",
                f"linda info {number}",
                pid=holder.pid,
            )
        return False
    seen, so_far.verdict = run.store.look(number, run.profile)
    run.tell("checked", verdict=so_far.verdict, checks=seen.checks)
    run.check_world(seen.login.sandbox if seen.login else None)
    run.tell("restoring", rung="browser", backup=None)
    live = take_up(run.profile, **run.watching())
    run.live = live
    failure: Failure | None
    if live is None:
        failure = Failure("its debugging port does not answer")
        _end_unattached(run)
    else:
        try:
            failure = readiness.await_ready(run, live, attached=True)
        except LindaError as problem:
            # The page in it may be stuck; a fresh browser on the same profile is the next rung.
            failure = Failure(problem.message)
        if failure is None:
            run.login = seen.login.digest if seen.login else None
            _arrived(run, so_far, "browser")
            return True
        run.close_browser()
    run.tell("rung_failed", rung="browser", backup=None, reason=failure.reason)
    if failure.kind == "logged_out":
        _logged_out(run, so_far, seen.login.digest if seen.login else None, failure.reason)
    return False


def _end_unattached(run: Run) -> None:
    """A browser that is proven to run on this profile and cannot be spoken to is ended."""
    from linda_cli.browser.close import close
    from linda_cli.browser.launch import Running
    from linda_cli.browser.processes import DevToolsPort, occupant

    found = occupant(run.profile)
    if found is not None and found.proven:
        close(Running(run.profile, found.pid, found.started, DevToolsPort(0, "")))


def _from_profile(run: Run, so_far: Climb) -> bool:
    number = _number(run)
    if so_far.verdict == "logged_out":
        return False
    seen, so_far.verdict = run.store.look_before_start(number, run.profile)
    run.tell("checked", verdict=so_far.verdict, checks=seen.checks)
    _refuse_to_go_on(run, seen, so_far.verdict)
    if not can_restore(so_far.verdict):
        return False
    run.check_world(seen.login.sandbox if seen.login else None)
    mending.mend(run, seen)
    run.fingerprint = run.store.fingerprint(number, run.profile)
    if run.store.backup_of(number, run.fingerprint) is None:
        # Whatever the browser does to it from here on, these bytes are safe.
        saving.back_up(run, "startup")
    run.tell("restoring", rung="profile", backup=None)
    return _attempt(run, so_far, "profile", None, seen.login.digest if seen.login else None)


def _refuse_to_go_on(run: Run, seen: Look, verdict: str) -> None:
    if verdict == "too_new":
        why = next(check.detail for check in seen.checks if check.key == "browser")
        raise BrowserTooOld(
            f"the profile of {run.number} is not for the installed browser: {why}",
            "sudo apt-get install --only-upgrade chromium chromium-driver",
        )
    if verdict == "unknown_format":
        raise unknown_format(f"the login of {run.number}", seen)


def _from_backups(run: Run, so_far: Climb) -> bool:
    number = _number(run)
    for backup, wrong in run.store.climbable(number, run.options.max_generations):
        if wrong is not None:
            so_far.bad_backups += wrong not in ("logged out", "forgotten", "rejected before")
            run.tell("rung_failed", rung="backup", backup=backup.name, reason=wrong)
            continue
        run.tell("restoring", rung="backup", backup=backup.name)
        try:
            put = run.store.put_in_place(number, backup.name, f"the ladder tried {backup.name} instead")
        except BackupUnusable as problem:
            so_far.bad_backups += 1
            run.tell("rung_failed", rung="backup", backup=backup.name, reason=problem.message)
            continue
        so_far.tried_backups += 1
        run.profile = put.profile
        if put.aside is not None:
            so_far.original = so_far.original or put.aside
            run.tell("quarantined", name=put.aside, reason=_why_aside(so_far))
        run.fingerprint = backup.fingerprint
        # A copy of a running browser may end in an unfinished record, which costs the start after the next one.
        mending.mend(run, run.store.look(number, run.profile)[0])
        if _attempt(run, so_far, "backup", backup.name, backup.login):
            return True
        if so_far.verdict == "logged_out":
            return False
    return False


def _why_aside(so_far: Climb) -> str:
    return so_far.verdict if so_far.tried_backups <= 1 else "it did not log in"


def _attempt(run: Run, so_far: Climb, rung: str, backup: str | None, login: str | None) -> bool:
    """Start a browser on what is in place. False: the rung failed, and was recorded."""
    failure = _try_twice(run)
    if failure is None:
        run.login = login
        _arrived(run, so_far, rung)
        return True
    run.tell("rung_failed", rung=rung, backup=backup, reason=failure.reason)
    if failure.kind in ("rejected", "client_fatal"):
        run.store.remember_rejected(_number(run), run.fingerprint)
        so_far.verdict = "rejected"
    elif failure.kind == "refused":
        so_far.refused = True
    elif failure.kind == "logged_out":
        _logged_out(run, so_far, login, failure.reason)
    return False


def _arrived(run: Run, so_far: Climb, rung: str) -> None:
    if so_far.again:
        run.source = rung
    else:
        saving.ready(run, rung)


def _try_twice(run: Run) -> Failure | None:
    """A browser that dies under its page, and a page that is refused for now, get a second start."""
    failure: Failure | None = None
    for _ in range(2):
        with run.browser() as live:
            failure = readiness.await_ready(run, live)
            if failure is None:
                return None
            run.close_browser()
        if failure.kind not in ("died", "refused", "unsupported"):
            return failure
        if failure.kind == "unsupported" and not mending.drop_service_worker(run):
            break
    if failure is not None and failure.kind == "died":
        raise failure.as_error()
    if failure is not None and failure.kind == "unsupported":
        raise failure.as_error()
    return failure


def _logged_out(run: Run, so_far: Climb, login: str | None, reason: str) -> None:
    """WhatsApp unlinked this device: say so, put the profile aside, never try this login again."""
    number = _number(run)
    so_far.verdict = "logged_out"
    run.store.state.forget(number, "logged_out", condemn=login)
    run.tell("logged_out", reason=reason)
    name = run.store.quarantine(number, run.profile, f"logged out: {reason}")
    if name is not None:
        run.tell("quarantined", name=name, reason="logged out")
    run.profile = run.store.home.named_profile(number)


def _last_chance(run: Run, so_far: Climb) -> bool:
    """A damaged profile without any backup: copied first, then tried, before anyone sees a QR code."""
    number = _number(run)
    name = run.store.quarantine_copy(number, run.profile, "damaged; a copy taken before it was tried as it is")
    run.tell("quarantined", name=name, reason="a copy of the damaged profile")
    run.fingerprint = run.store.fingerprint(number, run.profile)
    run.tell("restoring", rung="profile", backup=None)
    return _attempt(run, so_far, "profile", None, None)


def _put_original_back(run: Run, so_far: Climb) -> None:
    if so_far.original is not None:
        run.profile = run.store.put_in_place(_number(run), so_far.original, "it was refused for now").profile


def _link(run: Run, so_far: Climb) -> None:
    _refuse_to_link(run, so_far)
    if run.number is not None and so_far.verdict in ("damaged", "rejected", "logged_out"):
        name = run.store.quarantine(run.number, run.profile, so_far.verdict)
        if name is not None:
            run.tell("quarantined", name=name, reason=so_far.verdict)
        run.profile = run.store.home.named_profile(run.number)
    linking.link(run)


def _refuse_to_link(run: Run, so_far: Climb) -> None:
    options = run.options
    if so_far.verdict == "logged_out":
        linking.refuse_after_logout(run, options.no_link)
    if not options.no_link:
        return
    who = run.number or "this home"
    if so_far.verdict == "cleared":
        raise LoggedOut(f"{who} was cleared, and linking was not wanted", f"linda start {run.number}")
    if so_far.was_damaged and not so_far.bad_backups and not so_far.tried_backups:
        raise ProfileDamaged(
            f"the login of {who} is damaged and there is no backup to restore", f"linda start {run.number}"
        )
    raise BackupUnusable(
        f"{who} has nothing left to restore, and linking was not wanted",
        f"linda start {run.number or ''}".strip(),
    )


def _number(run: Run) -> str:
    assert run.number is not None
    return run.number
