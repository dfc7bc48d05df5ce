"""After ready: wait, notice, recover. Only an explicit logout ends a session."""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass

from linda_cli.errors import BrowserFailed, BrowserMissing, BrowserTooOld, Unreachable
from linda_cli.lifecycle import ladder, linking, saving
from linda_cli.lifecycle.options import Pace
from linda_cli.lifecycle.run import Run, Stopped
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.whatsapp import actions
from linda_cli.whatsapp.state import PageState, Shows

_KEYS_GONE_GRACE = 2.0
SLOW = 2.0
"""Seconds without an answer after which a browser is called slow; it is left alone."""


@dataclass(slots=True)
class Outage:
    """One stretch without a connection. Moments by the monotonic clock."""

    since: float
    told: bool = False
    retry_at: float = 0.0
    via: str = "page"


@dataclass(slots=True)
class Backoff:
    """Growing pauses between retries."""

    pace: Pace
    retries: int = 0

    def next(self) -> float:
        """Seconds until the next retry: 5, 10, 20 … 300, each a random bit more."""
        pause = min(self.pace.cap, self.pace.first_retry * 2.0 ** min(self.retries, 10))
        self.retries += 1
        return pause * (1.0 + random.random() / 4)


@dataclass(slots=True)
class Stay:
    """What is known while staying."""

    state: PageState
    outage: Outage | None = None
    keys_gone: float | None = None
    ready_since: float = 0.0
    next_backup: float = 0.0
    next_look: float = 0.0
    next_beat: float = 0.0
    conflict_told: bool = False


def stay(run: Run) -> None:
    """Stay until asked to stop, or with ``once`` until saved. Raises ``Stopped`` and the named errors."""
    backoff = Backoff(run.options.pace)
    while True:
        now = time.monotonic()
        every = run.options.backup_every
        so_far = Stay(
            PageState(Shows.READY, keys=True),
            ready_since=now,
            next_backup=now + every if every else float("inf"),
            next_beat=now + _heartbeat(run),
        )
        if not _watch(run, so_far, backoff):
            return
        run.saved = False


def _watch(run: Run, so_far: Stay, backoff: Backoff) -> bool:
    """One stretch with one login. True: a new login was linked; False: done."""
    while True:
        if not run.saved and time.monotonic() >= so_far.next_look and so_far.state.shows is Shows.READY:
            saving.save(run)
            so_far.next_look = time.monotonic() + saving.SEEN_EVERY
        if run.saved and run.options.once and not run.bot_runs:
            return False
        heard = run.hear(_patience(run, so_far))
        now = time.monotonic()
        if heard is not None:
            so_far.state = heard
            so_far.next_beat = now + _heartbeat(run)
        if _logged_out(so_far, now):
            _say_logged_out(run, so_far.state)
            _link_again(run)
            return True
        if so_far.state.shows is Shows.READY:
            _is_ready(run, so_far, backoff, now)
        else:
            _is_away(run, so_far, backoff, now)
        if now >= so_far.next_backup and so_far.outage is None:
            saving.back_up(run, "interval")
            so_far.next_backup = now + run.options.backup_every


def _patience(run: Run, so_far: Stay) -> float:
    """Seconds until there is something to do even if the page says nothing."""
    now = time.monotonic()
    moments = [so_far.next_backup, so_far.next_beat]
    if not run.saved and so_far.state.shows is Shows.READY:
        moments.append(so_far.next_look)
    if so_far.keys_gone is not None:
        moments.append(so_far.keys_gone + _KEYS_GONE_GRACE)
    if so_far.outage is not None:
        moments.append(so_far.outage.retry_at if so_far.outage.told else so_far.outage.since + run.options.pace.blip)
    return max(0.001, min(moments) - now)


def _logged_out(so_far: Stay, now: float) -> bool:
    """The page says so, or both keys are gone after this login was ready, and nothing explains it otherwise."""
    shows = so_far.state.shows
    if shows is Shows.LOGGED_OUT:
        return True
    explained = so_far.state.keys or shows in (
        Shows.CLIENT_FATAL, Shows.GONE, Shows.UNREACHABLE, Shows.NOTHING, Shows.LOADING, Shows.BLOCKED,
    )  # fmt: skip
    if explained:
        so_far.keys_gone = None
        return False
    # The page wipes the keys a moment before it goes to the address that says why.
    if so_far.keys_gone is None:
        so_far.keys_gone = now
    return now - so_far.keys_gone >= _KEYS_GONE_GRACE


def _is_ready(run: Run, so_far: Stay, backoff: Backoff, now: float) -> None:
    so_far.conflict_told = False
    if so_far.outage is not None:
        if so_far.outage.told:
            _say_reconnected(run, so_far.outage, so_far.outage.via)
        so_far.outage = None
        so_far.ready_since = now
    elif now - so_far.ready_since > run.options.pace.stable:
        backoff.retries = 0
    if now >= so_far.next_beat:
        so_far.next_beat = now + _heartbeat(run)
        _feel_the_pulse(run, so_far)


def _heartbeat(run: Run) -> float:
    # Who wants a hung browser noticed sooner wants it looked at more often too.
    return max(1.0, min(run.options.pace.heartbeat, 2 * run.options.hung_after))


