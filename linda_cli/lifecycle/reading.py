"""A home on this machine, only looked at: for answers without a browser and without what changes the disk."""

from __future__ import annotations

from pathlib import Path

from linda_cli.lifecycle.world import Machine
from linda_cli.sessions.home import find_home
from linda_cli.sessions.reading import Reading


def open_reading(home: Path | None = None) -> Reading:
    """The home asked for, else the one found from the environment and the working directory."""
    found = find_home(home)
    return Reading(found, Machine(found.home))
