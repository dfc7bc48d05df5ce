"""After ready: save, wait, notice, recover. Only a proven logout ends a session. Pure."""

from __future__ import annotations

from linda_cli.errors import Failed, LindaError, NotSaved
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.backoff import pause_after
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import Browser, Knowledge
from linda_cli.lifecycle.page import (
    move_other_account,
    network_asked,
    next_moment,
    observer_due,
    other_account,
    press_due,
    progress_told,
    reconnected,
    stale_address,
    waiting_told,
)
from linda_cli.lifecycle.waiting import PROGRESS, makes_progress
from linda_cli.whatsapp.status import PageStatus

SAVE_DELAY = 15.0
"""Seconds after ready from which a login that is not saved yet is told."""

VANISHING = 25.0
"""Seconds for which a page whose keys are vanishing is not loaded anew."""

AFTER_RETURN = 6.0
"""Seconds that the page gets for its own recovery once the network is back; it needs two to five."""

SLOW = 2.0
"""Seconds without an answer after which a browser is called slow; it is left alone."""

UPLOAD_WITHIN = 1800.0
"""Seconds for one upload: 300 MB over a slow line. What was uploaded by then is not uploaded again."""

MEASURE_EVERY = 10.0
SELDOM = 300.0

_ALONE = frozenset({PageStatus.LOCKED, PageStatus.COMPUTER, PageStatus.WINDOW})
"""What a person has to end; loading the page anew would change nothing."""

_RARELY = frozenset({PageStatus.BLOCKED, PageStatus.MESSAGE, PageStatus.UNKNOWN, PageStatus.UNSUPPORTED})
"""What loading the page anew rarely helps: once in five minutes."""


