"""What a run may do next, as values. ``actions`` does them; ``decide`` chooses them; neither knows the other.

Every action has a lane. Two of one lane never run at once; what is done in no lane takes no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from linda_cli.errors import LindaError

BY_THE_PHONE = "by the phone"
"""The reason of a logout for which the page has no reason."""

BY_YOU = "by you"
"""The reason of a logout that ``linda logout``, the API or the page of a server asked for."""


class Lane(StrEnum):
    """Where an action runs."""

    BROWSER = "browser"
    DISK = "disk"
    NETWORK = "network"
    PULSE = "pulse"
    BOT = "bot"
    UPLOAD = "upload"
    MEMORY = "memory"
    NONE = "none"


class Target(StrEnum):
    """What on the page may be pressed, and under which name the proofs know it."""

    WINDOW = "use here instead of another window"
    COMPUTER = "use here instead of another computer"
    NEW_CODES = "new codes"
    PAIRING_CODE = "a pairing code"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do."""

    lane: ClassVar[Lane] = Lane.NONE


# -- no lane: done at once


@dataclass(frozen=True, slots=True)
class Wait(Action):
    """Nothing to do before ``until`` (monotonic seconds) unless something is observed. The last action of its row."""

    until: float


@dataclass(frozen=True, slots=True)
class Tell(Action):
    """Tell one event."""

    event: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note(Action):
    """Keep fields in ``session-state.json``; written by a thread of its own, again until it succeeds."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Arrive(Action):
    """The page is ready for the first time in this run, or after a linking: note it, then tell ``ready``."""

    source: str


@dataclass(frozen=True, slots=True)
class BeginLinking(Action):
    """Nothing is left to restore: from here on a code may be shown."""


@dataclass(frozen=True, slots=True)
class BeginRestoration(Action):
    """The browser was lost, or its login is in doubt: the way through the restore steps again, within the run.

    ``suspicion``: a logout that is not proven yet, to be confirmed with the newest verified backup.
    """

    reason: str
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A login that seems to be unlinked. ``how``: what was seen, to be seen again before it is believed."""

    login: str
    how: str
    reason: str


@dataclass(frozen=True, slots=True)
class FailStep(Action):
    """The restore step that is under way has failed, for this reason. Told, recorded, and nothing is destroyed."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class SecondLook(Action):
    """What a page showed is to be seen once more before it is believed: on a copy of the same bytes, or without the
    page's service worker. ``kind``: the failure to confirm."""

    kind: str


@dataclass(frozen=True, slots=True)
class Mismatch(Action):
    """Another account than was asked for is linked here: its profile is to be moved out of the way."""

    number: str


@dataclass(frozen=True, slots=True)
class BeginOutage(Action):
    """The session could not be brought back now: it is supervised on, and tried again later."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown(Action):
    """The run comes to its end: with ``error``, or None where it was asked to or has done its work."""

    error: LindaError | None = None
    reason: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class End(Action):
    """Nothing is left to do: the run returns, or raises ``error``."""

    error: LindaError | None = None


# -- the disk


@dataclass(frozen=True, slots=True)
class Inspect(Action):
    """Look at the profile and at what is known of the session. Changes nothing."""

    lane: ClassVar[Lane] = Lane.DISK


@dataclass(frozen=True, slots=True)
class PrepareProfile(Action):
    """Repair what can be repaired without touching the login, take its fingerprint, and have a copy of these bytes.
    ``from_backup``: they come from one, so there is a copy."""

    lane: ClassVar[Lane] = Lane.DISK
    from_backup: bool = False


@dataclass(frozen=True, slots=True)
class FindBackup(Action):
    """The next backup that may be restored. ``verified_of``: the newest verified one of that login, of any age."""

    lane: ClassVar[Lane] = Lane.DISK
    tried: frozenset[str] = frozenset()
    verified_of: str | None = None


@dataclass(frozen=True, slots=True)
class RestoreBackup(Action):
    """Put a backup in the profile's place; the present profile goes to quarantine, whole. ``proof``: why it may."""

    lane: ClassVar[Lane] = Lane.DISK
    name: str
    proof: str


@dataclass(frozen=True, slots=True)
class PutBack(Action):
    """Put the quarantined original back in its place: no backup became ready."""

    lane: ClassVar[Lane] = Lane.DISK
    name: str


@dataclass(frozen=True, slots=True)
class Quarantine(Action):
    """Move the profile to quarantine, whole. ``number``: whose it is, where that is not the run's."""

    lane: ClassVar[Lane] = Lane.DISK
    reason: str
    proof: str
    number: str | None = None


