"""What the store answers with. Commands and the server print exactly these, with names in camelCase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from linda_cli.sessions.checks import Check, Surroundings
from linda_cli.sessions.copies import OtherCopy
from linda_cli.sessions.memory_history import MemorySample
from linda_cli.sessions.other_names import OtherLogin


@dataclass(frozen=True, slots=True)
class Backup:
    """One saved copy of a profile's login.

    ``valid`` None: its files were not read, only counted. ``size`` in bytes. ``generation`` 1 is the newest.
    ``revoked_at``: when its login was unlinked, None where it was not.
    """

    name: str
    session: str
    created_at: str
    reason: str
    label: str | None
    cold: bool
    verified: bool
    valid: bool | None
    size: int
    generation: int
    login: str | None
    fingerprint: str
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class RunBy:
    """The linda that holds a session's run lock."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class Running:
    """A browser of ours on a profile; ``by`` None: it was kept, no linda watches it."""

    pid: int
    debugger_address: str | None
    by: RunBy | None
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Stray:
    """A ChromeDriver whose linda was killed. ``profile`` is the one that it drove."""

    pid: int
    profile: Path


class World(Protocol):
    """What the store must be told about the machine, because it may not look itself."""

    def around(self, profile: Path) -> Surroundings:
        """The installed browser and whoever is on the profile, as the checks want it."""

    def running(self, profile: Path, *, memory: bool = False) -> Running | None:
        """The browser of ours on the profile, ``by`` left None; its memory only where asked, which takes a while."""

    def strays(self, sessions: Path) -> Sequence[Stray]:
        """What killed lindas left of drivers on the profiles in this folder."""

    def end(self, stray: Stray) -> bool:
        """End one, once more proven to be that; False where it was not there any more."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One session as ``linda info`` lists it."""

    session: str
    profile: str
    verdict: str
    can_restore: bool
    exists: bool
    linked_as: str | None
    running: Running | None
    state: Mapping[str, Any]
    backups: tuple[Backup, ...]
    other_copy: OtherCopy | None


@dataclass(frozen=True, slots=True)
class Info(Summary):
    """One session as ``linda info NUMBER`` shows it."""

    checks: tuple[Check, ...]
    memory: tuple[MemorySample, ...] = ()
    """Of its browser over the last day."""
    other_logins: tuple[OtherLogin, ...] = ()
    """Logins of this number in ``sessions/`` under names that linda does not look at."""

    @classmethod
    def of(cls, summary: Summary, checks: tuple[Check, ...], **more: Any) -> Info:
        """The same with its checks, the history of its memory and its other logins."""
        there = {one.name: getattr(summary, one.name) for one in fields(Summary)}
        return cls(**there, checks=checks, **more)


@dataclass(frozen=True, slots=True)
class Overview:
    """All sessions of a home."""

    home: str
    sessions: tuple[Summary, ...]
    other_logins: tuple[OtherLogin, ...] = ()
    """Logins in ``sessions/`` under names that linda does not look at."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the run that holds a session says ready. ``reason``: why not, empty where it is."""

    session: str
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AllReady:
    """The answer of ``linda info --check``. ``ready``: every session that was asked about is."""

    ready: bool
    sessions: tuple[Readiness, ...]
