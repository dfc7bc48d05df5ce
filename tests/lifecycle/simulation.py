"""One run in the model world: the loop of ``run`` with a clock of its own, and what was told and done along the way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from linda_cli.errors import LindaError
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.observations import Observation
from linda_cli.lifecycle.options import Options
from tests.lifecycle.model_world import World

LONGEST_WAIT = 60.0
MOST_ACTIONS = 10
CLOSE = 0.01
"""Seconds that count as just before or just after a moment."""


class Violation(AssertionError):
    """An invariant does not hold. Its message has the way that led there."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event that a run told."""

    at: float
    event: str
    facts: object = None


@dataclass(frozen=True, slots=True)
class Checks:
    """What is checked: before each action, after each row of actions, and at each observation."""

    on_action: tuple[Callable[[Simulation, Action], str | None], ...] = ()
    on_row: tuple[Callable[[Simulation, tuple[Action, ...]], str | None], ...] = ()
    on_observation: tuple[Callable[[Simulation, Observation], str | None], ...] = ()


class Simulation:
    """A run, its world and the time."""

    __slots__ = (
        "actions",
        "checks",
        "done",
        "error",
        "know",
        "now",
        "over",
        "stopped_at",
        "told",
        "until",
        "way",
        "world",
    )

    def __init__(self, world: World, options: Options, checks: Checks, *, number: str | None) -> None:
        self.world = world
        self.checks = checks
        self.now = 1000.0
        self.know = Knowledge.at_start(options, number, self.now, 0.5)
        self.until = self.now
        self.told: tuple[Told, ...] = ()
        self.done: tuple[Action, ...] = ()
        self.way: tuple[str, ...] = ()
        self.over = False
        self.error: LindaError | None = None
        self.stopped_at: float | None = None
        self.actions = 0

    def clone(self) -> Simulation:
        """A simulation that goes on by itself from here."""
        other = copy.copy(self)
        other.world = self.world.clone()
        return other

    def names(self) -> tuple[str, ...]:
        """The events that were told."""
        return tuple(one.event for one in self.told)

    def did(self, kind: type[Action]) -> bool:
        """Whether an action of this kind was begun."""
        return any(isinstance(one, kind) for one in self.done)

    # -- the loop

    def start(self) -> Simulation:
        """Decide for the first time."""
        self._settle()
        return self

    def observe(self, observation: Observation) -> None:
        """Take in one observation, without deciding."""
        if isinstance(observation, seen.StopAsked) and self.stopped_at is None:
            self.stopped_at = self.now
        for check in self.checks.on_observation:
            self._judge(check.__name__, check(self, observation))
        if isinstance(observation, seen.Done) and isinstance(observation.action, do.Save):
            self._saved(observation.result)
        self.know = self.know.after(observation)

    def look(self) -> None:
        """Hear what the page says at this moment, then decide."""
        world, now = self.world, self.now
        if world.page is not None and world.process and not self.know.is_busy(Lane.NONE):
            if world.page.document != world.told_document and world.browsers:
                world.told_document = world.page.document
                self.observe(seen.DocumentBegan(world.browsers, world.page.document, at=now))
            reading = world.reading(now)
            if reading is not None and reading != world.told_page and not world.hung:
                world.told_page = reading
                self.observe(seen.PageSeen(world.browsers, reading, at=now))
        self._settle()

    def advance(self, to: float) -> None:
        """Let time pass."""
        while not self.over:
            moment = min(to, self.world.next_change(self.now), max(self.until, self.now), self.now + LONGEST_WAIT)
            if moment > self.now:
                self.actions = 0
            self.now = moment
            self._happen()
            self.look()
            if self.now >= to and self.until > self.now:
                return

    def rest(self, seconds: float) -> Simulation:
        """Let some seconds pass."""
        self.advance(self.now + seconds)
        return self

    def rest_until(self, holds: Callable[[Simulation], bool], within: float) -> bool:
        """Let time pass until something holds; whether it came to that."""
        last = self.now + within
        while not holds(self):
            if self.over or self.now >= last:
                return holds(self)
            self.advance(min(last, self.next_moment()))
        return True

    def next_moment(self) -> float:
        """When something is due, of the run or of the world."""
        return max(self.now, min(self.until, self.world.next_change(self.now), self.now + LONGEST_WAIT))

    def _happen(self) -> None:
        world, now = self.world, self.now
        if world.gone_at is not None and world.gone_at <= now:
            world.ended()
            self.observe(seen.BrowserGone(world.browsers, "the browser died", at=now))
        world.page_leaves(now)
        for one in world.pending:
            if one.at <= now:
                for observation in world.finish(one, now):
                    self.observe(observation)

    def _settle(self) -> None:
        while not self.over:
            row = decide(self.know, self.now)
            for check in self.checks.on_row:
                self._judge(check.__name__, check(self, row))
            for action in row:
                if isinstance(action, do.Wait):
                    self.until = action.until
                    return
                self.actions += 1
                if self.actions > MOST_ACTIONS:
                    raise Violation(f"it goes in circles: {row}\n{self.story()}")
                for judge in self.checks.on_action:
                    self._judge(judge.__name__, judge(self, action))
                self.done = (*self.done, action)
                if isinstance(action, do.End):
                    self.over, self.error = True, action.error
                    break
                self._begin(action)

    def _begin(self, action: Action) -> None:
        if action.lane is not Lane.NONE:
            self.world.begin(action, self.now)
            self.know = self.know.after(seen.Begun(action, at=self.now))
            return
        if isinstance(action, do.Tell):
            self.told = (*self.told, Told(self.now, action.event, action.facts))
        if isinstance(action, do.Arrive):
            self.told = (*self.told, Told(self.now, "ready", {"source": action.source}))
            self.world.ready_login = self.world.page.login if self.world.page is not None else None
        self.know = self.know.after(seen.Done(action, at=self.now))

    def _saved(self, result: object) -> None:
        if isinstance(result, seen.SaveResult) and result.saved:
            self.told = (*self.told, Told(self.now, "saved"))

    def _judge(self, name: str, wrong: str | None) -> None:
        if wrong is not None:
            raise Violation(f"{name}: {wrong}\n{self.story()}")

    def story(self) -> str:
        """The way to here, for whoever reads a failure."""
        told = ", ".join(f"{one.event}@{one.at - 1000:.2f}" for one in self.told)
        done = ", ".join(type(one).__name__ for one in self.done[-25:])
        return (
            f"at {self.now - 1000:.2f} in {self.know.phase} after {list(self.way)}\n"
            f"told: {told}\ndone: {done}\nworld: {self.world.key()}\nreading: {self.know.page.reading}"
        )
