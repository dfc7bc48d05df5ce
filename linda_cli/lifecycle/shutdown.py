"""The way out: the bot ended, the browser closed and gone, a cold backup taken, the state written, the end told. Pure.

Every part is tried once, and waited for only so long: a run that was stopped ends.
"""

from __future__ import annotations

from linda_cli.errors import Interrupted, LindaError
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import Browser, Knowledge

PATIENCE = 120.0
"""Seconds after which the end no longer waits for a part of it: a large login on a slow disk takes its time."""


UPLOAD_WITHIN = 30.0
"""Seconds for the upload at the end: the next run catches up with what is left."""

UPLOAD_ENDS = 60.0
"""Seconds after which the end waits for no upload: a store that is frozen hears nobody."""


def shutdown(know: Knowledge, now: float) -> tuple[Action, ...]:
    """What is left of the way out."""
    ending = know.ending
    over = now - ending.since >= PATIENCE
    wait = (do.Wait(ending.since + PATIENCE if not over else now + 1.0),)
    if know.bot_runs and not ending.bot and not over:
        # Before the browser: a bot must not see it go.
        return (do.EndBot(),) if not know.is_busy(Lane.BOT) else wait
    if (know.is_busy(Lane.BROWSER) or know.is_busy(Lane.DISK) or know.is_busy(Lane.BOT)) and not over:
        return wait
    if know.browser in (Browser.UP, Browser.DEAD) and not ending.closed and not over:
        return (do.CloseBrowser(kept=ending.keep),)
    if not ending.backed_up and know.was_ready and not ending.keep and not over:
        return (do.BackUp("stop", replaces=True),)
    upload = _last_upload(know, now)
    if upload:
        return upload
    if not ending.tidied and not ending.keep and not over:
        return (do.TidyProfile(),)
    if not ending.noted:
        return (do.Note(_facts(know)),)
    if ending.error is None and not ending.told:
        return (do.Tell("stopped", {"reason": ending.reason}),)
    return (do.End(ending.error),)


def _last_upload(know: Knowledge, now: float) -> tuple[Action, ...]:
    """The last backup goes up, too. One try, and not for long: the next run catches up."""
    until, busy = know.ending.since + UPLOAD_ENDS, know.is_busy(Lane.UPLOAD)
    if know.ending.upload_failed or now >= until or not (know.uploading.due or busy):
        return ()
    return (do.Wait(until),) if busy else (do.Upload(UPLOAD_WITHIN, know.uploading.troubled),)


def _facts(know: Knowledge) -> dict[str, object]:
    ending = know.ending
    reason = ending.error.message if ending.error is not None else ending.reason
    return {"lastStopReason": reason, **({"lastState": "stopped"} if know.was_ready else {})}


def stopped_early(know: Knowledge) -> LindaError | None:
    """The error of a run with ``--once`` that was stopped before the login was saved."""
    if not know.options.once or know.saving.saved:
        return None
    return Interrupted("stopped before the login was saved", f"linda start {know.number or ''}".strip())
