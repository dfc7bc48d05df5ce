"""Kill linda, its driver, its browser or all of them at random moments of a run on a real Chromium.

From ``saved`` on no kill may cost a code or a backup. Before it the worst is one new code, never a session that does
not come up.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from chaos.alive import SQLITE_TRIAL, copy_of, empty, linked_once
from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.browser.strays import drivers
from linda_cli.errors import LindaError
from tests.linda import NUMBER, Started, World

_ROUNDS, _TIMES = 12, 10

VICTIMS = ("linda", "driver", "browser", "browser and helpers", "everything")

# What the kill follows, and the most seconds after it.
_LINKING = (("began", 1.5), ("qr", 1.0), ("authenticated", 0.5), ("ready", 0.5), ("saved", 1.0), ("stopping", 0.5))
_RETURNING = (("began", 1.0), ("restoring", 0.8), ("ready", 0.3), ("saved", 1.0), ("stopping", 0.5))


def attempt(world: World, chosen: random.Random, *, linked: bool) -> tuple[str, list[str]]:
    """One kill and the way back from it: (what it was, complaints)."""
    victim = chosen.choice(VICTIMS)
    after, most = chosen.choice(_RETURNING if linked else _LINKING)
    before = {one["name"] for one in _backups(world)} if linked else set()
    with world.linda.start(*([NUMBER] if linked else [])) as run, _scanning(world, run):
        with contextlib.suppress(AssertionError):
            if after == "stopping":
                run.wait_for("saved")
                run.signal()
            elif after != "began":
                run.wait_for(after)
        time.sleep(chosen.uniform(0.0, most))
        _kill(world, run, victim)
        if victim not in ("linda", "everything"):
            _wait_for_saved(run)
            if run.process.poll() is None:
                run.signal()
        run.end(90)
    # What it said last may have been said after the kill was decided on: said is said.
    safe = linked or bool(run.all("saved"))
    complaints = [f"a code on the way: {run.story()}"] if linked and run.all("qr") else []
    complaints += _comes_back(world, safe=safe)
    complaints += _nothing_lost(world, before)
    when = "after saved" if run.all("saved") else "while coming back" if linked else "before saved"
    return f"{victim} killed {when}", [f"{after}: {one}" for one in complaints]


@contextlib.contextmanager
def _scanning(world: World, run: Started) -> Iterator[None]:
    """Somebody who scans every code that is shown."""
    over = threading.Event()

    def scan() -> None:
        seen = 0
        while not over.wait(0.02):
            shown = len(run.all("qr"))
            if shown > seen:
                seen = shown
                with contextlib.suppress(LindaError):
                    world.phone.scan(NUMBER, timeout=2)

    person = threading.Thread(target=scan, daemon=True)
    person.start()
    try:
        yield
    finally:
        over.set()
        person.join(30)


def _kill(world: World, run: Started, victim: str) -> None:
    doomed: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        linda = psutil.Process(run.process.pid)
        if victim in ("driver", "everything"):
            doomed += [one for one in linda.children() if "chromedriver" in one.name() or "undetected" in one.name()]
        if victim in ("linda", "everything"):
            doomed.append(linda)
    if victim not in ("linda", "driver"):
        for browser in world.browsers():
            with contextlib.suppress(psutil.Error):
                helpers = browser.children(recursive=True) if victim != "browser" else []
                doomed += [browser, *helpers]
    for one in doomed:
        with contextlib.suppress(psutil.Error):
            one.kill()


def _wait_for_saved(run: Started) -> None:
    # A linking whose browser was killed under it may end with an error: that is for the next start to make good.
    with contextlib.suppress(AssertionError):
        run.wait_for("saved", timeout=60)


def _comes_back(world: World, *, safe: bool) -> list[str]:
    """Complaints about the next start: without a code where it is safe, with one at the worst where it is not."""
    words = ("--once", "--no-link") if safe else ("--once",)
    with world.linda.start(*words) as run, _scanning(world, run):
        code = run.end(120)
    wrong = []
    if code or not run.all("saved") or (safe and run.all("qr")):
        wrong.append(f"the next start ended with {code}: {run.story()} {run.errors[-3:]}")
    if left := [one.pid for one in world.browsers()]:
        wrong.append(f"browsers left behind: {left}")
    if strays := [one.pid for one in drivers(world.inner / "sessions")]:
        wrong.append(f"drivers left behind: {strays}")
    return wrong


def _nothing_lost(world: World, before: set[str]) -> list[str]:
    now = _backups(world)
    wrong = [f"{one['name']} is no longer valid" for one in now if one["valid"] is not True]
    if not any(one["verified"] for one in now):
        wrong.append("no verified backup is left")
    # Five are kept: as long as there are fewer, none has to go.
    if len(now) < 5 and not before <= {one["name"] for one in now}:
        wrong.append(f"backups are gone: {before} before, {[one['name'] for one in now]} now")
    return wrong


def _backups(world: World) -> list[dict[str, object]]:
    told: list[dict[str, object]] = world.linda.info(NUMBER, "--deep")["backups"]
    return told


def linking(seed: int, times: int) -> Figures:
    """Kills of runs that link for the first time, each in a home of its own."""
    chosen = random.Random(seed)
    figures = Figures()
    for at in range(times):
        with empty() as world:
            name, complaints = attempt(world, chosen, linked=False)
        figures.count(name, complaints, f"seed {seed}, linking {at}")
    return figures


def returning(base: Path, seed: int, times: int) -> Figures:
    """Kills of one session's runs, one after another."""
    chosen = random.Random(seed)
    figures = Figures()
    with copy_of(base) as world:
        for at in range(times):
            name, complaints = attempt(world, chosen, linked=True)
            figures.count(name, complaints, f"seed {seed}, returning {at}")
            if complaints:
                break
        linkings = world.linkings
    figures.count("linked once for all that", [] if linkings == 1 else [f"{linkings} times"], f"seed {seed}")
    return figures


def pieces(seed: int) -> list[Piece]:
    """Half of the rounds kill runs that link, half kill runs that come back; every other of these is in SQLite."""

    def round_(at: int) -> Figures:
        if at % 2:
            return _planned(linking(seed + at, _TIMES))
        with linked_once(SQLITE_TRIAL if at % 4 else "") as base:
            return _planned(returning(base, seed + at, _TIMES))

    def piece(at: int) -> Piece:
        return Piece(f"round {at}", _TIMES, lambda _: round_(at))

    return [piece(at) for at in range(_ROUNDS)]


def _planned(figures: Figures) -> Figures:
    figures.planned = figures.ran
    return figures
