"""``python -m chaos``: 20 minutes of attacks; with ``CHAOS=full`` all of them, going on where the last run stopped."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence

from chaos import pieces
from chaos.figures import Figures
from chaos.pieces import Kept
from chaos.plan import PLAN, Entry

_ALL_THE_TIME = 24 * 3600.0


def main() -> int:
    """Run the plan, print the table. 1 where anything did not survive."""
    words = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    words.add_argument("--minutes", type=float, default=20.0)
    words.add_argument("--seed", type=int, default=None)
    words.add_argument("--part", action="append", choices=[one.name for one in PLAN], help="only this one")
    words.add_argument("--lane", type=int, default=None, help=argparse.SUPPRESS)
    wish = words.parse_args()
    full = os.environ.get("CHAOS") == "full"
    parts = [one for one in PLAN if not wish.part or one.name in wish.part]
    seed = wish.seed
    if seed is None and full:
        seed = pieces.kept_seed([one.name for one in parts])
    if seed is None:
        seed = random.randrange(1 << 30)
    if wish.lane is not None:
        for one in parts:
            if one.lane == wish.lane:
                _run(one, seed, _ALL_THE_TIME, full=True)
        return 0
    print(f"seed {seed}; " + ("the full plan" if full else f"{wish.minutes:g} minutes"), flush=True)
    began = time.monotonic()
    if full:
        _both_lanes(parts, seed)
    total, weight = Figures(), sum(one.share for one in parts)
    for one in parts:
        figures = _run(one, seed, 0.0 if full else wish.minutes * 60 * one.share / weight, full=full)
        _print(one, figures)
        total.add(figures)
    share = 100 * total.ran / max(1, total.planned)
    tried, survived = sum(total.tried.values()), sum(total.tried.values()) - sum(total.lost.values())
    print(f"\n{tried} attempts, {survived} survived; {share:.0f} % of the full plan, {time.monotonic() - began:.0f} s")
    if full and share >= 100:
        for one in parts:
            Kept(one.name, seed).forget()
    return 1 if total.lost else 0


def _run(part: Entry, seed: int, seconds: float, *, full: bool) -> Figures:
    kept = Kept(part.name, seed) if full else None
    return pieces.run(part.pieces(seed), seed, time.monotonic() + seconds, kept)


def _both_lanes(parts: Sequence[Entry], seed: int) -> None:
    """Each lane in a process of its own: some attacks fork, which a process with threads should not."""
    named = [word for one in parts for word in ("--part", one.name)]
    command = [sys.executable, "-m", "chaos", "--seed", str(seed), *named, "--lane"]
    lanes = [subprocess.Popen([*command, str(lane)]) for lane in sorted({one.lane for one in parts})]
    for lane in lanes:
        lane.wait()


def _print(part: Entry, figures: Figures) -> None:
    share = 100 * figures.ran / max(1, figures.planned)
    print(f"\n{part.promise} ({share:.0f} % of the plan)\n\n| attack | tried | survived |\n|---|---|---|")
    for name, tried, survived in figures.rows():
        print(f"| {name} | {tried} | {survived} |")
    for name, count in sorted((figures.seen | figures.most).items()):
        print(f"{name}: {count}")
    for story in figures.stories[:50]:
        print(f"LOST {story}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
