"""What every phase asks of a page and says of it: shared, pure."""

from __future__ import annotations

from linda_cli.errors import OtherAccount
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import EARLY_DEATH, Browser, Knowledge
from linda_cli.lifecycle.waiting import ASK_NETWORK_EVERY, KNOWING, makes_progress, network_is_in_doubt, waiting_for
from linda_cli.whatsapp.status import PageStatus

RELOAD_AFTER = 5.0


def reconnected(know: Knowledge, via: str, now: float) -> Action:
    """The end of an outage."""
    since = know.outage.since if know.outage is not None else now
    return do.Tell(
        "reconnected",
        {"via": via, "downMs": round((now - since) * 1000), "debuggerAddress": know.address},
    )


def other_account(know: Knowledge, *, attached: bool = False) -> tuple[Action, ...]:
    """Another account is linked than was asked for: its profile goes to quarantine; an attached browser is left."""
    reading = know.page.reading
    assert reading is not None
    assert reading.number is not None
    if attached:
        return (
            do.Shutdown(
                OtherAccount(
                    f"the running browser is linked as {reading.number}, and {know.number} was asked for; "
                    "it was left as it is",
                    f"linda start {reading.number}",
                    asked=know.number,
                    linked=reading.number,
                ),
                kept=True,
            ),
        )
    return (do.CloseBrowser(), do.Mismatch(reading.number))


def move_other_account(know: Knowledge) -> tuple[Action, ...]:
    """Once its browser has gone: the profile of the other account to quarantine, and the end that says so."""
    restoration, other = know.restoration, know.restoration.other
    if know.browser in (Browser.UP, Browser.DEAD) and not know.is_busy(Lane.BROWSER):
        return (do.CloseBrowser(),)
    if know.busy:
        return (do.Wait(float("inf")),)
    assert other is not None
    if restoration.moved_to is None and restoration.error is None:
        return (do.MoveOtherAccount(other),)
    name = restoration.moved_to
    kept = f"its profile is kept as {name}" if name else "its profile is still where it was linked"
    hint = f"linda adopt {name}" if name else f"linda info {other}"
    return (
        do.Shutdown(
            OtherAccount(
                f"{other} was linked, and {know.number} was asked for; {kept}",
                hint,
                asked=know.number,
                linked=other,
                quarantine=name,
            )
        ),
    )


# -- helping a page along


def progress_told(know: Knowledge, now: float) -> tuple[Action, ...]:
    """``loading`` once for a browser, ``syncing`` at each new percent, ``auth_failure`` and ``conflict`` once."""
    reading, said = know.page.reading, know.said
    if reading is None:
        return ()
    if know.status is PageStatus.LOADING and not said.loading:
        return (do.Tell("loading"),)
    if know.status is PageStatus.SYNCING and (not said.syncing or said.percent != reading.percent):
        return (do.Tell("syncing", {"percent": reading.percent}),)
    if know.status is PageStatus.REFUSED and not said.auth_failure and now - know.page.status_since >= 2.0:
        return (do.Tell("auth_failure", {"reason": "WhatsApp refuses this login for now"}),)
    where = know.status
    if where in (PageStatus.WINDOW, PageStatus.COMPUTER) and said.conflict != where.value:
        return (do.Tell("conflict", {"where": where.value}),)
    return ()


def waiting_told(know: Knowledge, now: float) -> tuple[Action, ...]:
    """``waiting``, once for each reason."""
    waiting = waiting_for(know, now)
    if waiting is None or know.said.waiting == f"{waiting.what}: {waiting.reason}":
        return ()
    return (do.Tell("waiting", {"for": waiting.what, "reason": waiting.reason}),)


def press_due(know: Knowledge, now: float) -> tuple[Action, ...]:
    """ "Use here", where the proof for it holds; not twice within two seconds."""
    if know.is_busy(Lane.BROWSER) or now - know.pressed_at < 2.0:
        return ()
    if proofs.PRESS_COMPUTER.holds(know, now):
        return (do.Press(do.Target.COMPUTER),)
    if proofs.PRESS_WINDOW.holds(know, now):
        return (do.Press(do.Target.WINDOW),)
    return ()


