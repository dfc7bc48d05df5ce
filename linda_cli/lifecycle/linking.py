"""The last rung: a code on show until a phone takes it, shown nowhere else than by the run's events."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from linda_cli.errors import LoggedOut, NotLinkedInTime, OtherAccount, PasskeyRequired
from linda_cli.lifecycle import saving
from linda_cli.lifecycle.live import Live
from linda_cli.lifecycle.patience import Patience
from linda_cli.lifecycle.readiness import Trouble, not_ready, tell_progress
from linda_cli.lifecycle.run import Run
from linda_cli.sessions.login import read_login
from linda_cli.whatsapp import actions
from linda_cli.whatsapp.state import PageState, Shows

_FIRST_CODE = 60
_NEXT_CODE = 20
_PAIRING_CODE = 180

# A step of the page towards the pairing code that has not come by then is asked for again.
_STEP = 1.0


@dataclass(slots=True)
class _Codes:
    """What was shown so far."""

    ref: str | None = None
    attempt: int = 0
    since_renewal: int = 0
    code: str | None = None
    asked: bool = False
    next_step: float = 0.0
    passkey: bool = False
    authenticated: bool = False
    began: float = field(default_factory=time.monotonic)
    said: set[str] = field(default_factory=set)


def refuse_after_logout(run: Run, unwanted: bool) -> None:
    """Raise ``LoggedOut`` where nobody wants a code, or nobody could see it."""
    if unwanted or not run.options.can_show:
        raise LoggedOut(
            f"{run.number} was logged out, and "
            + ("linking was not wanted" if unwanted else "there is nowhere to show a code"),
            f"linda start {run.number} --qr-file qr.png",
            session=run.number,
        )


def link(run: Run) -> None:
    """Show codes until an account is linked and ready.

    Raises ``NotLinkedInTime``, ``PasskeyRequired``, ``OtherAccount``, ``Unreachable``, ``Stopped``.
    """
    run.linking = True
    run.note(lastState="qr", isLinked=False)
    # A login that comes to be in this run is a new one: what was rejected before says nothing of it.
    run.fingerprint = None
    run.login = None
    with run.browser() as live:
        _until_ready(run, live)
    run.linking = False
    saving.ready(run, run.options.link_with)


def _until_ready(run: Run, live: Live) -> None:
    codes = _Codes()
    patience = Patience(run.options.timeout)
    trouble = Trouble()
    state = PageState(Shows.NOTHING)
    while True:
        heard = run.hear(min(patience.left, trouble.wait(), _until_next_step(run, codes)))
        if heard is not None:
            state = heard
            trouble.note(state.shows)
            _follow(run, live, state, codes)
        if state.shows is Shows.READY:
            _check_number(run, state)
            return
        _clock(patience, state, codes)
        if _expired(run, codes, state):
            raise NotLinkedInTime(
                f"nobody linked within {run.options.qr_timeout:g} s", f"linda start {run.number or ''}".strip()
            )
        if patience.over:
            raise not_ready(run, state)
        if run.options.link_with == "code" and time.monotonic() >= codes.next_step:
            _ask_for_code(run, live, state, codes)
        if trouble.due():
            if state.shows in (Shows.UNREACHABLE, Shows.BLOCKED):
                live.reload(run.options.url)
            elif state.shows is Shows.WINDOW:
                actions.take_over(live.driver, run.signals)
            trouble.helped()


def _until_next_step(run: Run, codes: _Codes) -> float:
    waiting = run.options.link_with == "code" and not codes.code and not codes.authenticated
    step = max(0.01, codes.next_step - time.monotonic()) if waiting else 3600.0
    if run.options.qr_timeout and not codes.authenticated:
        step = min(step, max(0.01, codes.began + run.options.qr_timeout - time.monotonic()))
    return step


def _clock(patience: Patience, state: PageState, codes: _Codes) -> None:
    """The run's timeout stands still while a person is waited for."""
    waiting = state.ref is not None or state.shows in (Shows.QR, Shows.QR_EXPIRED, Shows.PAIRING_CODE, Shows.PASSKEY)
    if waiting and not codes.authenticated:
        patience.hold()
    else:
        patience.go_on()


def _expired(run: Run, codes: _Codes, state: PageState) -> bool:
    limit = run.options.qr_timeout
    return bool(limit) and not codes.authenticated and time.monotonic() - codes.began >= limit


def _follow(run: Run, live: Live, state: PageState, codes: _Codes) -> None:
    """Tell what changed, and do what a person in front of the page would do."""
    if state.keys and not codes.authenticated:
        codes.authenticated = True
        _check_number(run, state)
        run.tell("authenticated")
        run.note(lastState="authenticated")
        return
    if codes.authenticated:
        tell_progress(run, state, codes.said)
        return
    if state.code is not None and state.code != codes.code:
        codes.code = state.code
        run.tell("pairing_code", code=state.code, expiresIn=_PAIRING_CODE)
    elif state.shows is Shows.PASSKEY:
        _passkey(run, codes)
    elif state.ref is not None:
        _show(run, state.ref, codes)
    elif state.shows is Shows.QR_EXPIRED:
        pass
    else:
        tell_progress(run, state, codes.said)
    if state.shows is Shows.QR_EXPIRED:
        codes.since_renewal = 0
        codes.code, codes.asked = None, False
        actions.renew_codes(live.driver, run.signals)


def _show(run: Run, ref: str, codes: _Codes) -> None:
    if ref == codes.ref or run.options.link_with == "code":
        return
    codes.ref = ref
    codes.attempt += 1
    # The first code of each series lives longer than those after it.
    expires = _FIRST_CODE if codes.since_renewal == 0 else _NEXT_CODE
    codes.since_renewal += 1
    run.tell("qr", qr=ref, attempt=codes.attempt, expiresIn=expires)


def _passkey(run: Run, codes: _Codes) -> None:
    if not codes.passkey:
        codes.passkey = True
        run.tell("passkey_required")
    if not run.options.headful:
        raise PasskeyRequired(
            "WhatsApp asks for a passkey to link this device, which a headless browser cannot give",
            f"linda start {run.number or ''} --headful".replace("  ", " "),
        )


def _ask_for_code(run: Run, live: Live, state: PageState, codes: _Codes) -> None:
    if codes.code or codes.authenticated or run.number is None:
        codes.next_step = time.monotonic() + 3600.0
        return
    codes.next_step = time.monotonic() + _STEP
    if state.shows in (Shows.QR, Shows.QR_LOADING) and not codes.asked:
        codes.asked = actions.ask_for_code(live.driver, run.signals, run.number)


def _check_number(run: Run, state: PageState) -> None:
    """Learn the number, or find that it is another one than was asked for."""
    if state.number is None:
        return
    if run.number is None:
        run.learn_number(state.number)
    elif run.number != state.number:
        _other_account(run, state.number)


def _other_account(run: Run, other: str) -> None:
    asked = run.number
    # Closing flushes: the other account's login must be whole before it is put aside.
    profile: Path = run.profile
    _await_login(profile)
    run.close_browser()
    name = None
    with contextlib.suppress(OSError):
        name = run.store.quarantine(other, profile, f"linked while {asked} was asked for")
    if name is not None:
        run.tell("quarantined", name=name, reason=f"it is the login of {other}")
    raise OtherAccount(
        f"{other} was linked, and {asked} was asked for; its profile is kept as {name}",
        f"linda restore {other} --from {name}",
        asked=asked,
        linked=other,
        quarantine=name,
    )


def _await_login(profile: Path, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and read_login(profile) is None:
        time.sleep(0.05)
