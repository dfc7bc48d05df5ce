"""Growing pauses between retries."""

from __future__ import annotations

import random
from dataclasses import dataclass

from linda_cli.lifecycle.options import Pace


def pause_after(retries: int, pace: Pace, chance: float) -> float:
    """Seconds before retry number ``retries`` + 1: 5, 10, 20 … 300, and up to a quarter more by ``chance`` (0 to 1),
    so that many sessions do not retry in step."""
    return min(pace.cap, pace.first_retry * 2.0 ** min(max(0, retries), 10)) * (1.0 + chance / 4)


@dataclass(slots=True)
class Backoff:
    """The same with a count of its own."""

    pace: Pace
    retries: int = 0

    def next(self) -> float:
        """Seconds until the next retry."""
        self.retries += 1
        return pause_after(self.retries - 1, self.pace, random.random())
