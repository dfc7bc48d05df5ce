"""How often somebody may try to link: each try starts a browser and wears out the phone owner's patience."""

from __future__ import annotations

import functools
import math
import time
from typing import TYPE_CHECKING

from linda_cli.errors import TooManyTries

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

_MINUTES = 10


class RateLimit:
    """At most ``tries`` for each owner within ten minutes."""

    def __init__(self, tries: int) -> None:
        self._tries = tries

    @functools.cached_property
    def _window(self) -> tuple[RateLimitItem, RateLimiter]:
        # Late: a server that only restores has no use for it.
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return RateLimitItemPerMinute(self._tries, _MINUTES), MovingWindowRateLimiter(MemoryStorage())

    def hit(self, owner: str) -> None:
        """Count a try. Raises ``TooManyTries``. Thread-safe."""
        if not self._tries:
            return
        item, limiter = self._window
        if limiter.hit(item, owner):
            return
        again = max(1, math.ceil(limiter.get_window_stats(item, owner).reset_time - time.time()))
        raise TooManyTries(
            f"more than {self._tries} tries to link within {_MINUTES} minutes", f"try again in {again} s",
            retryAfter=again,
        )  # fmt: skip
