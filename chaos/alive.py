"""Sessions on a real Chromium to attack: linked once against the stand-in, then copied as often as they are needed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from chaos.homes import scratch
from linda_cli.sandbox.server import Sandbox
from tests.linda import NUMBER, World

SQLITE_TRIAL = (
    "--enable-features=IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores,"
    "DomStorageSqliteNewDatabases:DomStorageSqliteNewDatabasesStage/UseSqliteForNewDatabases"
)
"""What makes Chromium keep a new profile in SQLite; linda keeps it so from then on."""


@contextlib.contextmanager
def linked_once(trial: str = "") -> Iterator[Path]:
    """A home whose session was linked, stopped and backed up. Not to be used itself: see :func:`copy_of`.

    ``trial``: browser arguments that play a field trial at the linking.
    """
    with scratch() as place:
        folder = place / "linked"
        with served(folder) as world:
            link(world, trial)
        yield folder


@contextlib.contextmanager
def copy_of(base: Path) -> Iterator[World]:
    """A copy of that home with a stand-in that knows its device; everything of it ends with the block."""
    with scratch() as place:
        shutil.copytree(base, place / "home", symlinks=True)
        with served(place / "home") as world:
            yield world


@contextlib.contextmanager
def empty() -> Iterator[World]:
    """A home in which nobody has linked anything."""
    with scratch() as place, served(place / "home") as world:
        yield world


@contextlib.contextmanager
def served(folder: Path) -> Iterator[World]:
    """The stand-in beside a home."""
    sandbox = Sandbox(folder / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(folder, sandbox)
    try:
        yield world
    finally:
        world.end()


def link(world: World, trial: str = "") -> None:
    """Scan once, and leave."""
    with world.linda.start("--once", LINDA_CHROME_ARGS=trial) as run:
        run.wait_for("qr")
        world.phone.scan(NUMBER)
        run.wait_for("stopped")
