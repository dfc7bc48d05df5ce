"""``python -m chaos``: 20 minutes of attacks; with ``CHAOS=full`` all of them, going on where the last run stopped."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from chaos.figures import Figures
from chaos.plan import PLAN, Entry

KEPT = Path(".chaos") / "full.json"
_ALL_THE_TIME = 24 * 3600.0


def main() -> int:
    """Run the plan, print the table. 1 where anything did not survive."""
    words = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    words.add_argument("--minutes", type=float, default=20.0)
    words.add_argument("--seed", type=int, default=None)
    words.add_argument("--part", action="append", help="only this one, as in: --part steps")
    wish = words.parse_args()
    full = os.environ.get("CHAOS") == "full"
    done = _kept() if full else {}
    seed = wish.seed if wish.seed is not None else int(str(done.get("seed", random.randrange(1 << 30))))
    parts = [one for one in PLAN if not wish.part or one.module.split(".")[1] in wish.part]
    there = [one for one in parts if one.there()]
    print(f"seed {seed}; " + ("the full plan" if full else f"{wish.minutes:g} minutes"), flush=True)
    total, began = Figures(), time.monotonic()
    weight = sum(one.share for one in there)
    for one in there:
        figures = _told(done.get(one.module)) if full and one.module in done else None
        if figures is None:
            seconds = _ALL_THE_TIME if full else wish.minutes * 60 * one.share / weight
            figures = one.run(seed, seconds)
            if full:
                done.update({"seed": seed, one.module: _plain(figures)})
                _keep(done)
        _print(one, figures)
        total.add(figures)
    share = 100 * total.ran / max(1, total.planned)
    tried, survived = sum(total.tried.values()), sum(total.tried.values()) - sum(total.lost.values())
    print(f"\n{tried} attempts, {survived} survived; {share:.0f} % of the full plan, {time.monotonic() - began:.0f} s")
    for one in parts:
        if one not in there:
            print(f"not here: {one.module} ({one.promise})")
    if full:
        KEPT.unlink(missing_ok=True)
    return 1 if total.lost else 0


def _print(part: Entry, figures: Figures) -> None:
    share = 100 * figures.ran / max(1, figures.planned)
    print(f"\n{part.promise} ({share:.0f} % of the plan)\n\n| attack | tried | survived |\n|---|---|---|")
    for name, tried, survived in figures.rows():
        print(f"| {name} | {tried} | {survived} |")
    for story in figures.stories[:50]:
        print(f"LOST {story}")
    sys.stdout.flush()


def _kept() -> dict[str, object]:
    try:
        told: dict[str, object] = json.loads(KEPT.read_text())
    except (OSError, ValueError):
        return {}
    return told


def _keep(done: dict[str, object]) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    fresh = KEPT.with_suffix(".new")
    fresh.write_text(json.dumps(done))
    fresh.replace(KEPT)


def _plain(figures: Figures) -> dict[str, object]:
    return {
        "tried": figures.tried,
        "lost": figures.lost,
        "stories": figures.stories,
        "planned": figures.planned,
        "ran": figures.ran,
    }


def _told(kept: object) -> Figures | None:
    if not isinstance(kept, dict):
        return None
    return Figures(Counter(kept["tried"]), Counter(kept["lost"]), kept["stories"], kept["planned"], kept["ran"])


if __name__ == "__main__":
    sys.exit(main())
