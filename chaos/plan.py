"""The parts of the full plan. A part is a function of (seed, seconds) that gives its figures."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from chaos.figures import Figures

Part = Callable[[int, float], Figures]


@dataclass(frozen=True)
class Entry:
    """``module`` has a function ``run``; ``share`` is its part of the time, ``promise`` what it attacks."""

    module: str
    share: float
    promise: str

    def there(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    def run(self, seed: int, seconds: float) -> Figures:
        part: Part = importlib.import_module(self.module).run
        return part(seed, seconds)


PLAN = (
    Entry("chaos.steps", 4, "every change on disk is whole or absent"),
    Entry("chaos.power", 2, "a power cut leaves the old state or the new one"),
    Entry("chaos.crowd", 2, "two at once lose nothing"),
    Entry("chaos.damage", 3, "damage is found before the browser destroys the evidence"),
    Entry("chaos.day", 4, "a day of faults costs no QR code"),
)
