"""Looking costs no login: while one session starts and stops over and over, all that ``linda info`` reads is read every
few milliseconds. A reader that held a SQLite database while Chromium starts would empty it for good."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from chaos.alive import SQLITE_TRIAL, copy_of, linked_once
from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.lifecycle.api import Store
from tests.linda import NUMBER, World

_ROUNDS, _STARTS = 10, 5
EVERY = 0.005


def starts(base: Path, count: int) -> Figures:
    """``count`` starts to ``saved`` and back, looked at all the while: each needs no code, no look says damaged."""
    figures = Figures()
    with copy_of(base) as world:
        for at in range(count):
            verdicts: set[str] = set()
            with _looking(world, verdicts, figures), world.linda.start(NUMBER, "--once", "--no-link") as run:
                code = run.end(120)
            ready = run.all("ready")
            wrong = (
                [] if not code and ready and ready[0]["source"] == "profile" else [f"ended with {code}: {run.story()}"]
            )
            wrong += [f"called {one} meanwhile" for one in sorted(verdicts & {"damaged", "missing", "rejected"})]
            figures.count("starts while it is looked at", wrong, f"start {at}")
        linkings = world.linkings
    figures.count("linked once for all that", [] if linkings == 1 else [f"{linkings} times"], "")
    return figures


class _looking:  # noqa: N801 - reads as a sentence
    def __init__(self, world: World, verdicts: set[str], figures: Figures) -> None:
        self._world, self._verdicts, self._figures = world, verdicts, figures
        self._over = threading.Event()
        self._looker = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._looker.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looker.join(60)

    def _look(self) -> None:
        store = Store(self._world.inner)
        while not self._over.is_set():
            self._verdicts.add(store.info(NUMBER).verdict)
            self._figures.seen["looks"] += 1
            time.sleep(EVERY)


def pieces(seed: int) -> list[Piece]:
    """Fifty starts; every other five of a login in LevelDB."""

    def round_(at: int) -> Figures:
        with linked_once("" if at % 2 else SQLITE_TRIAL) as base:
            figures = starts(base, _STARTS)
        figures.planned = figures.ran
        return figures

    def piece(at: int) -> Piece:
        return Piece(f"round {at}", _STARTS, lambda _: round_(at))

    return [piece(at) for at in range(_ROUNDS)]
