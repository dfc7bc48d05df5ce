"""Two at once, or six: processes that do anything to one session in random order, some of them killed on the way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from chaos.commands import lived
from chaos.figures import Figures
from chaos.homes import NUMBER, home_at, scratch, store_of
from chaos.pieces import Piece
from chaos.survey import Facts, print_of, survey, whole_state
from linda_cli.errors import InUse, LindaError
from linda_cli.lifecycle.stopping import stop_session
from linda_cli.sessions.home import Home
from linda_cli.sessions.store import Store

_HANGS_AFTER = 60.0
"""Seconds for one operation: a store lock is waited for 10 s, and every operation takes a few of them."""


def _count(store: Store, who: str) -> None:
    def change(entry: dict[str, object]) -> None:
        entry[who] = int(str(entry.get(who) or 0)) + 1

    store.state.update(NUMBER, change)


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "backup": lambda store: store.backup(NUMBER),
    "label": lambda store: store.backup(NUMBER, "crowd"),
    "restore": lambda store: store.restore(NUMBER),
    "clear and undo": lambda store: (store.clear(NUMBER), store.restore(NUMBER)),
    "cleanup": lambda store: store.cleanup(keep=3),
    "stop": lambda store: stop_session(store, NUMBER),
    "info": lambda store: store.info(NUMBER),
    "state": lambda store: store.save_state(NUMBER, crowd=True),
}


def _worker(home: Home, seed: int, operations: int, who: str, report: int) -> None:
    """In a child. Reports ``<operation> <outcome>`` lines; counts what it did in the state file and in the report."""
    chosen = random.Random(seed)
    for _ in range(operations):
        name = chosen.choice(list(OPERATIONS))
        signal.alarm(int(_HANGS_AFTER))
        try:
            OPERATIONS[name](store_of(home))
            outcome = "done"
        except InUse:
            outcome = "in use"
        except LindaError as problem:
            outcome = f"{type(problem).__name__}: {problem.message}"
        except BaseException as problem:  # noqa: BLE001 - kept and judged by the caller
            outcome = f"BUG {problem!r}"
        with contextlib.suppress(InUse):
            _count(store_of(home), who)
            os.write(report, b"counted\n")
        os.write(report, f"{name}\t{outcome}\n".encode())
    signal.alarm(0)


def _spawn(home: Home, seed: int, operations: int, who: str, reports: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        report = os.open(reports / who, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _worker(home, seed, operations, who, report)
        code = 0
    finally:
        os._exit(code)


def crowd(seed: int, operations: int, workers: int = 5, *, kill: bool = True) -> Figures:
    """``operations`` in all, by ``workers`` at once; with ``kill`` some of the workers die on the way."""
    chosen = random.Random(seed)
    figures = Figures(planned=operations)
    with scratch() as place:
        home = home_at(place / "home")
        lived(home)
        first = print_of(home.named_profile(NUMBER))
        store_of(home).backup(NUMBER, "the one that must live")
        (place / "reports").mkdir()
        share = max(1, operations // workers)
        running = {
            _spawn(home, chosen.getrandbits(32), share, f"worker{index}", place / "reports"): f"worker{index}"
            for index in range(workers)
        }
        # Two more that are killed over and over; what they were at is left to the others.
        victims = 0
        doomed: dict[int, float] = {}
        while running:
            for pid in [*running, *doomed]:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if not ended:
                    continue
                doomed.pop(pid, None)
                who = running.pop(pid, None)
                if who is not None:
                    code = os.waitstatus_to_exitcode(status)
                    figures.count("a worker ends by itself", [] if code == 0 else [f"ended with {code}"], who)
            if kill and running and len(doomed) < 2:
                victims += 1
                pid = _spawn(home, chosen.getrandbits(32), 1000, f"victim{victims}", place / "reports")
                doomed[pid] = time.monotonic() + chosen.uniform(0.02, 0.6)
            for pid, moment in doomed.items():
                if time.monotonic() >= moment:
                    os.kill(pid, signal.SIGKILL)
            figures.count("the state file is whole", whole_state(home))
            time.sleep(0.01)
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        _judge(home, place / "reports", figures, first)
        figures.tried["workers killed"] += victims
    figures.ran = figures.planned
    return figures


def _judge(home: Home, reports: Path, figures: Figures, first: str) -> None:
    facts = Facts(NUMBER, frozenset({"restorable", "cleared"}), frozenset({first}))
    figures.count("the session afterwards", survey(home, facts))
    entry = store_of(home).state.entry(NUMBER)
    for report in sorted(reports.iterdir()):
        lines = report.read_text().splitlines()
        counted = lines.count("counted")
        known = int(entry.get(report.name) or 0)
        # A victim may die between counting and saying so.
        right = known == counted if report.name.startswith("worker") else known - counted in (0, 1)
        figures.count("no update is lost", [] if right else [f"{known} instead of {counted}"], report.name)
        for line in lines:
            if "\t" not in line:
                continue
            name, outcome = line.split("\t", 1)
            fine = outcome in ("done", "in use") or _to_be_expected(name, outcome)
            figures.count(f"{name}: done or in use", [] if fine else [outcome], report.name)


def _to_be_expected(name: str, outcome: str) -> bool:
    """Cleared by another process in between: there is nothing to back up, or no number to be found, for a moment."""
    return outcome.startswith("SessionNotFound") and name in ("backup", "label", "stop", "clear and undo", "restore")


def pieces(seed: int) -> list[Piece]:
    """Fourteen crowds of 300 operations."""

    def piece(round_: int) -> Piece:
        return Piece(f"crowd {round_}", 300, lambda _: crowd(seed + round_, 300))

    return [piece(round_) for round_ in range(14)]