@dataclass(frozen=True, slots=True)
class MoveOtherAccount(Action):
    """Move the profile of another account than was asked for to quarantine, under its own number."""

    lane: ClassVar[Lane] = Lane.DISK
    number: str


@dataclass(frozen=True, slots=True)
class CopyToQuarantine(Action):
    """Copy a damaged profile to quarantine before it is tried as it is."""

    lane: ClassVar[Lane] = Lane.DISK
    reason: str


@dataclass(frozen=True, slots=True)
class RecordRejection(Action):
    """Remember the bytes that WhatsApp refused: they are not opened again by themselves."""

    lane: ClassVar[Lane] = Lane.DISK
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RevokeLogin(Action):
    """The device was unlinked: no copy of this login is used again. Its result is the reason to tell."""

    lane: ClassVar[Lane] = Lane.DISK
    login: str
    reason: str


@dataclass(frozen=True, slots=True)
class Save(Action):
    """Say ``saved`` once the login has been seen on disk and a backup of it exists."""

    lane: ClassVar[Lane] = Lane.DISK
    login: str | None = None


@dataclass(frozen=True, slots=True)
class BackUp(Action):
    """Take a backup along the way."""

    lane: ClassVar[Lane] = Lane.DISK
    reason: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Upload(Action):
    """Bring the backups into the object store, within so many seconds. ``troubled``: that it fails was told."""

    lane: ClassVar[Lane] = Lane.UPLOAD
    within: float
    troubled: bool = False


@dataclass(frozen=True, slots=True)
class MeasureLogin(Action):
    """Whether the login's files change: a page that syncs writes."""

    lane: ClassVar[Lane] = Lane.DISK


@dataclass(frozen=True, slots=True)
class LearnNumber(Action):
    """From now on this run is of ``number``: its lock is taken too."""

    lane: ClassVar[Lane] = Lane.DISK
    number: str


@dataclass(frozen=True, slots=True)
class DropServiceWorker(Action):
    """Remove a service worker that serves a stale page."""

    lane: ClassVar[Lane] = Lane.DISK


@dataclass(frozen=True, slots=True)
class TidyProfile(Action):
    """After the browser has gone: give the profile its number's name; remove one that never held a login."""

    lane: ClassVar[Lane] = Lane.DISK


# -- the browser


@dataclass(frozen=True, slots=True)
class Attach(Action):
    """Connect to our browser that runs on the profile."""

    lane: ClassVar[Lane] = Lane.BROWSER


@dataclass(frozen=True, slots=True)
class Launch(Action):
    """Start a browser on the profile."""

    lane: ClassVar[Lane] = Lane.BROWSER


@dataclass(frozen=True, slots=True)
class TryEmptyProfile(Action):
    """Start a browser on an empty profile of its own, to learn whether it is the profile or the machine. It must live
    for ``seconds``, longer than those before it did."""

    lane: ClassVar[Lane] = Lane.BROWSER
    seconds: float


@dataclass(frozen=True, slots=True)
class CloseBrowser(Action):
    """Close the browser and wait until it has gone. ``kept``: let go of it and leave it running. ``hung``: it does not
    answer any more, so it is not asked for long."""

    lane: ClassVar[Lane] = Lane.BROWSER
    kept: bool = False
    hung: bool = False


@dataclass(frozen=True, slots=True)
class Reload(Action):
    """Load the plain address anew in the same tab."""

    lane: ClassVar[Lane] = Lane.BROWSER


@dataclass(frozen=True, slots=True)
class Press(Action):
    """Press something on the page; looked at again inside the click's own script."""

    lane: ClassVar[Lane] = Lane.BROWSER
    target: Target


@dataclass(frozen=True, slots=True)
class InstallObserver(Action):
    """Put the observer into the document again."""

    lane: ClassVar[Lane] = Lane.BROWSER


@dataclass(frozen=True, slots=True)
class CheckPulse(Action):
    """Ask the observer for a sign of life, for ``seconds`` at most. ``last``: silence means that the browser hangs."""

    lane: ClassVar[Lane] = Lane.PULSE
    seconds: float
    last: bool = False


# -- the rest


@dataclass(frozen=True, slots=True)
class MeasureMemory(Action):
    """How much memory the browser takes, and how long the page has seen no message and no input."""

    lane: ClassVar[Lane] = Lane.MEMORY


@dataclass(frozen=True, slots=True)
class ProbeNetwork(Action):
    """Have the browser make a request, to learn whether the network is there."""

    lane: ClassVar[Lane] = Lane.NETWORK


@dataclass(frozen=True, slots=True)
class EndBot(Action):
    """End the bot beside the run with everything it started."""

    lane: ClassVar[Lane] = Lane.BOT
