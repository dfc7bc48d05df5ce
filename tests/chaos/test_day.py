"""The short form of the scripted day; ``make chaos`` has the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos import day

pytestmark = pytest.mark.browser


def test_a_day_of_random_faults_needs_one_linking_after_the_one_logout(tmp_path: Path) -> None:
    """Network drops, killed browsers and drivers, crashed pages, 401s, other windows: no code, every outage ends."""
    record = day.a_day(seed=20261121, seconds=40, faults=12)
    assert record.broken == []
    # How many fit into 40 seconds is the machine's; that they happened is the test's.
    assert record.faults >= 1
    assert record.codes_before == 0
    assert record.linkings_after == 1
    assert record.disconnected >= record.reconnected
    assert record.memory() < 80
