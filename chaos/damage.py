"""Mutated real profiles against what Chromium really does: ``tests.checks.mutations`` as a part of the plan."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from chaos.figures import Figures
from chaos.pieces import Piece

_FULL = 1000
_BATCH = 50
"""Each batch makes the profiles that it mutates first, which takes as long as a dozen mutations."""
_ROW = re.compile(r"\| all \| (\d+) \| (\d+) \| \d+ \| \d+ \| \d+ \| (\d+) \|")


def batch(seed: int, until: float) -> Figures:
    """Fifty mutations; fewer where the time is short."""
    left = until - time.monotonic()
    count = max(5, min(_BATCH, int(left / 3)))
    figures = Figures(planned=_BATCH)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.checks.mutations", "--count", str(count), "--seed", str(seed)],
            capture_output=True, text=True, check=False, timeout=max(left, 600),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        figures.count("mutated profiles", ["the batch did not end"], f"seed {seed}")
        return figures
    row = _ROW.search(done.stdout)
    if row is None:
        figures.count("mutated profiles", [done.stderr.strip()[-300:] or "no table"], f"seed {seed}")
        return figures
    tried, lost, unforeseen = (int(one) for one in row.groups())
    figures.tried["mutated profiles"] = figures.ran = tried
    figures.lost["mutated profiles"] = unforeseen
    figures.seen["mutations that cost the login in Chromium"] = lost
    figures.stories = [line for line in done.stdout.splitlines() if line.startswith("UNFORESEEN")]
    return figures


def pieces(seed: int) -> list[Piece]:
    """Twenty batches."""

    def piece(at: int) -> Piece:
        return Piece(f"batch {at}", _BATCH, lambda until: batch(seed + at, until))

    return [piece(at) for at in range(_FULL // _BATCH)]
