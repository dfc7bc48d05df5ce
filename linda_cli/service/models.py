"""What is to be installed, and what is known of what is. Plain values, printed with names in camelCase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Scope(StrEnum):
    """Whose service manager."""

    USER = "user"
    SYSTEM = "system"
    CRON = "cron"


@dataclass(frozen=True, slots=True)
class Plan:
    """A service to be written. ``number`` None: the server of all accounts.

    ``program``: the words that start linda from anywhere. ``user``: who a system unit runs as. ``variables``: settings
    of linda that were in the environment; no secret is among them. ``extra``: more words for the command.
    """

    scope: Scope
    home: Path
    program: tuple[str, ...]
    number: str | None
    user: str
    prefix: str = "linda"
    extra: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    timers: bool = True

    @property
    def main(self) -> str:
        """The unit's name without what it is."""
        return f"{self.prefix}-{self.number or 'serve'}"

    @property
    def command(self) -> tuple[str, ...]:
        """What runs all the time. A service has no terminal: it never shows a code."""
        if self.number is None:
            return self.linda("serve", *self.extra)
        return self.linda("start", self.number, "--no-link", *self.extra)

    def linda(self, *words: str) -> tuple[str, ...]:
        """A command of this linda on this home."""
        return (*self.program, "--home", str(self.home), *words)


@dataclass(frozen=True, slots=True)
class Installed:
    """The answer of ``install``. ``started``: systemd has started it; ``notes``: what is left to do by hand."""

    scope: Scope
    home: str
    files: tuple[str, ...]
    started: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit or one line of a crontab. ``state`` None: no service manager answers."""

    name: str
    scope: Scope
    file: str
    state: str | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer of ``status``."""

    home: str
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """The answer of ``remove``: what is gone."""

    home: str
    removed: tuple[str, ...]
    notes: tuple[str, ...] = ()
