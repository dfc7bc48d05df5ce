"""From a browser that is up to a page that is ready, or the reason why this login will not get there."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from linda_cli.errors import Blocked, BrowserFailed, LindaError, Unreachable
from linda_cli.lifecycle.live import Live
from linda_cli.lifecycle.patience import Patience
from linda_cli.lifecycle.run import Run
from linda_cli.whatsapp import actions
from linda_cli.whatsapp.state import PageState, Shows

_UNLINKED = (Shows.QR, Shows.QR_EXPIRED, Shows.PAIRING_CODE, Shows.PASSKEY)
_FOR_NOW = (Shows.UNREACHABLE, Shows.REFUSED, Shows.BLOCKED)

# How long a page may say these before something is done about it: each may be a moment of a page that is starting.
_RELOAD_AFTER = 5.0
_MOST_BETWEEN = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rung failed. ``kind``: rejected, refused, client_fatal, logged_out, died, unsupported, or other."""

    reason: str
    kind: str = "other"

    def as_error(self) -> LindaError:
        """For where there is no other rung to try."""
        if self.kind == "died":
            return BrowserFailed(f"the browser died: {self.reason}", "linda start --verbose")
        return Unreachable(self.reason, "linda start --verbose")


def await_ready(run: Run, live: Live, *, attached: bool = False) -> Failure | None:
    """Wait until the page of a restored login is ready: None. Otherwise why this login will not get there.

    Raises ``Unreachable`` and ``Blocked`` where the login is not to blame, and ``Stopped``. A page that shows one of
    these for a while is loaded anew, with growing pauses, until the run's timeout is over. A refusal that lasts for a
    quarter of it is a failure of this rung: a fresh browser, or another generation, may be taken where this is not.
    """
    patience = run.patience
    refusal = Patience(run.options.timeout / 4)
    refusal.hold()
    trouble = Trouble()
    said: set[str] = set()
    state = PageState(Shows.NOTHING)
    while True:
        heard = run.hear(min(patience.left, trouble.wait(), math.inf if refusal.held else refusal.left))
        if heard is not None:
            state = heard
            trouble.note(state.shows)
        if state.shows is Shows.READY:
            return None
        if heard is not None:
            failure = _verdict(run, state, said)
            if failure is not None:
                return failure
        if state.shows is Shows.REFUSED:
            refusal.go_on()
        elif state.shows not in (Shows.NOTHING, Shows.LOADING):
            refusal.hold()
        if refusal.over or patience.over:
            return _out_of_time(run, state)
        if trouble.due():
            _help(run, live, state, attached)
            trouble.helped()


def _verdict(run: Run, state: PageState, said: set[str]) -> Failure | None:
    shows = state.shows
    if shows in _UNLINKED and not state.keys:
        return Failure("WhatsApp asked for a new linking", "rejected")
    if shows is Shows.LOGGED_OUT:
        return Failure(f"logged out {state.reason or 'by the phone'}", "logged_out")
    if shows is Shows.CLIENT_FATAL:
        return Failure("the page could not open its storage", "client_fatal")
    if shows is Shows.UNSUPPORTED:
        return Failure("WhatsApp Web does not take this browser for Chrome", "unsupported")
    if shows is Shows.GONE:
        return Failure(state.reason or "the page is gone", "died")
    tell_progress(run, state, said)
    if shows is Shows.REFUSED and "auth_failure" not in said:
        said.add("auth_failure")
        run.tell("auth_failure", reason="WhatsApp refuses this login for now")
    if shows in (Shows.WINDOW, Shows.COMPUTER) and "conflict" not in said:
        said.add("conflict")
        run.tell("conflict", where=shows.value)
    return None


def tell_progress(run: Run, state: PageState, said: set[str]) -> None:
    """Tell ``loading`` once and ``syncing`` at each new percent."""
    if state.shows is Shows.LOADING and "loading" not in said:
        said.add("loading")
        run.tell("loading")
    if state.shows is Shows.SYNCING and f"syncing {state.percent}" not in said:
        said.add(f"syncing {state.percent}")
        run.tell("syncing", percent=state.percent)


def _help(run: Run, live: Live, state: PageState, attached: bool) -> None:
    if state.shows is Shows.WINDOW or (state.shows is Shows.COMPUTER and run.options.takeover):
        actions.take_over(live.driver, run.signals)
    elif state.shows in _FOR_NOW or (state.shows is Shows.NOTHING and attached):
        live.reload(run.options.url)


def _out_of_time(run: Run, state: PageState) -> Failure:
    if state.shows is Shows.REFUSED or not run.patience.over:
        return Failure("WhatsApp refuses this login for now", "refused")
    raise not_ready(run, state)


def not_ready(run: Run, state: PageState) -> Unreachable:
    """The error for a page that did not get ready in time."""
    again = f"linda start {run.number or ''}".strip()
    if state.shows is Shows.BLOCKED:
        return Blocked(f"WhatsApp blocks this client: {state.reason}", again, kind=state.reason)
    if state.shows is Shows.COMPUTER:
        return Unreachable("WhatsApp Web is open on another computer", f"{again} --takeover")
    if state.shows in (Shows.UNREACHABLE, Shows.NOTHING):
        return Unreachable("WhatsApp Web could not be reached", "curl -I https://web.whatsapp.com")
    return Unreachable(
        f"WhatsApp Web was not ready after {run.options.timeout:g} s: it shows {state.shows.value}",
        f"{again} --timeout {max(300, round(run.options.timeout * 3))}",
    )


class Trouble:
    """How long the page has been showing something that may need help, and when help is due."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._pause = 0.0
        self._shows = Shows.NOTHING
        self.note(Shows.NOTHING)

    def note(self, shows: Shows) -> None:
        """The page shows something new."""
        if shows is self._shows and self._since is not None:
            return
        self._shows = shows
        if shows in (Shows.WINDOW, Shows.COMPUTER):
            self._since, self._pause = time.monotonic(), 0.0
        elif shows in (*_FOR_NOW, Shows.NOTHING):
            self._since = time.monotonic()
            self._pause = self._pause or (_RELOAD_AFTER if shows is not Shows.UNREACHABLE else 1.0)
        else:
            self._since = None

    def due(self) -> bool:
        """Whether it has lasted long enough."""
        return self._since is not None and time.monotonic() - self._since >= self._pause

    def wait(self) -> float:
        """Seconds until then."""
        if self._since is None:
            return _MOST_BETWEEN
        return max(0.001, self._since + self._pause - time.monotonic())

    def helped(self) -> None:
        """Help was given: the next comes after twice the time."""
        self._since = time.monotonic()
        self._pause = min(_MOST_BETWEEN, max(1.0, self._pause * 2))
