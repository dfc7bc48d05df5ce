"""The short form of copies under heavy writing; ``make chaos`` makes two hundred."""

from __future__ import annotations

import pytest

from chaos import hot
from chaos.alive import SQLITE_TRIAL, linked_once

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("trial", ["", SQLITE_TRIAL], ids=["LevelDB", "SQLite"])
def test_copies_of_a_page_that_writes_as_fast_as_it_can_log_in(trial: str) -> None:
    with linked_once(trial) as base:
        figures = hot.copies(base, seed=3, count=2)
    assert figures.stories == []
    assert figures.tried["hot copies no older than the moment they began"] == (2 if trial else 0)
    assert figures.tried["hot copies, each restored and logged in"] == 2
    assert figures.seen["writes of the page meanwhile"] > 1000
