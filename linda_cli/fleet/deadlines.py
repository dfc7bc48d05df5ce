"""What the fence knows of its claims, as pure functions: no clock, no database, no process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Held:
    """One claim of this host. ``deadline``: by the boot clock, when its browser must be ended."""

    number: str
    epoch: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Every claim of this host. ``lease`` and ``margin`` in seconds; ``steady_since``: since when every renewal
    succeeded, None while the database is away."""

    lease: float
    margin: float
    held: Mapping[str, Held]
    steady_since: float | None = None

    def claimed(self, number: str, epoch: int, asked_at: float) -> Deadlines:
        """With a claim that was asked for at ``asked_at``: the database cannot have begun its lease before that."""
        return replace(self, held={**self.held, number: Held(number, epoch, self._deadline(asked_at))})

    def renewed(self, answered: Mapping[str, int], asked: Mapping[str, int], asked_at: float) -> Deadlines:
        """After a renewal of ``asked`` (number to epoch) that was answered with those that still are ours.

        What was asked for and not answered is lost: its deadline is now. A claim that came or went meanwhile, or that
        was fenced, stays as it is.
        """
        held = dict(self.held)
        for number, epoch in asked.items():
            one = held.get(number)
            if one is None or one.epoch != epoch:
                continue
            if answered.get(number) == epoch:
                held[number] = replace(one, deadline=max(one.deadline, self._deadline(asked_at)))
            else:
                held[number] = replace(one, deadline=asked_at)
        since = asked_at if self.steady_since is None else self.steady_since
        return replace(self, held=held, steady_since=since)

    def unanswered(self) -> Deadlines:
        """After a renewal that the database did not answer."""
        return replace(self, steady_since=None)

    def without(self, number: str) -> Deadlines:
        """Without a number: released, or fenced."""
        return replace(self, held={name: one for name, one in self.held.items() if name != number})

    def overdue(self, now: float) -> tuple[Held, ...]:
        """Those whose browsers must be ended now."""
        return tuple(one for one in self.held.values() if now >= one.deadline)

    def is_steady(self, now: float) -> bool:
        """Whether the database has answered every renewal for one full lease."""
        return self.steady_since is not None and now - self.steady_since >= self.lease

    def _deadline(self, asked_at: float) -> float:
        return asked_at + self.lease - self.margin
