"""What a part of the plan is made of: pieces of a minute or less, each kept once it is done, so that a full run that
was stopped goes on where it was."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.figures import Figures

FOLDER = Path(".chaos")


@dataclass(frozen=True)
class Piece:
    """``run`` attacks until a moment (monotonic); ``planned`` is about how many attempts that is."""

    name: str
    planned: int
    run: Callable[[float], Figures]


class Kept:
    """The pieces of one part that are done, in a file; another seed begins anew."""

    def __init__(self, part: str, seed: int) -> None:
        self._file = FOLDER / f"{part}.json"
        self._seed = seed
        self._done: dict[str, dict[str, object]] = {}
        try:
            told = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return
        if told["seed"] == seed:
            self._done = told["done"]

    def get(self, name: str) -> Figures | None:
        """What a piece gave, None where it has not been run to its end."""
        told = self._done.get(name)
        return _figures(told) if told is not None else None

    def put(self, name: str, figures: Figures) -> None:
        self._done[name] = _plain(figures)
        self._file.parent.mkdir(exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"seed": self._seed, "done": self._done}))
        fresh.replace(self._file)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


def run(pieces: Sequence[Piece], seed: int, until: float, kept: Kept | None = None) -> Figures:
    """The pieces in an order that the seed decides, as far as the time goes; with ``kept`` those that are not done."""
    order = list(pieces)
    random.Random(seed).shuffle(order)
    total = Figures()
    for piece in order:
        figures = kept.get(piece.name) if kept is not None else None
        if figures is None and time.monotonic() < until:
            figures = piece.run(until)
            # Cut short by the clock it is not done.
            if kept is not None and time.monotonic() < until:
                kept.put(piece.name, figures)
        total.add(figures if figures is not None else Figures(planned=piece.planned))
    return total


def kept_seed(parts: Sequence[str]) -> int | None:
    """The seed of a full run that was stopped."""
    for part in parts:
        try:
            return int(json.loads((FOLDER / f"{part}.json").read_text())["seed"])
        except (OSError, ValueError, KeyError):
            continue
    return None


def _plain(figures: Figures) -> dict[str, object]:
    return {
        "tried": figures.tried,
        "lost": figures.lost,
        "stories": figures.stories,
        "seen": figures.seen,
        "most": figures.most,
        "planned": figures.planned,
        "ran": figures.ran,
    }


def _figures(told: dict[str, object]) -> Figures:
    tried, lost, stories, seen, most, planned, ran = (
        told[name] for name in ("tried", "lost", "stories", "seen", "most", "planned", "ran")
    )
    assert isinstance(tried, dict)
    assert isinstance(lost, dict)
    assert isinstance(stories, list)
    assert isinstance(seen, dict)
    assert isinstance(most, dict)
    return Figures(
        Counter(tried), Counter(lost), stories, Counter(seen), Counter(most), int(str(planned)), int(str(ran))
    )
