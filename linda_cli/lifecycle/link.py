"""Linking: codes on show until an account is linked and ready. Pure."""

from __future__ import annotations

from linda_cli.errors import (
    BrowserFailed,
    BrowserMissing,
    BrowserSilent,
    LindaError,
    NotLinkedInTime,
    PasskeyRequired,
    Unreachable,
)
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import Browser, Knowledge
from linda_cli.lifecycle.options import LinkMethod
from linda_cli.lifecycle.page import (
    move_other_account,
    network_asked,
    next_moment,
    observer_due,
    other_account,
    press_due,
    progress_told,
    reload_due,
    waiting_told,
)
from linda_cli.lifecycle.restore import not_ready
from linda_cli.lifecycle.waiting import KNOWING
from linda_cli.whatsapp.status import PageStatus

FIRST_CODE = 60
NEXT_CODE = 20
PAIRING_CODE = 180

STEP = 1.0
"""Seconds after which a step of the page towards the pairing code is asked for again."""

CODE_SHOWN_WITHIN = 30.0
"""Seconds within which a pairing code that was asked for must be on show; then it is asked for again."""

MOST_DEATHS = 2


def link(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What to do next until a device is linked."""
    if know.restoration.other is not None:
        return move_other_account(know)
    if know.browser is Browser.STARTING or know.is_busy(Lane.DISK):
        return (do.Wait(_next(know, now)),)
    if know.browser is Browser.DEAD:
        return (do.CloseBrowser(),) if not know.is_busy(Lane.BROWSER) else (do.Wait(_next(know, now)),)
    if not know.up:
        return _launch(know, now)
    return _with_page(know, now)


def _launch(know: Knowledge, now: float) -> tuple[Action, ...]:
    error, linking = know.restoration.error, know.linking
    if know.is_busy(Lane.BROWSER):
        return (do.Wait(_next(know, now)),)
    if (error is not None and not isinstance(error, BrowserFailed)) or isinstance(
        error, (BrowserMissing, BrowserSilent)
    ):
        return (do.Shutdown(error),)
    if linking.deaths >= MOST_DEATHS:
        return (
            do.Shutdown(
                error
                if error is not None
                else BrowserFailed(f"the browser died: {know.browser_reason}", "linda start --verbose")
            ),
        )
    if know.number is not None and linking.displaced is not None and not linking.moved:
        # What is there makes room, whole, for the login that is to come.
        if know.restoration.quarantine_tries >= 3:
            return (do.Shutdown(BrowserFailed(f"the {linking.displaced} profile could not be moved", "linda info")),)
        return (do.Quarantine(linking.displaced, linking.displaced),)
    return (do.Launch(),)


def _with_page(know: Knowledge, now: float) -> tuple[Action, ...]:
    if know.status is PageStatus.READY:
        return _ready(know, now)
    ended = _ended(know, now)
    if ended is not None:
        return (do.Shutdown(ended),)
    if know.status is PageStatus.GONE and not know.is_busy(Lane.BROWSER):
        return (do.CloseBrowser(),)
    return (
        _followed(know, now)
        or waiting_told(know, now)
        or observer_due(know, now)
        or network_asked(know, now)
        or press_due(know, now)
        or reload_due(know, now)
        or (do.Wait(_next(know, now)),)
    )


def _ready(know: Knowledge, now: float) -> tuple[Action, ...]:
    reading = know.page.reading
    assert reading is not None
    if not know.linking.authenticated:
        return (do.Tell("authenticated"), do.Note({"lastState": "authenticated"}))
    if reading.number is not None and know.number is None:
        if know.restoration.error is not None:
            return (do.Shutdown(know.restoration.error),)
        return (do.LearnNumber(reading.number),)
    if reading.number is not None and reading.number != know.number:
        if proofs.OTHER_LINKED.holds(know, now):
            return other_account(know)
        return (do.Wait(_next(know, now)),)
    if know.number is None:
        # Ready, and the account did not say who it is yet.
        return (do.Wait(_next(know, now)),)
    return (do.Arrive(know.options.link_with),)


def _ended(know: Knowledge, now: float) -> LindaError | None:
    """Why linking has come to its end, None where it goes on."""
    linking, options, reading = know.linking, know.options, know.page.reading
    again = f"linda start {know.number or ''}".strip()
    if options.qr_timeout and not linking.authenticated and now - linking.began >= options.qr_timeout:
        return NotLinkedInTime(f"nobody linked within {options.qr_timeout:g} s", again)
    if know.status is PageStatus.PASSKEY and not options.headful and linking.passkey:
        return PasskeyRequired(
            "WhatsApp asks for a passkey to link this device, which a headless browser cannot give",
            f"{again} --headful",
        )
    shown = now - know.page.status_since
    if know.status is PageStatus.UNSUPPORTED and shown >= KNOWING:
        return Unreachable("WhatsApp Web does not take this browser for Chrome", f"{again} --headful")
    if reading is not None and not reading.code_on_show and proofs.FATAL.holds(know, now) and shown >= KNOWING:
        return Unreachable("WhatsApp Web could not open its storage in this browser", again)
    if know.status is PageStatus.REFUSED and shown >= options.timeout / 4:
        return Unreachable("WhatsApp refuses the login that was just linked", again)
    return not_ready(know, now) if spent(know, now) >= options.timeout else None


def spent(know: Knowledge, now: float) -> float:
    """Seconds of the timeout that are over: it is paused while a person is waited for."""
    linking = know.linking
    held = linking.held + (now - linking.held_since if linking.held_since is not None else 0.0)
    return now - linking.began - held


def _followed(know: Knowledge, now: float) -> tuple[Action, ...]:
    """Tell what changed, and do what a person in front of the page would do."""
    reading, linking, options = know.page.reading, know.linking, know.options
    if reading is None:
        return ()
    if reading.keys and not linking.authenticated:
        if know.number is None and reading.number is not None:
            if know.restoration.error is not None:
                return (do.Shutdown(know.restoration.error),)
            return (do.LearnNumber(reading.number),)
        return (do.Tell("authenticated"), do.Note({"lastState": "authenticated"}))
    if linking.authenticated:
        return progress_told(know, now)
    if reading.code is not None and reading.code != linking.code:
        return (do.Tell("pairing_code", {"code": reading.code, "expiresIn": PAIRING_CODE}),)
    if know.status is PageStatus.PASSKEY:
        return (do.Tell("passkey_required"),) if not linking.passkey else ()
    if know.status is PageStatus.QR_EXPIRED:
        due = linking.renewed_at is None or now - linking.renewed_at >= 2.0
        return (do.Press(do.Target.NEW_CODES),) if due and not know.is_busy(Lane.BROWSER) else ()
    if options.link_with is LinkMethod.CODE:
        return _pairing_code(know, now)
    if reading.ref is not None and reading.ref != linking.ref:
        # The first code of each series lives longer than those after it.
        expires = FIRST_CODE if linking.since_renewal == 0 else NEXT_CODE
        return (do.Tell("qr", {"qr": reading.ref, "attempt": linking.attempt + 1, "expiresIn": expires}),)
    return progress_told(know, now)


def _pairing_code(know: Knowledge, now: float) -> tuple[Action, ...]:
    linking, reading = know.linking, know.page.reading
    assert reading is not None
    if know.is_busy(Lane.BROWSER) or reading.code is not None:
        return ()
    if linking.submitted_at is not None and now - linking.submitted_at < CODE_SHOWN_WITHIN:
        return ()
    if know.status not in (PageStatus.QR, PageStatus.QR_LOADING):
        return progress_told(know, now)
    if linking.asked_at is not None and now - linking.asked_at < STEP:
        return ()
    return (do.Press(do.Target.PAIRING_CODE),)


def _next(know: Knowledge, now: float) -> float:
    linking, options = know.linking, know.options
    moments = [next_moment(know, now)]
    if linking.held_since is None:
        moments.append(now + max(0.01, options.timeout - spent(know, now)))
    if options.qr_timeout:
        moments.append(linking.began + options.qr_timeout)
    for mark, after in ((linking.asked_at, STEP), (linking.renewed_at, 2.0), (linking.submitted_at, CODE_SHOWN_WITHIN)):
        if mark is not None:
            moments.append(mark + after)
    return min((one for one in moments if one > now), default=now + 60.0)
