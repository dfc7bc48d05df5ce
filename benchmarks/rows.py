"""One row: ours and what it stands beside, in turns, medians of at least seven."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

TURNS = 7

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """``ours`` and ``beside`` in seconds (or another unit that both share); ``target`` is the most that ours may be,
    as a share of what it stands beside."""

    what: str
    beside: str
    target: float
    ours: float
    peer: float
    spread: str
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else float("inf")

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def side_by_side(
    what: str, beside: str, target: float, ours: Measure, peer: Measure, *, turns: int = TURNS, unit: str = "s"
) -> Row:
    """Measure both in turns, so that whatever else the machine does falls on both."""
    ours()
    peer()
    mine, theirs = [], []
    for _ in range(turns):
        mine.append(ours())
        theirs.append(peer())
    spread = f"{min(mine):.3f}-{max(mine):.3f} / {min(theirs):.3f}-{max(theirs):.3f}"
    row = Row(what, beside, target, statistics.median(mine), statistics.median(theirs), spread, unit)
    print(f"{'met   ' if row.met else 'MISSED'} {row.ratio:5.2f} (at most {target}) {what} | {beside}", flush=True)
    return row


def timed(act: Callable[[], object]) -> Measure:
    """How long ``act`` takes, in seconds."""

    def measure() -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    return measure