def _feel_the_pulse(run: Run, so_far: Stay) -> None:
    """Slow is said; hung is only what gives no sign of life at all for as long as the option has it."""
    if run.live is None or run.live.watch.alive(min(SLOW, run.options.hung_after)):
        return
    run.tell("slow", seconds=SLOW)
    if not run.live.watch.alive(max(0.0, run.options.hung_after - SLOW)):
        reason = f"the browser gave no sign of life for {run.options.hung_after:g} s"
        so_far.state = PageState(Shows.GONE, reason=reason)


def _say_reconnected(run: Run, outage: Outage, via: str) -> None:
    run.note(lastState="ready", lastReady=iso(now_ms()))
    down_ms = round((time.monotonic() - outage.since) * 1000)
    run.tell("reconnected", via=via, downMs=down_ms, debuggerAddress=run.live.address if run.live else None)


def _is_away(run: Run, so_far: Stay, backoff: Backoff, now: float) -> None:
    shows = so_far.state.shows
    if so_far.outage is None:
        so_far.outage = Outage(since=now)
    outage = so_far.outage
    if shows in (Shows.WINDOW, Shows.COMPUTER):
        _conflict(run, so_far)
    sure = shows in (Shows.GONE, Shows.CLIENT_FATAL)
    if not outage.told and (sure or now - outage.since >= run.options.pace.blip):
        outage.told = True
        pause = backoff.next()
        outage.retry_at = now + pause
        _say_disconnected(run, so_far.state, pause)
        if shows is Shows.REFUSED:
            run.tell("auth_failure", reason="WhatsApp refuses this login for now")
    if outage.told and now >= outage.retry_at:
        _retry(run, so_far, backoff, now)


def _say_disconnected(run: Run, state: PageState, pause: float) -> None:
    run.note(lastState="disconnected")
    run.tell("disconnected", reason=_why(state), retryIn=round(pause, 1))


def _why(state: PageState) -> str:
    if state.reason:
        return f"{state.shows.value}: {state.reason}"
    return state.shows.value


def _conflict(run: Run, so_far: Stay) -> None:
    if so_far.conflict_told:
        return
    so_far.conflict_told = True
    run.tell("conflict", where=so_far.state.shows.value)
    if run.live is not None and (so_far.state.shows is Shows.WINDOW or run.options.takeover):
        # Where the driver cannot be had the browser is about to go, and what follows from that is on its way; loading
        # the page anew takes the session over as well.
        with contextlib.suppress(BrowserFailed):
            actions.take_over(run.live.driver, run.signals)


def _retry(run: Run, so_far: Stay, backoff: Backoff, now: float) -> None:
    """The page's own recovery had its time: load it anew; where it is gone, or that did not help, a new browser."""
    assert so_far.outage is not None
    outage, shows = so_far.outage, so_far.state.shows
    if shows is Shows.COMPUTER and not run.options.takeover:
        # Somebody uses it elsewhere on purpose: wait until they are done.
        outage.retry_at = now + backoff.next()
        return
    if shows is Shows.OFFLINE and now - outage.since < run.options.pace.own_recovery:
        outage.retry_at = outage.since + run.options.pace.own_recovery
        return
    replace = shows in (Shows.GONE, Shows.CLIENT_FATAL) or (outage.via == "reload" and backoff.retries >= 4)
    if not replace and run.live is not None:
        outage.via = "reload"
        run.live.reload(run.options.url)
        outage.retry_at = now + backoff.next()
        so_far.conflict_told = False
        return
    if shows is Shows.CLIENT_FATAL:
        run.store.remember_rejected(run.number or "", run.store.fingerprint(run.number or "", run.profile))
    _replace_browser(run, so_far, backoff)


def _replace_browser(run: Run, so_far: Stay, backoff: Backoff) -> None:
    """Up the ladder again. Where WhatsApp is out of reach or no browser comes up, the next try comes later."""
    assert so_far.outage is not None
    outage = so_far.outage
    run.close_browser()
    options = run.options
    try:
        ladder.climb_again(run)
    except Stopped:
        raise
    except (Unreachable, BrowserFailed) as problem:
        if isinstance(problem, (BrowserMissing, BrowserTooOld)):
            raise
        # A machine that is too busy to start a browser now will not be for ever.
        run.close_browser()
        pause = backoff.next()
        outage.retry_at = time.monotonic() + pause
        so_far.state = PageState(Shows.GONE, reason=problem.message)
        so_far.next_beat = time.monotonic() + _heartbeat(run)
        return
    finally:
        run.options = options
    _say_reconnected(run, outage, run.source or "profile")
    so_far.outage = None
    so_far.state = PageState(Shows.READY, keys=True)
    so_far.ready_since = time.monotonic()


def _say_logged_out(run: Run, state: PageState) -> None:
    number = run.number or ""
    reason = state.reason or "by the phone"
    run.close_browser()
    run.store.state.forget(number, "logged_out", condemn=run.login)
    run.tell("logged_out", reason=reason)
    name = run.store.quarantine(number, run.profile, f"logged out: {reason}")
    if name is not None:
        run.tell("quarantined", name=name, reason="logged out")
    run.profile = run.store.home.named_profile(number)
    run.was_ready = False


def _link_again(run: Run) -> None:
    options = run.options
    linking.refuse_after_logout(run, options.no_link or not options.link_again)
    run.began_ms = now_ms()
    linking.link(run)
