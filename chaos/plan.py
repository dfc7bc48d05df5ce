"""The parts of the full plan. A part is a module with a function ``pieces(seed)``."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.pieces import Piece


@dataclass(frozen=True)
class Entry:
    """``share`` is its part of the time, ``promise`` what it attacks; ``lane``: two lanes make use of two cores."""

    name: str
    share: float
    promise: str
    lane: int

    def pieces(self, seed: int) -> Sequence[Piece]:
        made: Sequence[Piece] = importlib.import_module(f"chaos.{self.name}").pieces(seed)
        return made


PLAN = (
    Entry("steps", 4, "every change on disk is whole or absent", 0),
    Entry("power", 1, "a power cut leaves the old state or the new one", 0),
    Entry("crowd", 2, "two at once lose nothing", 0),
    Entry("day", 4, "a day of faults costs no QR code", 0),
    Entry("damage", 4, "damage is found before the browser destroys the evidence", 1),
    Entry("hot", 2, "copies of a running browser are honest", 1),
    Entry("looks", 1, "looking costs no login", 1),
    Entry("soak", 3, "a server with ten accounts, hurt at random, brings all of them back", 1),
    Entry("kill", 3, "killed at any moment, no login is lost", 1),
)
