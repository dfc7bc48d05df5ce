"""Mutated real profiles against what Chromium really does: ``tests.checks.mutations`` as a part of the plan."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from chaos.figures import Figures

_FULL = 1000
_BATCH = 20
_ROW = re.compile(r"\| all \| (\d+) \| (\d+) \| \d+ \| \d+ \| \d+ \| (\d+) \|")


def run(seed: int, seconds: float) -> Figures:
    """Batches of mutations until the time is over; 1000 are the full plan."""
    until = time.monotonic() + seconds
    figures = Figures(planned=_FULL)
    for batch in range(_FULL // _BATCH):
        left = until - time.monotonic()
        if left < 20:
            break
        words = ["--count", str(_BATCH), "--seed", str(seed + batch), "--workers", "2"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.checks.mutations", *words],
                capture_output=True, text=True, check=False, timeout=max(left, 300),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            figures.count("mutated profiles", ["the batch did not end"], f"seed {seed + batch}")
            break
        row = _ROW.search(done.stdout)
        if row is None:
            figures.count("mutated profiles", [done.stderr.strip()[-300:] or "no table"], f"seed {seed + batch}")
            break
        tried, lost, unforeseen = (int(one) for one in row.groups())
        figures.tried["mutated profiles"] += tried
        figures.tried["of these: cost the login, called out before"] += lost
        figures.lost["of these: cost the login, called out before"] += unforeseen
        figures.ran += tried
        figures.stories += [line for line in done.stdout.splitlines() if line.startswith("UNFORESEEN")]
    return figures
