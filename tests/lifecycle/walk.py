"""The walk: every move at every moment, breadth first, equal situations once.

Two situations are equal where the knowledge and the world are, with moments made relative to now, rounded and capped,
and counters capped. So the walk is of classes, but every state in it was reached by a way that is kept.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import cache, lru_cache
from typing import Any

from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.whatsapp.status import PageReading
from tests.lifecycle import moves
from tests.lifecycle.moves import Move
from tests.lifecycle.simulation import Simulation, Violation

OLDEST, LATEST = 65.0, 310.0
"""A moment that lies longer ago, or farther ahead, is in the class of the farthest."""

MOST = 3
"""Counters are alike from here on."""

FINE = 10.0
"""Within so many seconds a moment counts to a tenth, beyond them to a second."""

_MOMENTS = ("_at", "_since", "began", "since", "next_backup")
_LEFT_OUT = {"options", "address", "chance", "browser_id", "debuggerAddress", "structure", "reading"}


def _class_of(moment: float, now: float) -> float:
    age = now - moment
    if math.isinf(age):
        return age
    if age > OLDEST or age < -LATEST:
        return math.copysign(OLDEST if age > 0 else LATEST, age)
    return round(age, 1) if abs(age) <= FINE else float(round(age))


@cache
def _fields(kind: Any) -> tuple[tuple[str, bool], ...]:
    return tuple(
        (one.name, one.name.endswith(_MOMENTS)) for one in dataclasses.fields(kind) if one.name not in _LEFT_OUT
    )


@lru_cache(maxsize=100_000)
def _plain(word: str) -> str:
    """Names without their counters: which bytes and which code they are of is alike."""
    return word if word.isdigit() else re.sub(r"[\d.]+", "", word)


def _key(value: Any, now: float) -> object:
    if value is None or isinstance(value, (bool, Enum)):
        return value
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, int):
        return min(value, MOST)
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, (tuple, list)):
        return tuple(_key(one, now) for one in value)
    if isinstance(value, frozenset):
        return len(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(
            _class_of(found, now) if is_moment and isinstance(found, float) else _key(found, now)
            for name, is_moment in _fields(type(value))
            for found in (getattr(value, name),)
        )
    return type(value).__name__


@lru_cache(maxsize=200_000)
def _reading_key(reading: PageReading | None) -> object:
    if reading is None:
        return None
    return (reading.status, reading.wid, reading.noise, reading.pane, reading.socket, reading.logout,
            reading.address_clean, reading.popups, reading.ref is None, reading.login)  # fmt: skip


def key_of(sim: Simulation) -> int:
    """The class of a situation."""
    know: Knowledge = sim.know
    page = sim.world.page
    lies = sim.world.lies
    clocks = (
        *(one.at for one in sim.world.pending),
        sim.world.network_at,
        lies.unreadable_until,
        lies.code_until,
        lies.blind_until,
        *((page.began, page.synced_at) if page is not None else ()),
    )
    return hash(
        (
            _key(know, sim.now),
            _reading_key(know.page.reading),
            sim.world.key(),
            tuple(_class_of(one, sim.now) for one in clocks),
            _class_of(sim.until, sim.now),
            sim.over,
        )
    )


@dataclasses.dataclass(slots=True)
class Counts:
    """What a walk has seen."""

    states: int = 0
    steps: int = 0
    merged: int = 0
    depth: int = 0
    whole: bool = False
    seconds: float = 0.0
    phases: Counter[str] = dataclasses.field(default_factory=Counter)
    actions: Counter[str] = dataclasses.field(default_factory=Counter)
    violations: list[str] = dataclasses.field(default_factory=list)

    def line(self) -> str:
        """For a person."""
        reached = "to the fixpoint" if self.whole else f"stopped by its bound at depth {self.depth}"
        return (
            f"{self.states} states, {self.steps} steps, {self.merged} merged, {reached}, "
            f"{len(self.violations)} violations, {self.seconds:.1f} s"
        )


def walk(
    starts: Iterable[Callable[[], Simulation]],
    *,
    alphabet: Sequence[Move] = moves.MOVES,
    depth: int = 10_000,
    states: int = 10_000_000,
    seconds: float = math.inf,
    visit: Callable[[Simulation], str | None] | None = None,
    stop_at_first: bool = True,
) -> Counts:
    """Breadth first from each start. ``depth``, ``states``, ``seconds``: the bounds. ``visit``: a check of each new
    state. Raises ``Violation`` at the first one, or counts them."""
    counts, began = Counts(), time.monotonic()
    level: list[Simulation] = []
    met: set[int] = set()
    for start in starts:
        sim = start()
        sim.way = (start.__name__,)
        if key_of(sim) not in met:
            met.add(key_of(sim))
            level.append(sim)
    while level and counts.depth < depth:
        counts.depth += 1
        following: list[Simulation] = []
        for sim in level:
            for move in alphabet:
                if len(met) >= states or time.monotonic() - began >= seconds:
                    return _closed(counts, met, began)
                _step(sim, move, met, following, counts, visit, stop_at_first)
        level = following
    counts.whole = not level
    return _closed(counts, met, began)


def _step(
    sim: Simulation,
    move: Move,
    met: set[int],
    following: list[Simulation],
    counts: Counts,
    visit: Callable[[Simulation], str | None] | None,
    stop_at_first: bool,
) -> None:
    after = sim.clone()
    done = len(after.done)
    try:
        if not moves.apply(after, move):
            return
        counts.steps += 1
        key = key_of(after)
        if key in met:
            counts.merged += 1
            return
        met.add(key)
        counts.phases[after.know.phase.value] += 1
        counts.actions.update(type(one).__name__ for one in after.done[done:])
        wrong = visit(after) if visit is not None else None
        if wrong is not None:
            raise Violation(f"{wrong}\n{after.story()}")
    except Violation as problem:
        if stop_at_first:
            raise
        counts.violations.append(str(problem))
        return
    except Exception as problem:
        raise Violation(f"decide is not total: {problem!r}\n{after.story()}") from problem
    if not after.over:
        # What was told and done long ago is needed for the grammar only.
        following.append(after)


def _closed(counts: Counts, met: set[int], began: float) -> Counts:
    counts.states = len(met)
    counts.seconds = time.monotonic() - began
    return counts
