"""A clock that can stand still: time spent waiting for a person does not count."""

from __future__ import annotations

import time


class Patience:
    """Counts down ``seconds`` while it is not held."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._since: float | None = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        spent = time.monotonic() - self._since if self._since is not None else 0.0
        return max(0.0, self._left - spent)

    @property
    def over(self) -> bool:
        return self.left <= 0.0

    @property
    def held(self) -> bool:
        """Whether it stands still."""
        return self._since is None

    def hold(self) -> None:
        """Stand still."""
        self._left = self.left
        self._since = None

    def go_on(self) -> None:
        """Count again."""
        if self._since is None:
            self._since = time.monotonic()
