"""Which troubles there are, told once each and once more when they are over. Pure: no clock, no I/O.

::

    event or look -> Troubles.after(...) -> (Troubles, notices)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

LONG_OUTAGE = 600.0
"""Seconds away from which an outage is told; a page and a network come back by themselves within minutes."""

NOT_READY = 10 * 86400.0
"""Seconds: WhatsApp unlinks a device that was away for about fourteen days, so four are left to do something."""

NEARLY_FULL = 500_000_000
ENOUGH = 750_000_000
"""Bytes free: below the one it is told, above the other it is over. A profile and a backup need up to 300 MB."""


class Kind(StrEnum):
    """What is wrong."""

    LOGGED_OUT = "logged_out"
    CANNOT_LINK = "cannot_link"
    OUTAGE = "outage"
    FAILED = "failed"
    DISK = "disk_nearly_full"
    BACKUP = "backup_failing"
    UPLOAD = "upload_failing"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. ``since``: seconds since 1970; ``over``: it has ended."""

    kind: Kind
    session: str | None
    message: str
    since: float
    over: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the home shows. ``last_ready``: of linked sessions, seconds since 1970."""

    free: int | None
    last_ready: Mapping[str, float] = field(default_factory=dict)


Key = tuple[str | None, Kind]

_LINKING = ("NotLinkedInTime", "PasskeyRequired")
_UNLINKED = ("LoggedOut",)
_ASKED = ("Interrupted", "Misused", "BadNumber", "AmbiguousSession", "AnswerNeeded", "WorldsApart", "InUse")
"""Failures of a command that a person has typed just now and reads the answer of."""

_READY_ENDS = (Kind.LOGGED_OUT, Kind.CANNOT_LINK, Kind.OUTAGE, Kind.FAILED, Kind.NOT_READY)


@dataclass(frozen=True, slots=True)
class Troubles:
    """``told``: since when each open trouble is; ``away``: since when a session is; ``ready``: those that are up."""

    told: Mapping[Key, float] = field(default_factory=dict)
    away: Mapping[str, float] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()

    def after(self, name: str, session: str | None, facts: Mapping[str, Any], now: float) -> _Result:
        """What an event of a run changes."""
        who = session or ""
        if name in ("ready", "reconnected"):
            ready = replace(self, away=_without(self.away, who), ready=self.ready | {who})
            return ready._end(session, _READY_ENDS, now)
        if name in ("saved", "backed_up"):
            return self._end(session, (Kind.BACKUP,), now)
        if name == "backup_failed":
            return self._begin(session, Kind.BACKUP, f"no backup was made: {facts.get('reason')}", now)
        if name == "upload_failed":
            return self._begin(session, Kind.UPLOAD, f"a backup is not in the object store: {facts.get('reason')}", now)
        if name == "uploaded":
            return self._end(session, (Kind.UPLOAD,), now)
        if name in ("disconnected", "waiting"):
            away = {who: now, **self.away}
            return replace(self, away=away, ready=self.ready - {who}), ()
        if name == "logged_out":
            gone = replace(self, away=_without(self.away, who), ready=self.ready - {who})
            return gone._begin(session, Kind.LOGGED_OUT, f"logged out: {facts.get('reason')}", now)
        if name == "passkey_required":
            return self._begin(session, Kind.CANNOT_LINK, "WhatsApp asks for a passkey to link this device", now)
        if name in ("error", "session_restoration_failed"):
            return self._failed(session, facts, now)
        if name == "stopped":
            # A person asked for it; a trouble that was told stays open until the session is ready again.
            return replace(self, away=_without(self.away, who), ready=self.ready - {who}), ()
        return self, ()

    def _failed(self, session: str | None, facts: Mapping[str, Any], now: float) -> _Result:
        name, who = str(facts.get("name")), session or ""
        message = str(facts.get("message") or facts.get("reason") or name)
        gone = replace(self, ready=self.ready - {who})
        if name in _ASKED:
            return gone, ()
        if name in _LINKING:
            return gone._begin(session, Kind.CANNOT_LINK, message, now)
        if name in _UNLINKED:
            return gone._begin(session, Kind.LOGGED_OUT, message, now)
        if "retryIn" in facts:
            # It is tried again by itself: an outage, which is told once it has lasted.
            return replace(gone, away={who: now, **gone.away}), ()
        return gone._begin(session, Kind.FAILED, message, now)

    def seen(self, look: Look, now: float) -> _Result:
        """What a look at the home, and the time that has passed, change."""
        state: Troubles = self
        notices: list[Notice] = []

        def take(result: _Result) -> None:
            nonlocal state
            state, more = result
            notices.extend(more)

        for who, since in self.away.items():
            if now - since >= LONG_OUTAGE:
                minutes = round((now - since) / 60)
                take(state._begin(who or None, Kind.OUTAGE, f"not connected for {minutes} minutes", now, since))
        if look.free is not None and look.free < NEARLY_FULL:
            take(state._begin(None, Kind.DISK, f"{look.free // 1_000_000} MB are free where the home is", now))
        elif look.free is not None and look.free > ENOUGH:
            take(state._end(None, (Kind.DISK,), now))
        for who, last in look.last_ready.items():
            if who not in state.ready and now - last >= NOT_READY:
                days = int((now - last) // 86400)
                message = f"not ready for {days} days; WhatsApp unlinks a device after about 14"
                take(state._begin(who, Kind.NOT_READY, message, now, last))
        return state, tuple(notices)

    def _begin(self, session: str | None, kind: Kind, message: str, now: float, since: float | None = None) -> _Result:
        key = (session, kind)
        if key in self.told:
            return self, ()
        began = now if since is None else since
        return replace(self, told={**self.told, key: began}), (Notice(kind, session, message, began),)

    def _end(self, session: str | None, kinds: tuple[Kind, ...], now: float) -> _Result:
        over = [(session, kind) for kind in kinds if (session, kind) in self.told]
        if not over:
            return self, ()
        told = {key: since for key, since in self.told.items() if key not in over}
        notices = tuple(
            Notice(
                kind, session, f"over after {_lasted(now - self.told[session, kind])}", self.told[session, kind], True
            )
            for _, kind in over
        )
        return replace(self, told=told), notices


_Result = tuple[Troubles, tuple[Notice, ...]]


def _without(away: Mapping[str, float], who: str) -> Mapping[str, float]:
    return {one: since for one, since in away.items() if one != who}


def _lasted(seconds: float) -> str:
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {name}s"
    return f"{max(0, round(seconds))} seconds"
