"""What could be repaired in a profile without touching the login: a value that a look finds, carried out elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing to do to one file of the profile."""

    act: Literal["write", "cut", "set aside"]
    path: PurePath
    """Relative to the profile."""
    what: str
    """In words, for the one line that tells of it."""
    content: bytes = b""
    """What to write."""
    size: int = 0
    """What to cut to."""
    was: int = 0
    """The size that was looked at; another one means that somebody else was here."""
