"""What the store answers after it has changed something. Commands print exactly these, with names in camelCase."""

from __future__ import annotations

from dataclasses import dataclass

from linda_cli.sessions.values import Backup


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What ``linda backup`` did; ``seconds`` is how long it took."""

    session: str
    backup: Backup
    is_new: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure inside a list of results."""

    name: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class BackedUpOne:
    """One line of ``linda backup --all``."""

    session: str
    backup: Backup | None
    is_new: bool
    error: Problem | None
    skipped: str | None = None
    """Why there is nothing to save: the account waits to be linked."""


@dataclass(frozen=True, slots=True)
class BackedUpAll:
    """What ``linda backup --all`` did, one line a session."""

    results: tuple[BackedUpOne, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """``restored`` None: what came back was a quarantined profile, named in ``source``."""

    session: str
    restored: Backup | None
    aside: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Restorable:
    """What ``linda restore --list`` shows: backups newest first, and quarantined profiles by name."""

    session: str
    backups: tuple[Backup, ...]
    quarantined: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cleared:
    """``backup``: the one taken before. ``aside``: the quarantined profile. ``removed``: backups that are gone."""

    session: str
    backup: Backup | None
    aside: str | None
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggedOutSession:
    """``unlinked``: WhatsApp has taken the device off the phone's list; False: it was only forgotten here.
    ``aside``: the quarantined profile."""

    session: str
    unlinked: bool
    revoked_at: str | None
    aside: str | None


@dataclass(frozen=True, slots=True)
class Exported:
    """What ``linda export`` wrote. ``size`` in bytes; ``moved``: the login was given up here, and its profile is the
    quarantined ``aside``."""

    session: str
    file: str
    size: int
    backup: Backup
    moved: bool
    aside: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Imported:
    """What ``linda import`` made. ``aside``: the quarantined profile of the session it took the place of;
    ``exported_from``: a host's name; ``moved``: the login was given up there."""

    session: str
    backup: Backup
    aside: str | None
    exported_from: str
    exported_at: str
    moved: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class AdoptedOne:
    """A profile that was found. ``action``: adopted, skipped or failed; ``reason`` says why it was not adopted.
    ``aside``: the quarantined profile of the session it took the place of."""

    path: str
    kind: str
    session: str | None
    action: str
    reason: str | None
    backup: Backup | None = None
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """What ``linda adopt`` found and did."""

    results: tuple[AdoptedOne, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that cleanup looked at. ``kind``: backup, quarantine or leftover; ``action``: keep or remove."""

    session: str
    name: str
    kind: str
    action: str
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """``removed`` counts items, ``freed`` bytes (in a dry run: what would be)."""

    dry_run: bool
    items: tuple[Item, ...]
    removed: int
    freed: int
    sessions: int
    errors: tuple[str, ...]
