"""What the doctor finds. Plain values, printed with names in camelCase."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from linda_cli.sessions.home import Home


class Topic(StrEnum):
    """What is looked at."""

    BROWSER = "browser"
    DRIVER = "driver"
    SANDBOX = "sandbox"
    FONTS = "fonts"
    SHARED_MEMORY = "shared-memory"
    OPEN_FILES = "open-files"
    TEMPORARY_FOLDER = "temporary-folder"
    INOTIFY = "inotify"
    NETWORK = "network"
    CLOCK = "clock"
    CRON = "cron"
    CONFIGURATION = "configuration"
    DISK = "disk"
    RIGHTS = "rights"
    FILESYSTEM = "filesystem"
    LOCKS = "locks"
    STORAGE_FORMAT = "storage-format"
    LOGINS = "logins"
    LEFTOVERS = "leftovers"
    TIME = "time"
    """A look that took too long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. ``command`` fixes it when it is pasted into a shell.

    ``safe``: ``--fix`` may run it, because it changes nothing but the rights and the leftovers of our own files.
    """

    topic: Topic
    message: str
    command: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One topic: what was seen, and what is wrong with it. ``topic`` is the first of those that it may find."""

    topic: Topic
    detail: str
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the report."""

    topic: Topic
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at. ``home`` None: there is none here, and nothing of one was looked at."""

    healthy: bool
    home: str | None
    checks: tuple[Checked, ...]
    findings: tuple[Finding, ...]
    fixed: tuple[Finding, ...] = ()
    bundle: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at: this machine as this user has it, and a home where there is one."""

    home: Home | None
    program: str
    """How this linda is called in a shell."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    user: int = field(default_factory=os.geteuid)
    set_by_file: Mapping[str, str] = field(default_factory=dict)
    """Variables whose value is from ``linda.toml``, and the command that takes the line out."""

    @property
    def is_root(self) -> bool:
        """Whether this is root."""
        return self.user == 0

    def unset(self, variable: str) -> str:
        """The command after which this variable has no say."""
        return self.set_by_file.get(variable) or f"unset {variable}"

    @property
    def sudo(self) -> str:
        """What stands before a command that only root may run."""
        return "" if self.is_root else "sudo "

    @property
    def memory(self) -> Path | None:
        """Where the browser's version is remembered; nowhere in somebody else's home, where we would leave a file."""
        return self.home.browser_facts if self.home is not None and self._is_ours(self.home) else None

    @property
    def driver_memory(self) -> Path | None:
        """The same for the driver's."""
        return self.home.driver_facts if self.home is not None and self._is_ours(self.home) else None

    def _is_ours(self, home: Home) -> bool:
        return home.root.stat().st_uid == self.user

    def linda(self, words: str) -> str:
        """A command of this linda on this home."""
        import shlex

        where = f" --home {shlex.quote(str(self.home.root))}" if self.home is not None else ""
        return f"{self.program}{where} {words}"
