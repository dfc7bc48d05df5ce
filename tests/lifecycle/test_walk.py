"""Every move at every moment: the invariants hold wherever a run comes to.

``python -m tests.lifecycle`` walks farther, for some minutes.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linda_cli.lifecycle.knowledge import Phase
from linda_cli.lifecycle.options import LinkMethod, Options
from tests.lifecycle import afterwards, moves, scenes
from tests.lifecycle.simulation import Simulation
from tests.lifecycle.unknown import an_unknown_fact_enables_nothing
from tests.lifecycle.walk import walk

SOMETIMES = 37
"""Of so many new situations one is followed to its end; ``python -m tests.lifecycle`` follows more."""


class Sometimes:
    """Follows a share of what it is shown to its end, and asks everything of it."""

    def __init__(self, share: int) -> None:
        self.share, self.met = share, 0

    def __call__(self, sim: Simulation) -> str | None:
        self.met += 1
        if self.met % self.share:
            return None
        return an_unknown_fact_enables_nothing(sim) or afterwards.everything_comes(sim)


@pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda one: one.__name__)
def test_the_invariants_hold_two_moves_from_every_scene(scene: scenes.Scene) -> None:
    counts = walk([scene], depth=2, states=400, visit=Sometimes(SOMETIMES))
    assert counts.states >= 60, counts.line()


@pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda one: one.__name__)
def test_what_is_left_alone_comes_to_rest(scene: scenes.Scene) -> None:
    """To the fixpoint: by time alone only so many situations can be reached, and the last ones lead to each other."""
    counts = walk([scene], alphabet=(moves.at, moves.half_a_minute), states=2_000)
    assert counts.whole, counts.line()


@pytest.mark.slow
def test_the_invariants_hold_three_moves_from_every_scene() -> None:
    counts = walk(scenes.SCENES, depth=3, states=12_000, visit=Sometimes(SOMETIMES))
    assert counts.states >= 5_000, counts.line()
    assert set(counts.phases) == {one.value for one in Phase if one is not Phase.OVER}


@pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda one: one.__name__)
def test_what_must_come_comes_from_every_scene(scene: scenes.Scene) -> None:
    sim = scene()
    assert afterwards.everything_comes(sim) is None
    assert an_unknown_fact_enables_nothing(sim) is None


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    scene=st.sampled_from(scenes.SCENES),
    way=st.lists(st.sampled_from(moves.MOVES), min_size=5, max_size=25),
)
def test_the_invariants_hold_on_long_ways(scene: scenes.Scene, way: list[moves.Move]) -> None:
    sim = scene()
    for move in way:
        moves.apply(sim, move)
    assert afterwards.a_stop_ends_within_its_time(sim) is None


@pytest.mark.parametrize(
    "options",
    [
        Options(timeout=40.0, once=True),
        Options(timeout=40.0, no_link=True),
        Options(timeout=40.0, keep_browser=True),
        Options(timeout=40.0, takeover=True, qr_timeout=60.0),
        Options(timeout=40.0, can_show=False),
        Options(timeout=40.0, link_with=LinkMethod.CODE),
        Options(timeout=40.0, hung_after=1.0, backup_every=30.0),
        Options(),
    ],
    ids=["once", "no-link", "keep-browser", "takeover", "no-screen", "pairing-code", "impatient", "default"],
)
def test_the_invariants_hold_with_every_option(options: Options) -> None:
    def start() -> Simulation:
        sim = scenes.new_run(options=options).start()
        return sim.rest(10.0)

    walk([start, lambda: scenes.new_run(options=options).start()], depth=2, states=250, visit=Sometimes(SOMETIMES))
