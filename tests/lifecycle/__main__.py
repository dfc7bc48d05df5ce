"""The walk for some minutes, with its counts: ``python -m tests.lifecycle [SECONDS]`` (240)."""

from __future__ import annotations

import random
import sys
import time

from tests.lifecycle import afterwards, moves, scenes
from tests.lifecycle.test_walk import Sometimes
from tests.lifecycle.walk import walk

LONG_WAYS = 0.2
"""The share of the time for long ways."""


def main(seconds: float) -> int:
    """Every sequence of depth 4 in full as far as the time goes, then long ways. How many violations there were."""
    visit = Sometimes(19)
    alone = walk(scenes.SCENES, alphabet=(moves.at, moves.half_a_minute), stop_at_first=False)
    print(f"left alone: {alone.line()}")
    print(f"{len(moves.MOVES)} moves from {len(scenes.SCENES)} scenes")
    counts = walk(scenes.SCENES, depth=4, seconds=seconds * (1 - LONG_WAYS), visit=visit, stop_at_first=False)
    print(f"breadth first: {counts.line()}")
    print(f"  {visit.met // visit.share} of them followed to their end")
    print("  phases: " + ", ".join(f"{name} {count}" for name, count in counts.phases.most_common()))
    print("  actions: " + ", ".join(f"{name} {count}" for name, count in counts.actions.most_common()))
    wrong = [*alone.violations, *counts.violations]
    began, ways, steps, chance = time.monotonic(), 0, 0, random.Random(1)
    while time.monotonic() - began < seconds * LONG_WAYS:
        sim = chance.choice(scenes.SCENES)()
        ways += 1
        try:
            for move in chance.choices(moves.MOVES, k=40):
                steps += moves.apply(sim, move)
            problem = afterwards.everything_comes(sim)
        except AssertionError as violation:
            problem = str(violation)
        if problem is not None:
            wrong.append(problem)
    print(f"long ways: {ways} of up to 40 moves, {steps} steps")
    for problem in wrong[:10]:
        print(f"\n{problem}")
    print(f"{len(wrong)} violations")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 240.0))
