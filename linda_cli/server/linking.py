"""How often somebody may try to link: each try starts a browser and wears out the phone owner's patience."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from linda_cli.errors import TooManyTries

_MINUTES = 10


class LinkingLimit:
    """At most ``tries`` for each owner within ten minutes."""

    def __init__(self, tries: int) -> None:
        self._item = RateLimitItemPerMinute(tries, _MINUTES) if tries else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, owner: str) -> None:
        """Count a try. Raises ``TooManyTries``."""
        if self._item is None or self._limiter.hit(self._item, owner):
            return
        again = max(1, math.ceil(self._limiter.get_window_stats(self._item, owner).reset_time - time.time()))
        raise TooManyTries(
            f"more than {self._item.amount} tries to link within {_MINUTES} minutes", f"try again in {again} s",
            retryAfter=again,
        )  # fmt: skip
