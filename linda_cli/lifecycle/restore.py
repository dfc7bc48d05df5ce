"""The restore steps: the running browser, the profile, the backups, newest first. Pure: what is known in, what to do
out.

A step that fails is told and recorded, and never destroys the one below. Nothing is moved without its proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from linda_cli.errors import (
    BackupUnusable,
    Blocked,
    BrowserFailed,
    BrowserMissing,
    BrowserSilent,
    BrowserTooOld,
    InUse,
    LindaError,
    LoggedOut,
    OtherAccount,
    ProfileDamaged,
    Unreachable,
)
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import Browser, Knowledge, Step
from linda_cli.lifecycle.page import (
    move_other_account,
    next_moment,
    other_account,
    page_help,
    progress_told,
    reconnected,
    waiting_told,
)
from linda_cli.lifecycle.proofs import VANISHED_AFTER
from linda_cli.lifecycle.waiting import KNOWING, waiting_for
from linda_cli.whatsapp.status import PageStatus

FRESH_BROWSERS = 2

REVOKE_TRIES = 10
"""How often a proven logout is tried to be written down before it is acted on without that."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed."""

    kind: str
    reason: str


def restore(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What to do next on the way to ready."""
    restoration = know.restoration
    if restoration.other is not None:
        return move_other_account(know)
    if restoration.logout is not None:
        return _after_logout(know, now)
    if know.browser is Browser.STARTING or know.is_busy(Lane.DISK):
        return _wait(know, now)
    if isinstance(restoration.error, (BrowserMissing, BrowserSilent, InUse, BrowserTooOld)) and not know.up:
        return _give_up(know, restoration.error)
    if know.browser is Browser.DEAD:
        return (do.CloseBrowser(),) if not know.is_busy(Lane.BROWSER) else _wait(know, now)
    if restoration.attempt is not None:
        return _attempt(know, now)
    if know.up:
        return (do.CloseBrowser(),) if not know.is_busy(Lane.BROWSER) else _wait(know, now)
    if know.busy:
        return _wait(know, now)
    return _next_step(know, now)


# -- between two steps


def _next_step(know: Knowledge, now: float) -> tuple[Action, ...]:
    restoration = know.restoration
    if know.number is None:
        refusal = link_refusal(know)
        return _give_up(know, refusal) if refusal is not None else (do.BeginLinking(),)
    if restoration.error is not None and know.disk is None:
        return _give_up(know, restoration.error)
    if know.disk is None:
        return (do.Inspect(),)
    facts = know.disk
    if not know.said.checked:
        return (do.Tell("checked", {"verdict": facts.verdict, "checks": facts.checks}),)
    if facts.running and not restoration.browser_tried:
        return (do.Tell("restoring", {"rung": "browser", "backup": None}), do.Attach())
    if facts.refusal is not None:
        return _give_up(know, facts.refusal)
    if restoration.suspicion is not None and not _holds_another_login(know):
        return _confirm_logout(know)
    if facts.can_restore and not restoration.profile_tried:
        return (do.PrepareProfile(),)
    if facts.verdict == "damaged" and restoration.damage_seen < 2:
        # Damage is read twice before anything follows from it.
        return (do.Inspect(),)
    return _next_backup(know, now)


def _holds_another_login(know: Knowledge) -> bool:
    """A login was linked in this profile after the one that is suspected to be unlinked: it is not in its way."""
    facts, suspicion = know.disk, know.restoration.suspicion
    return (
        facts is not None
        and suspicion is not None
        and facts.can_restore
        and facts.login not in (None, suspicion.login)
        and not know.restoration.profile_tried
    )


def _confirm_logout(know: Knowledge) -> tuple[Action, ...]:
    """A logout that is not proven: only its newest verified backup, in a fresh browser, can tell."""
    suspicion, restoration = know.restoration.suspicion, know.restoration
    assert suspicion is not None
    if restoration.found is None:
        return (do.FindBackup(verified_of=suspicion.login),)
    return _put(know, restoration.found.name, "no login is in it any more")


def _next_backup(know: Knowledge, now: float) -> tuple[Action, ...]:
    restoration, facts = know.restoration, know.disk
    assert facts is not None
    if restoration.refused:
        return _refused(know)
    if not restoration.exhausted:
        if restoration.found is None:
            return (do.FindBackup(tried=restoration.tried),)
        proof = proofs.may_replace(know, now)
        if proof is None:
            return _not_proven(know, now)
        return _put(know, restoration.found.name, proof)
    return _nothing_left(know, now)


def _put(know: Knowledge, name: str | None, proof: str) -> tuple[Action, ...]:
    assert name is not None
    found = know.restoration.found
    age = found.age_seconds if found is not None else None
    facts = {"rung": "backup", "backup": name, **({"ageSeconds": round(age)} if age is not None else {})}
    return (do.Tell("restoring", facts), do.RestoreBackup(name, proof))


def _nothing_left(know: Knowledge, now: float) -> tuple[Action, ...]:
    restoration, facts = know.restoration, know.disk
    assert facts is not None
    if restoration.original is not None and restoration.failure != "rejected" and not restoration.put_back:
        # What gave way comes back: no backup became ready.
        return (do.PutBack(restoration.original),)
    if facts.verdict == "rejected" and not restoration.profile_tried:
        # What an earlier run rejected gets one more try before anybody sees a code.
        return (do.PrepareProfile(),)
    if facts.verdict == "damaged" and not restoration.restored:
        if not restoration.last_chance:
            return (do.CopyToQuarantine("damaged; a copy taken before it was tried as it is"),)
        if not restoration.profile_tried:
            return (do.PrepareProfile(),)
    if restoration.failure in ("died", "unsupported") or (restoration.put_back and restoration.failure != "rejected"):
        return _give_up(know, _failed_for_good(know))
    if not proofs.SHOW_CODE.holds(know, now):
        return _not_proven(know, now)
    refusal = link_refusal(know)
    return _give_up(know, refusal) if refusal is not None else (do.BeginLinking(),)


def _not_proven(know: Knowledge, now: float) -> tuple[Action, ...]:
    """No step is left that may be taken: with what the last one said."""
    if know.restoration.failure is not None:
        return _give_up(know, _failed_for_good(know))
    return _not_ready(know, now)


def _failed_for_good(know: Knowledge) -> LindaError:
    restoration = know.restoration
    if restoration.failure == "died":
        return BrowserFailed(f"the browser died: {restoration.reason}", _again(know))
    return Unreachable(
        f"{know.number} did not become ready: {restoration.reason}; the profile is as it was", _hints(know)
    )


def link_refusal(know: Knowledge) -> LindaError | None:
    """Why no code may be shown, None where one may."""
    restoration, facts, options = know.restoration, know.disk, know.options
    who = know.number or "this home"
    verdict = facts.verdict if facts is not None else "missing"
    if verdict == "logged_out" or restoration.logout is not None:
        unwanted = options.no_link or (know.restoration.again and not options.link_again)
        if unwanted or not options.can_show:
            return LoggedOut(
                f"{who} was logged out, and "
                + ("linking was not wanted" if unwanted else "there is nowhere to show a code"),
                f"linda start {know.number} --qr-file qr.png",
                session=know.number,
            )
        return None
    if not options.no_link:
        return None
    if verdict == "cleared":
        return LoggedOut(f"{who} was cleared, and linking was not wanted", f"linda start {know.number}")
    if restoration.was_damaged and not restoration.bad_backups and not restoration.restored:
        return ProfileDamaged(
            f"the login of {who} is damaged and there is no backup to restore", f"linda start {know.number}"
        )
    return BackupUnusable(
        f"{who} has nothing left to restore, and linking was not wanted", f"linda start {know.number or ''}".strip()
    )


def _refused(know: Knowledge) -> tuple[Action, ...]:
    restoration = know.restoration
    if restoration.original is not None and not restoration.put_back:
        return (do.PutBack(restoration.original),)
    return _give_up(
        know,
        Unreachable("WhatsApp refuses this login for now; it was kept and will be tried again", _hints(know)),
    )


def _after_logout(know: Knowledge, now: float) -> tuple[Action, ...]:
    """The logout is proven: its login revoked, told, the profile quarantined, and a code where one may be shown."""
    restoration, logout = know.restoration, know.restoration.logout
    assert logout is not None
    if know.browser in (Browser.UP, Browser.DEAD) and not know.is_busy(Lane.BROWSER):
        return (do.CloseBrowser(),)
    if know.busy:
        return (do.Wait(now + 60.0),)
    if not restoration.revoked and restoration.revoke_tries < REVOKE_TRIES:
        again_at = restoration.revoke_at + 2.0
        return (do.Wait(again_at),) if now < again_at else (do.RevokeLogin(logout.login, logout.reason),)
    if not restoration.logout_told:
        return (do.Tell("logged_out", {"reason": logout.reason}),)
    if not restoration.quarantined and restoration.quarantine_tries < 3:
        if know.disk is None and restoration.error is None:
            return (do.Inspect(),)
        facts = know.disk
        if facts is not None and facts.can_restore and facts.login not in (None, logout.login):
            # Somebody scanned the code while this browser was closing: what lies there is another login.
            return (do.BeginRestoration("another login was linked meanwhile"),)
        return (do.Quarantine(f"logged out: {logout.reason}", "the device was unlinked"),)
    if not restoration.exhausted and restoration.error is None:
        if restoration.found is None:
            return (do.FindBackup(tried=restoration.tried),)
        # Of another login that is younger than this logout.
        return _put(know, restoration.found.name, "the device was unlinked")
    refusal = link_refusal(know)
    return (do.Shutdown(refusal),) if refusal is not None else (do.BeginLinking(),)


# -- one step under way


def _attempt(know: Knowledge, now: float) -> tuple[Action, ...]:
    attempt = know.restoration.attempt
    assert attempt is not None
    if know.up:
        return _judged(know, now)
    if know.is_busy(Lane.BROWSER):
        return _wait(know, now)
    if attempt.step is Step.BROWSER:
        error = know.restoration.error
        reason = error.message if error is not None else know.browser_reason or "it is gone"
        return _step_failed(know, Failure("other", reason))
    return _start(know)


def _start(know: Knowledge) -> tuple[Action, ...]:
    """Have a browser on what is in place, as often as that may help."""
    restoration, attempt = know.restoration, know.restoration.attempt
    assert attempt is not None
    if attempt.confirms == "vanished" and attempt.needs is not None:
        # Only what the disk has lost as well has vanished; else the browser has opened something else.
        if know.disk is None:
            return (do.Inspect(),)
        if know.disk.login is not None:
            return _step_failed(know, Failure("other", "the browser did not open the login that is on disk"))
    if attempt.needs == "verify":
        assert attempt.fingerprint is not None
        return (*_step_failed(know, Failure("vanished", proofs.VANISHED.name)), do.RecordRejection(attempt.fingerprint))
    if attempt.needs == "copy":
        assert attempt.copy is not None
        return (do.RestoreBackup(attempt.copy, "a second look at the same bytes"),)
    if attempt.needs == "worker":
        return (do.DropServiceWorker(),)
    if not attempt.prepared:
        return (do.PrepareProfile(from_backup=True),)
    if attempt.deaths >= FRESH_BROWSERS:
        if restoration.empty_lived is None:
            return (do.TryEmptyProfile(attempt.lived + 2.0),)
        if restoration.empty_lived:
            return _step_failed(know, Failure("died", know.browser_reason or "it died"))
        error = restoration.error
        return _give_up(
            know,
            error
            if isinstance(error, BrowserFailed)
            else BrowserFailed(f"the browser dies on every profile: {know.browser_reason}", "linda start --verbose"),
        )
    if attempt.launches >= FRESH_BROWSERS + attempt.worker_dropped:
        return _step_failed(know, Failure("other", know.browser_reason or "it did not become ready"))
    told = know.said.restoring
    wanted = (attempt.step.value, attempt.backup)
    if told != wanted:
        return (do.Tell("restoring", {"rung": attempt.step.value, "backup": attempt.backup}), do.Launch())
    return (do.Launch(),)


def _judged(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What the page of the browser says of the login that was restored."""
    attempt, page = know.restoration.attempt, know.page
    assert attempt is not None
    if know.status is PageStatus.READY:
        return _ready(know, now)
    failure = failure_of(know, now)
    if failure is not None:
        return _failed(know, failure)
    told = progress_told(know, now) or waiting_told(know, now)
    if told:
        return told
    return page_help(know, now) or _overdue(know, now, page.document_at)


def failure_of(know: Knowledge, now: float) -> Failure | None:
    """Why this step will not get there, by the proofs."""
    attempt, page = know.restoration.attempt, know.page
    if proofs.CONDEMN.holds(know, now):
        return Failure("logged_out", do.BY_THE_PHONE)
    if proofs.SUSPECT_BY_REASON.holds(know, now):
        assert page.logout is not None
        return Failure("suspected", page.logout.reason)
    if proofs.FATAL.holds(know, now):
        return Failure("client_fatal", "the page could not open its storage")
    if attempt is None:
        return None
    if attempt.step is Step.BROWSER or attempt.confirms == "logged_out":
        if proofs.SUSPECT_BY_ABSENCE.holds(know, now):
            return Failure("suspected", "")
    else:
        if proofs.REJECT.holds(know, now):
            return Failure("rejected", proofs.REJECT.name)
        if proofs.VANISHED.holds(know, now):
            return Failure("vanished", proofs.VANISHED.name)
        if proofs.SHOWN_EMPTY.holds(know, now):
            return Failure("no_login", proofs.SHOWN_EMPTY.name)
    refused = page.refused_since
    if refused is not None and now - refused >= know.options.timeout / 4:
        return Failure("refused", "WhatsApp refuses this login for now")
    if know.status is PageStatus.UNSUPPORTED and now - page.status_since >= KNOWING:
        return Failure("unsupported", "WhatsApp Web does not take this browser for Chrome")
    return None


def _failed(know: Knowledge, failure: Failure) -> tuple[Action, ...]:
    """Act on a failure: by proof, or with another look at the same bytes, or by another browser."""
    attempt = know.restoration.attempt
    assert attempt is not None
    if know.is_busy(Lane.BROWSER) or know.is_busy(Lane.DISK):
        return (do.Wait(float("inf")),)
    if failure.kind == "logged_out" or (failure.kind == "suspected" and proofs.CONFIRMED.holds(know, 0.0)):
        login = know.page.login
        assert login is not None
        return (do.CloseBrowser(), do.RevokeLogin(login, failure.reason or do.BY_THE_PHONE))
    if failure.kind == "suspected":
        login = know.page.login
        assert login is not None
        suspicion = do.Suspicion(login, failure.kind, failure.reason)
        return (
            *_step_failed(know, failure),
            do.CloseBrowser(),
            do.BeginRestoration(failure.reason, suspicion),
        )
    if failure.kind in ("client_fatal", "vanished") and attempt.step is not Step.BROWSER:
        if attempt.confirms == failure.kind == "vanished":
            return (do.CloseBrowser(), do.SecondLook("vanished again"))
        if attempt.confirms == failure.kind and attempt.fingerprint is not None:
            return (
                *_step_failed(know, failure),
                do.CloseBrowser(),
                do.RecordRejection(attempt.fingerprint),
            )
        if attempt.confirms is None and attempt.copy is not None:
            return (do.CloseBrowser(), do.SecondLook(failure.kind))
    if failure.kind == "rejected" and attempt.fingerprint is not None:
        return (*_step_failed(know, failure), do.CloseBrowser(), do.RecordRejection(attempt.fingerprint))
    if (
        failure.kind in ("refused", "unsupported")
        and attempt.launches < FRESH_BROWSERS
        and attempt.step is not Step.BROWSER
    ):
        if failure.kind == "unsupported":
            return (do.CloseBrowser(), do.SecondLook(failure.kind))
        return (do.CloseBrowser(),)
    if failure.kind == "unsupported":
        return _give_up(know, Unreachable(failure.reason, _again(know, "--headful")))
    return (*_step_failed(know, failure), do.CloseBrowser())


def _step_failed(know: Knowledge, failure: Failure) -> tuple[Action, ...]:
    attempt = know.restoration.attempt
    assert attempt is not None
    reason = failure.reason if failure.kind != "suspected" else f"logged out: {failure.reason or do.BY_THE_PHONE}"
    facts = {"rung": attempt.step.value, "backup": attempt.backup, "reason": reason}
    return (do.Tell("rung_failed", facts), do.FailStep(failure.kind, reason))


def _ready(know: Knowledge, now: float) -> tuple[Action, ...]:
    reading, attempt = know.page.reading, know.restoration.attempt
    assert reading is not None
    assert attempt is not None
    if proofs.OTHER_ACCOUNT.holds(know, now):
        return other_account(know, attached=attempt.step is Step.BROWSER)
    if reading.keys and reading.number not in (None, know.number):
        if not proofs.NUMBER_CHANGED.holds(know, now):
            # Another number: told apart from a changed one by the device's own key, twice.
            return _overdue(know, now, know.page.document_at)
        if know.said.number_changed != reading.number:
            return (do.Tell("number_changed", {"from": know.number, "to": reading.number}),)
    if know.restoration.again:
        return (reconnected(know, attempt.step.value, now),)
    return (do.Arrive(attempt.step.value),)


def _overdue(know: Knowledge, now: float, _: float) -> tuple[Action, ...]:
    """The time to ready is over, or half of it is and another browser may see more."""
    attempt, options = know.restoration.attempt, know.options
    assert attempt is not None
    if _about_to_tell(know, now):
        return _wait(know, now)
    if now >= know.restoration.began + options.timeout:
        return _not_ready(know, now)
    unproven = know.status in (
        PageStatus.QR, PageStatus.QR_EXPIRED, PageStatus.QR_LOADING, PageStatus.UNOBSERVED, PageStatus.GONE,
    )  # fmt: skip
    due = know.page.status_since + options.timeout / 3
    fresh = attempt.launches < FRESH_BROWSERS and not know.is_busy(Lane.BROWSER)
    if know.status is PageStatus.GONE and fresh and not know.is_busy(Lane.BROWSER):
        return (do.CloseBrowser(),)
    if unproven and fresh and now >= due and know.network.up is not False:
        return (do.CloseBrowser(),)
    if know.status is PageStatus.GONE and not know.is_busy(Lane.BROWSER):
        return (*_step_failed(know, Failure("other", "the page crashed")), do.CloseBrowser())
    return _wait(know, now)


def _about_to_tell(know: Knowledge, now: float) -> bool:
    """The second look that confirms a failure shows it already, for less long than the proof needs: another browser
    would begin that anew, and the end of a short ``--timeout`` would leave it open for ever."""
    attempt, since = know.restoration.attempt, know.page.unpaired_since
    return attempt is not None and attempt.confirms is not None and since is not None and now - since < VANISHED_AFTER


def _not_ready(know: Knowledge, now: float) -> tuple[Action, ...]:
    restoration = know.restoration
    if restoration.again:
        # A session that was ready is never given up for this: the next try comes later.
        return (do.BeginOutage(restoration.reason or _what_it_shows(know)),)
    return _give_up(know, not_ready(know, now))


def not_ready(know: Knowledge, now: float) -> LindaError:
    """The error for a page that did not become ready in time, with what was seen."""
    status, reading, network = know.status, know.page.reading, know.network
    timeout = f"after {know.options.timeout:g} s"
    if network.up is False:
        return Unreachable(f"WhatsApp Web could not be reached: {network.reason}", "curl -I https://web.whatsapp.com")
    if status is PageStatus.BLOCKED and reading is not None:
        return Blocked(f"WhatsApp blocks this client: {reading.reason}", _again(know), kind=reading.reason)
    if status is PageStatus.COMPUTER:
        return Unreachable("WhatsApp Web is open on another computer", _again(know, "--takeover"))
    if know.up and know.page.document == 0 and reading is None:
        return Unreachable(f"WhatsApp Web could not be reached {timeout}", "curl -I https://web.whatsapp.com")
    waiting = waiting_for(know, now + KNOWING)
    if waiting is not None:
        return Unreachable(f"WhatsApp Web was not ready {timeout}: {waiting.reason}", _hints(know))
    if status is PageStatus.REFUSED:
        return Unreachable("WhatsApp refuses this login for now; it was kept and will be tried again", _hints(know))
    if status in (PageStatus.UNREACHABLE, PageStatus.NOTHING):
        return Unreachable(f"WhatsApp Web could not be reached {timeout}", "curl -I https://web.whatsapp.com")
    return Unreachable(f"WhatsApp Web was not ready {timeout}: it shows {status.value}", _hints(know))


def _what_it_shows(know: Knowledge) -> str:
    return know.status.value if know.up else know.browser_reason or "no browser"


def _again(know: Knowledge, *more: str) -> str:
    return " ".join(("linda start", *((know.number,) if know.number else ()), *more))


def _hints(know: Knowledge) -> str:
    """In the order in which they cost: wait, restore, clear."""
    number = know.number or ""
    return (
        f"wait and try again: linda start {number}; an older login: linda restore {number} --list; "
        f"a new code: linda clear {number}"
        if number
        else "linda start"
    )


def _give_up(know: Knowledge, error: LindaError) -> tuple[Action, ...]:
    restoration = know.restoration
    if restoration.again and not isinstance(error, (InUse, LoggedOut, OtherAccount, BrowserTooOld)):
        # A session that was ready goes on trying: the program may be upgraded just now, the disk full for a while.
        return (do.BeginOutage(error.message),)
    if restoration.attempt is not None and know.up and not know.is_busy(Lane.BROWSER):
        attempt = restoration.attempt
        facts = {"rung": attempt.step.value, "backup": attempt.backup, "reason": error.message}
        return (do.Tell("rung_failed", facts), do.Shutdown(error))
    return (do.Shutdown(error),)


def _wait(know: Knowledge, now: float) -> tuple[Action, ...]:
    return (do.Wait(next_moment(know, now)),)
