"""The short form of killing at random moments; ``make chaos`` kills 120 times."""

from __future__ import annotations

import os
import random

import pytest

from chaos import kill
from chaos.alive import SQLITE_TRIAL, linked_once

pytestmark = pytest.mark.browser

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 30))


def test_a_linking_that_is_killed_costs_one_new_code_at_the_worst() -> None:
    figures = kill.linking(SEED, 2)
    assert figures.stories == [], SEED
    assert figures.ran == 2


@pytest.mark.parametrize("trial", ["", SQLITE_TRIAL], ids=["LevelDB", "SQLite"])
def test_a_session_that_is_killed_while_it_comes_back_needs_no_code_and_loses_no_backup(trial: str) -> None:
    with linked_once(trial) as base:
        figures = kill.returning(base, SEED, 3)
    assert figures.stories == [], SEED
    assert figures.ran == 4