def supervise(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What to do next for a session that has been ready in this run."""
    if know.restoration.other is not None:
        return move_other_account(know)
    if know.bot_code is not None and know.bot_code != 0:
        return (
            do.Shutdown(Failed(f"the bot ended with exit code {know.bot_code}", "linda start", code=know.bot_code)),
        )
    if know.saving.saved and know.options.once and not know.bot_runs:
        return (do.Shutdown(reason="done"),)
    ended = _ended(know, now)
    if ended:
        return ended
    if know.up and know.status is PageStatus.READY:
        return _ready(know, now)
    return _away(know, now)


def _ended(know: Knowledge, now: float) -> tuple[Action, ...]:
    """A logout that is proven, one that is suspected, another account."""
    if not know.up or know.is_busy(Lane.BROWSER) or know.is_busy(Lane.DISK):
        return ()
    page = know.page
    if proofs.CONDEMN.holds(know, now):
        assert page.login is not None
        return (do.BeginRestoration("logged out"), do.CloseBrowser(), do.RevokeLogin(page.login, do.BY_THE_PHONE))
    for proof, reason in ((proofs.SUSPECT_BY_REASON, None), (proofs.SUSPECT_BY_ABSENCE, "")):
        if proof.holds(know, now):
            assert page.login is not None
            named = page.logout.reason if page.logout is not None and reason is None else ""
            why = f"logged out: {named}" if named else "logged out"
            suspicion = do.Suspicion(page.login, proof.name, named)
            return (*_outage_said(know, why), do.BeginRestoration(why, suspicion), do.CloseBrowser())
    if proofs.OTHER_ACCOUNT.holds(know, now):
        return other_account(know, attached=know.source == "browser")
    return ()


# -- ready


def _ready(know: Knowledge, now: float) -> tuple[Action, ...]:
    reading, said = know.page.reading, know.said
    assert reading is not None
    stranger = reading.keys and reading.connected and reading.number not in (None, know.number)
    if stranger and know.noise is not None and not proofs.NUMBER_CHANGED.holds(know, now):
        # Another account, or keys that are shown for a moment only: told apart before anything is said of it.
        return (do.Wait(_next(know, now)),)
    if know.outage is not None and know.outage.told:
        return (reconnected(know, know.outage.via, now),)
    if proofs.NUMBER_CHANGED.holds(know, now) and said.number_changed != reading.number:
        return (do.Tell("number_changed", {"from": know.number, "to": reading.number}),)
    if know.page.documents > said.documents:
        return (do.Tell("page_reloaded"),)
    return (
        _save(know, now)
        or _interval(know, now)
        or _upload(know, now)
        or _memory(know, now)
        or _pulse(know, now)
        or (do.Wait(_next(know, now)),)
    )


def _save(know: Knowledge, now: float) -> tuple[Action, ...]:
    saving = know.saving
    if saving.saved or know.is_busy(Lane.DISK):
        return ()
    late = now - saving.ready_at
    if know.options.once and late >= know.options.timeout:
        return (do.Shutdown(_not_saved(know)),)
    if late >= SAVE_DELAY and not know.said.save_delayed:
        return (do.Tell("save_delayed", {"reason": saving.why or "the login is not on disk yet"}),)
    return (do.Save(know.page.login),) if now >= saving.next_at else ()


def _not_saved(know: Knowledge) -> LindaError:
    return NotSaved(
        f"the login of {know.number} is ready and could not be saved within {know.options.timeout:g} s: "
        f"{know.saving.why or 'it is not on disk yet'}",
        f"linda start {know.number}",
    )


def _interval(know: Knowledge, now: float) -> tuple[Action, ...]:
    if now < know.saving.next_backup or know.is_busy(Lane.DISK):
        return ()
    return (do.BackUp("interval"),)


def _upload(know: Knowledge, now: float) -> tuple[Action, ...]:
    uploading = know.uploading
    if know.options.remote is None or not uploading.due or know.is_busy(Lane.UPLOAD) or now < uploading.next_at:
        return ()
    return (do.Upload(UPLOAD_WITHIN, uploading.troubled),)


def _memory(know: Knowledge, now: float) -> tuple[Action, ...]:
    """A browser that has grown past its limit is restarted in a quiet moment, and at the latest after a while."""
    memory, pace = know.memory, know.options.pace
    if not know.options.max_memory or not know.saving.saved:
        return ()
    if memory.grown_since is not None and not know.said.memory:
        return (do.Tell("memory_exceeded", {"memoryMb": memory.mb, "maxMemoryMb": know.options.max_memory}),)
    due = memory_restart_at(know)
    if due is not None and now >= due and not know.is_busy(Lane.BROWSER) and not know.is_busy(Lane.DISK):
        why = f"the browser takes {memory.mb} MB"
        return (*_outage_said(know, why), do.BeginRestoration(why), do.CloseBrowser())
    if not know.is_busy(Lane.MEMORY) and now - memory.asked_at >= pace.memory_every:
        return (do.MeasureMemory(),)
    return ()


def memory_restart_at(know: Knowledge) -> float | None:
    """From when on a browser that is too large is restarted, None for one that is not."""
    memory, pace = know.memory, know.options.pace
    if memory.grown_since is None:
        return None
    quiet = memory.quiet is not None and memory.quiet >= pace.memory_quiet
    wanted = memory.grown_since if quiet else memory.grown_since + pace.memory_latest
    # A limit below what the page needs must not become a restart a minute.
    return max(wanted, know.browser_at + pace.memory_rest)


def heartbeat(know: Knowledge) -> float:
    """Seconds between two looks whether the page's thread answers; sooner where a hung browser is to be noticed so."""
    return max(1.0, min(know.options.pace.heartbeat, know.options.hung_after / 2))


def _pulse(know: Knowledge, now: float) -> tuple[Action, ...]:
    if know.is_busy(Lane.PULSE):
        return ()
    if know.pulse_missed:
        if not know.said.slow:
            return (do.Tell("slow", {"seconds": SLOW}),)
        return (do.CheckPulse(max(0.1, know.options.hung_after - SLOW), last=True),)
    if now - know.pulse_at >= heartbeat(know):
        return (do.CheckPulse(min(SLOW, know.options.hung_after), last=know.options.hung_after <= SLOW),)
    return ()


# -- away


def _away(know: Knowledge, now: float) -> tuple[Action, ...]:
    outage, pace = know.outage, know.options.pace
    if know.browser is Browser.DEAD:
        told = _outage_said(know, know.browser_reason) if outage is None or not outage.told else ()
        return told or (
            (do.CloseBrowser(hung=know.hung),) if not know.is_busy(Lane.BROWSER) else (do.Wait(_next(know, now)),)
        )
    if outage is None:
        return (do.Wait(_next(know, now)),)
    helped = progress_told_when(know, now) or press_due(know, now) or observer_due(know, now)
    if helped:
        return helped
    if know.up and makes_progress(know, now) and not outage.told:
        return _measured(know, now) or network_asked(know, now) or (do.Wait(_next(know, now)),)
    if know.up and not outage.told:
        sure = know.status in (PageStatus.GONE, PageStatus.CLIENT_FATAL)
        if sure or now - away_since(know, outage.since) >= pace.blip:
            return _outage_said(know, _why(know))
        return network_asked(know, now) or (do.Wait(_next(know, now)),)
    if know.status is PageStatus.REFUSED and not know.said.auth_failure:
        return (do.Tell("auth_failure", {"reason": "WhatsApp refuses this login for now"}),)
    return (
        waiting_told(know, now)
        or network_asked(know, now)
        or stale_address(know, now)
        or _retry(know, now)
        or _measured(know, now)
        or _pulse_away(know, now)
        or (do.Wait(_next(know, now)),)
    )


def away_since(know: Knowledge, outage: float) -> float:
    """Since when the page has been away: a start, however long it takes, does not count."""
    return max(outage, know.page.boot_ended_at)


def progress_told_when(know: Knowledge, now: float) -> tuple[Action, ...]:
    """A conflict is told at once; how far a start is only after an outage was told."""
    if know.status in (PageStatus.WINDOW, PageStatus.COMPUTER):
        return progress_told(know, now)
    return ()


def _outage_said(know: Knowledge, reason: str) -> tuple[Action, ...]:
    if know.outage is not None and know.outage.told:
        return ()
    pause = pause_after(know.retries, know.options.pace, know.chance)
    return (do.Tell("disconnected", {"reason": reason, "retryIn": round(pause, 1)}),)


def _why(know: Knowledge) -> str:
    reading = know.page.reading
    if reading is not None and reading.reason:
        return f"{know.status.value}: {reading.reason}"
    return know.status.value


def _measured(know: Knowledge, now: float) -> tuple[Action, ...]:
    """Bytes on disk are a sign of progress too, where the page itself says nothing new for a while."""
    if not know.up or know.is_busy(Lane.DISK) or now - know.page.progress_at < MEASURE_EVERY:
        return ()
    if know.status not in (PageStatus.LOADING, PageStatus.SYNCING) or now - know.measured_at < MEASURE_EVERY:
        return ()
    return (do.MeasureLogin(),)


def _pulse_away(know: Knowledge, now: float) -> tuple[Action, ...]:
    return _pulse(know, now) if know.up and know.status is not PageStatus.GONE else ()


def _retry(know: Knowledge, now: float) -> tuple[Action, ...]:
    """The page's own recovery had its time: load it anew; where it is gone, or that did not help, a new browser."""
    outage = know.outage
    assert outage is not None
    if know.is_busy(Lane.BROWSER) or know.is_busy(Lane.DISK):
        return ()
    if not know.up:
        return (do.BeginRestoration(know.browser_reason or "the browser is gone"),) if now >= outage.retry_at else ()
    if know.status in (PageStatus.GONE, PageStatus.CLIENT_FATAL):
        if now < outage.retry_at:
            return ()
        return (do.BeginRestoration(_why(know)), do.CloseBrowser())
    if know.network.up is False or know.reloading:
        return ()
    due = reload_at(know)
    if due is None or now < due:
        return ()
    if outage.reloads >= 3 and know.status not in _RARELY and know.status is not PageStatus.UNREACHABLE:
        return (do.BeginRestoration(_why(know)), do.CloseBrowser())
    return (do.Reload(),)


def reload_at(know: Knowledge) -> float | None:
    """When the page of an outage may be loaded anew, None for as long as it is left alone."""
    outage, page, pace = know.outage, know.page, know.options.pace
    assert outage is not None
    returned = know.network.returned_at
    if know.status in _ALONE:
        return None
    if know.status is PageStatus.UNREACHABLE:
        if not know.network.up:
            return None
        return returned if returned is not None and outage.reloads == 0 else max(outage.retry_at, page.status_since + 2)
    if page.keys_gone_since is not None:
        # A logout may be under way, and says so itself; a code may wait for a person.
        return max(
            page.keys_gone_since + (2 * VANISHING if page.code_since is not None else VANISHING), outage.retry_at
        )
    if know.status in _RARELY:
        return page.document_at + SELDOM
    pauses = [outage.retry_at + _spread(know)]
    if know.status is PageStatus.OFFLINE:
        pauses.append(max(outage.since, page.document_at) + pace.own_recovery)
    if returned is not None and returned > outage.since and outage.reloads == 0:
        # A page that has begun to sync since then is on its way.
        on_its_way = makes_progress_still(know) and page.progress_at > returned
        return page.progress_at + PROGRESS if on_its_way else returned + AFTER_RETURN
    if makes_progress_still(know):
        pauses.append(page.progress_at + PROGRESS)
    return max(pauses)


def makes_progress_still(know: Knowledge) -> bool:
    """The page starts or syncs; how long ago it last changed is for the caller."""
    return know.status in (PageStatus.LOADING, PageStatus.SYNCING, PageStatus.NOTHING)


def _spread(know: Knowledge) -> float:
    """After each reload the next one comes later."""
    outage = know.outage
    if outage is None or outage.reloads == 0:
        return 0.0
    gone = know.page.document_at - outage.retry_at
    return max(0.0, gone) + pause_after(know.retries, know.options.pace, know.chance)


def _next(know: Knowledge, now: float) -> float:
    """The next moment at which something may be due although nothing is observed."""
    moments = [next_moment(know, now), know.saving.next_backup]
    saving, outage = know.saving, know.outage
    if know.uploading.due:
        moments.append(know.uploading.next_at)
    if not saving.saved:
        moments += [saving.next_at, saving.ready_at + SAVE_DELAY, saving.ready_at + know.options.timeout]
    if know.up:
        moments.append(know.pulse_at + heartbeat(know))
    if know.up and know.options.max_memory:
        moments.append(know.memory.asked_at + know.options.pace.memory_every)
        restart = memory_restart_at(know)
        moments += [restart] if restart is not None else []
    if outage is not None:
        moments += [away_since(know, outage.since) + know.options.pace.blip, outage.retry_at]
        if know.up:
            due = reload_at(know)
            moments += [due] if due is not None else []
        moments += [know.measured_at + MEASURE_EVERY, know.page.progress_at + MEASURE_EVERY]
    return min((one for one in moments if one > now), default=now + 60.0)
