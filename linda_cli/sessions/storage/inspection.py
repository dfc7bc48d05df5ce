"""What a look at a store finds, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from linda_cli.sessions.storage.damage import Damage, Unknown, Unreadable
from linda_cli.sessions.storage.repair import Repair

Vouched = Callable[[Path, os.stat_result], bool]
"""Says of a file's path and stat that its content was verified before and it has not changed since."""

GrownTo = Callable[[Path], int | None]
"""The size that a log of this login is known to have had, from a backup: logs only grow."""


def never(_path: Path, _stat: os.stat_result) -> bool:
    """Nobody vouches for anything."""
    return False


def unknown(_path: Path) -> int | None:
    """Nobody knows how large a log was."""
    return None


class Inspection(NamedTuple):
    """What a look at one database found."""

    ok: bool
    detail: str
    repairs: tuple[Repair, ...] = ()
    """What must be mended before a browser opens it; their paths begin at the store's own name."""
    latent: bool = False
    """The only damage is inside table blocks, which a start of the browser may or may not read."""
    live: tuple[Path, ...] = ()
    """The files that make up the database now; empty where that cannot be told."""
    absent: bool = False
    """There is no such folder at all, or nothing in it."""
    hollow: bool = False
    """Sound, and nothing was ever written: Chromium's own databases never look so."""
    unreadable: bool = False
    """The system did not let us look. Whether it is sound is not known."""
    unknown: bool = False
    """In a format that this linda does not know."""


def failed(damage: Damage, *, absent: bool = False) -> Inspection:
    """The inspection that ended with this."""
    return Inspection(
        False,
        damage.detail,
        absent=absent,
        unreadable=isinstance(damage, Unreadable),
        unknown=isinstance(damage, Unknown),
    )
