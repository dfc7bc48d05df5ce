"""What a run observes, as values, each with its moment: the only things that change what a run knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linda_cli.errors import LindaError
from linda_cli.lifecycle.decisions import Action
from linda_cli.whatsapp.status import PageReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """``at``: seconds of the monotonic clock."""

    at: float


@dataclass(frozen=True, slots=True)
class PageSeen(Observation):
    """What the page of one browser shows now."""

    browser: int
    reading: PageReading


@dataclass(frozen=True, slots=True)
class DocumentBegan(Observation):
    """The tab came to another document."""

    browser: int
    document: int
    of_origin: bool = True


@dataclass(frozen=True, slots=True)
class BrowserGone(Observation):
    """The browser's process has ended, or its connection has."""

    browser: int
    reason: str = "the browser is gone"


@dataclass(frozen=True, slots=True)
class NetworkSeen(Observation):
    """``up`` None: it could not be asked."""

    up: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Begun(Observation):
    """An action was started."""

    action: Action


@dataclass(frozen=True, slots=True)
class Done(Observation):
    """An action has ended well. ``result`` is what it found, a value of ``results``."""

    action: Action
    result: Any = None


@dataclass(frozen=True, slots=True)
class Failed(Observation):
    """An action has failed."""

    action: Action
    error: LindaError


@dataclass(frozen=True, slots=True)
class StopAsked(Observation):
    """Somebody wants the run to end. ``keep_browser`` None: as the options have it."""

    reason: str
    keep_browser: bool | None = None


@dataclass(frozen=True, slots=True)
class BotSeen(Observation):
    """``runs``: a bot is beside the run that has not ended for good. ``code``: with which it ended for good."""

    runs: bool
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Remark(Observation):
    """Something for people to know that changes nothing of what the run does."""

    line: str


@dataclass(frozen=True, slots=True)
class Woken(Observation):
    """Something that the run waits for may have changed: look again."""


# -- what actions find


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """One look at the disk with no browser of ours on the profile, or beside one (``running``).

    ``login`` and ``noise``: as the page names them, None where they were not read. ``keyless``: both stores read and
    hold nothing of a login under the known names. ``has_trace``: something of the origin is there. ``ready_login``: the
    login that the state recorded at its last ready. ``refusal``: why no browser may be started on this profile.
    """

    verdict: str = "missing"
    can_restore: bool = False
    login: str | None = None
    noise: str | None = None
    keyless: bool = False
    has_trace: bool = False
    running: bool = False
    ready_login: str | None = None
    ready_noise: str | None = None
    checks: tuple[Any, ...] = ()
    refusal: LindaError | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """``copy``: the backup that holds exactly these bytes, None where none could be made."""

    fingerprint: str | None
    copy: str | None
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundBackup:
    """``name`` None: no other backup may be restored. ``passed_over``: (name, why) of those before it."""

    name: str | None = None
    login: str | None = None
    fingerprint: str | None = None
    age_seconds: float | None = None
    passed_over: tuple[tuple[str, str], ...] = ()
    bad: int = 0


@dataclass(frozen=True, slots=True)
class PutInPlace:
    """``aside``: the quarantine name of the profile that was there."""

    aside: str | None


@dataclass(frozen=True, slots=True)
class MemorySeen:
    """``mb``: of the browser with its helpers. ``quiet``: seconds without a message or input, None where the page could
    not say."""

    mb: int
    quiet: float | None = None


@dataclass(frozen=True, slots=True)
class BrowserUp:
    """A browser that is watched from now on, by its number in this run."""

    browser: int
    address: str


@dataclass(frozen=True, slots=True)
class SaveResult:
    """``saved``: with which backup, else ``why`` not yet."""

    saved: bool
    why: str = ""
    login: str | None = None
