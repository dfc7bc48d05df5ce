"""What a run knows, built by short lists of observations, and what it decides, in words: for the tables of tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from linda_cli.errors import LindaError
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.decisions import Action
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.observations import Observation, ProfileFacts
from linda_cli.lifecycle.options import Options
from linda_cli.whatsapp.status import PageReading, PageStatus
from tests.lifecycle.page_model import NUMBER, OTHER_NUMBER

READY = PageReading(
    PageStatus.READY,
    1,
    wid=True,
    noise=True,
    number=NUMBER,
    login="own",
    noise_digest="own's key",
    pane=True,
    socket="CONNECTED",
    mode="MAIN",
    stored=True,
)
LOADING = replace(READY, status=PageStatus.LOADING, pane=False, socket="OPENING", mode=None)
SYNCING = replace(READY, status=PageStatus.SYNCING, pane=False, mode="SYNCING", percent=10)
OFFLINE = replace(READY, status=PageStatus.OFFLINE, socket="OPENING")
REFUSED = replace(READY, status=PageStatus.REFUSED, pane=False, socket="UNPAIRED", ref="code 1")
CODE = PageReading(
    PageStatus.QR, 1, wid=False, noise=False, pane=False, socket="UNPAIRED", mode="QR", ref="code 1", stored=False
)
RENAMED = replace(READY, wid=False, noise=False, number=None, login=None, noise_digest=None)
VANISHING = replace(RENAMED, status=PageStatus.UNKNOWN, pane=False, socket=None, mode=None, structure="div")
LOGGED_OUT = replace(VANISHING, status=PageStatus.LOGGED_OUT, document=2, logout="", address_clean=False)
FATAL = replace(LOGGED_OUT, status=PageStatus.CLIENT_FATAL, document=1, logout="0")
CONFLICT = replace(READY, status=PageStatus.COMPUTER, socket="CONFLICT", mode="CONFLICT", popups=1)
WINDOW = replace(LOADING, status=PageStatus.WINDOW, popups=1, other_tabs=1)
UNREACHABLE = PageReading(PageStatus.UNREACHABLE, 1)
GONE = PageReading(PageStatus.GONE, 1, reason="the page crashed")
UNKNOWN = replace(VANISHING, wid=True, noise=True, login="own", number=NUMBER, noise_digest="own's key")
LOCKED = replace(READY, status=PageStatus.LOCKED, pane=False)
BLOCKED = replace(READY, status=PageStatus.BLOCKED, socket="TEMP_BAN", reason="TEMP_BAN")
OTHER_READY = replace(READY, number=OTHER_NUMBER, login="other", noise_digest="other's key")
MOVED_READY = replace(READY, number=OTHER_NUMBER, login="moved")

GOOD = ProfileFacts(
    "restorable",
    can_restore=True,
    login="own",
    noise="own's key",
    has_trace=True,
    ready_login="own",
    ready_noise="own's key",
)
DAMAGED = replace(GOOD, verdict="damaged", can_restore=False)
MISSING = ProfileFacts("missing", keyless=True)
RUNNING = replace(GOOD, verdict="running", can_restore=False, running=True)
REJECTED = replace(GOOD, verdict="rejected", can_restore=False)
NO_KNOWN_KEYS = replace(GOOD, login=None, noise=None)

FOUND = seen.FoundBackup("backup-1", "own", "bytes of backup-1", 60.0)


def began(options: Options | None = None, number: str | None = NUMBER) -> Knowledge:
    """A run that begins at 0."""
    return Knowledge.at_start(options or Options(), number, 0.0, 0.0)


def after(know: Knowledge, *observations: Observation) -> Knowledge:
    """What is known after these."""
    for observation in observations:
        know = know.after(observation)
    return know


def did(action: Action, at: float, result: Any = None) -> Iterable[Observation]:
    """An action that was begun and ended well, at once."""
    if action.lane is do.Lane.NONE:
        return (seen.Done(action, result, at=at),)
    return (seen.Begun(action, at=at), seen.Done(action, result, at=at))


def doing(know: Knowledge, at: float, *actions: Action) -> Knowledge:
    """What is known after these were done with nothing to report."""
    for action in actions:
        know = after(know, *did(action, at))
    return know


def failed(know: Knowledge, at: float, action: Action, error: LindaError) -> Knowledge:
    """What is known after an action that was begun has failed."""
    return after(know, seen.Begun(action, at=at), seen.Failed(action, error, at=at))


def inspected(know: Knowledge, facts: ProfileFacts, at: float = 0.0) -> Knowledge:
    """The profile was looked at, and that was told."""
    return doing(after(know, *did(do.Inspect(), at, facts)), at, do.Tell("checked"))


def prepared(know: Knowledge, at: float = 0.0, copy: str | None = "backup-0") -> Knowledge:
    """The profile is about to be opened."""
    return after(know, *did(do.PrepareProfile(), at, seen.Prepared("bytes of the profile", copy)))


def launched(know: Knowledge, at: float = 0.0, browser: int | None = None) -> Knowledge:
    """A browser is up."""
    told = do.Tell("restoring", {"rung": "profile", "backup": None})
    know = doing(know, at, told) if know.restoration.attempt is not None else know
    return after(know, *did(do.Launch(), at, seen.BrowserUp(browser or know.browser_id + 1, "127.0.0.1:1")))


def shows(know: Knowledge, reading: PageReading, at: float) -> Knowledge:
    """The page shows something."""
    return after(know, seen.PageSeen(know.browser_id, reading, at=at))


def on_the_profile(facts: ProfileFacts = GOOD, options: Options | None = None) -> Knowledge:
    """At 0 a browser is up on the profile."""
    return launched(prepared(inspected(began(options), facts)))


def on_a_backup(options: Options | None = None) -> Knowledge:
    """At 0 a browser is up on the first backup: there was no login in the profile."""
    know = after(inspected(began(options), MISSING), *did(do.FindBackup(), 0.0, FOUND))
    know = after(know, *did(do.RestoreBackup("backup-1", "no login is in it"), 0.0, seen.PutInPlace("aside-1")))
    return launched(prepared(inspected(know, GOOD)))


def ready(options: Options | None = None, *, saved: bool = True) -> Knowledge:
    """Ready at 1 from the profile, and saved."""
    know = shows(on_the_profile(options=options), READY, 1.0)
    know = doing(know, 1.0, do.Arrive("profile"))
    return after(know, *did(do.Save("own"), 1.0, seen.SaveResult(True, login="own"))) if saved else know


def linking(options: Options | None = None, number: str | None = NUMBER) -> Knowledge:
    """Nothing was left at 0; a browser is up to show a code."""
    return launched(doing(began(options, number), 0.0, do.BeginLinking()))


def row(know: Knowledge, now: float) -> list[str]:
    """What is decided, in words."""
    return [word(action) for action in decide(know, now)]


def word(action: Action) -> str:
    """One action in words."""
    match action:
        case do.Tell(event=event):
            return f"Tell {event}"
        case do.Press(target=target):
            return f"Press {target.name}"
        case do.FailStep(kind=kind) | do.SecondLook(kind=kind):
            return f"{type(action).__name__} {kind}"
        case do.RestoreBackup(name=name) | do.PutBack(name=name):
            return f"{type(action).__name__} {name}"
        case do.Shutdown(error=error) | do.End(error=error):
            return type(action).__name__ + (f" {error.name}" if error is not None else "")
        case do.RevokeLogin(login=login):
            return f"RevokeLogin {login}"
        case do.RecordRejection(fingerprint=fingerprint):
            return f"RecordRejection of {fingerprint}"
    return type(action).__name__