def observer_due(know: Knowledge, now: float) -> tuple[Action, ...]:
    """Put the observer into a document that has not been heard of for a second, a few times."""
    if know.is_busy(Lane.BROWSER) or know.page.observed or know.page.document == 0 or know.page.installs >= 5:
        return ()
    if know.status is PageStatus.UNREACHABLE or now - know.page.document_at < 1.0:
        return ()
    return (do.InstallObserver(),)


def network_asked(know: Knowledge, now: float) -> tuple[Action, ...]:
    """Ask for the network where that tells something."""
    if know.is_busy(Lane.NETWORK) or not network_is_in_doubt(know, now):
        return ()
    return (do.ProbeNetwork(),) if now >= know.network.asked_at + ASK_NETWORK_EVERY else ()


def page_help(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What helps a page that is starting: a press, the observer, the network's word, the plain address anew."""
    return (
        press_due(know, now)
        or observer_due(know, now)
        or network_asked(know, now)
        or stale_address(know, now)
        or reload_due(know, now)
    )


def stale_address(know: Knowledge, now: float) -> tuple[Action, ...]:
    """Both keys are in place at the address of a logout: it is a leftover, and the plain one is opened."""
    reading = know.page.reading
    if reading is None or not reading.keys or reading.address_clean or know.is_busy(Lane.BROWSER) or know.reloading:
        return ()
    if know.status in (PageStatus.READY, PageStatus.OFFLINE) or makes_progress(know, now):
        return ()
    return (do.Reload(),) if now - know.page.document_at >= 2.0 else ()


def reload_due(know: Knowledge, now: float) -> tuple[Action, ...]:
    """The plain address anew, where the page did not come and the network is there, or where it refuses for now."""
    if know.is_busy(Lane.BROWSER) or know.reloading or know.network.up is False:
        return ()
    returned = know.network.returned_at
    if know.status is PageStatus.UNREACHABLE:
        since = max(know.page.status_since, returned or 0.0)
        pause = 0.0 if returned is not None and returned >= know.page.status_since else _pause(know)
        return (do.Reload(),) if know.network.up and now - since >= pause else ()
    if know.status is PageStatus.REFUSED and now - know.page.status_since >= _pause(know):
        return (do.Reload(),)
    return ()


def _pause(know: Knowledge) -> float:
    return float(min(60.0, RELOAD_AFTER * 2.0 ** min(know.page.documents, 6)))


def next_moment(know: Knowledge, now: float) -> float:
    """The next moment at which something may be due although nothing is observed."""
    page, options = know.page, know.options
    moments = [know.restoration.began + options.timeout]
    marks: list[tuple[float | None, tuple[float, ...]]] = [
        (page.status_since, (2.0, KNOWING, options.timeout / 3, *(_pauses(know)))),
        (page.document_at, (1.0, 2.0, 5.0)),
        (page.unpaired_since, (proofs.REJECTED_AFTER, proofs.VANISHED_AFTER)),
        (page.vanished_since, (proofs.VANISHED_AFTER,)),
        (page.refused_since, (options.timeout / 4,)),
        (page.ready_since, (proofs.OTHER_AFTER,)),
        (page.number_since, (proofs.OTHER_AFTER,)),
        (page.keys_gone_since, (20.0,)),
        (page.progress_at, (5.0, 60.0)),
        (know.network.asked_at if know.network.up is not None else None, (ASK_NETWORK_EVERY,)),
        (know.network.returned_at, (0.0, 6.0)),
        (know.pressed_at, (2.0,)),
        (know.browser_at, (EARLY_DEATH,)),
    ]
    moments += [mark + after for mark, some in marks if mark is not None for after in some]
    if network_is_in_doubt(know, now) and not know.is_busy(Lane.NETWORK):
        moments.append(know.network.asked_at + ASK_NETWORK_EVERY)
    return min((one for one in moments if one > now), default=now + 60.0)


def _pauses(know: Knowledge) -> tuple[float, ...]:
    return (_pause(know),)
