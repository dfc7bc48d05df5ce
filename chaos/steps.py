"""Every change on disk is whole or absent: each command is killed, or refused, at every call that changes the disk.

A child process does the command with the layer laid over; the parent then does what the next command would.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chaos.commands import COMMANDS, Command, Stage, stage
from chaos.figures import Figures
from chaos.homes import copy_home, home_at, scratch, store_of
from chaos.layer import KILLED, WAYS, hand_for, laid_over
from chaos.pieces import Piece
from chaos.survey import asked, survey
from linda_cli.app.exit_codes import exit_code
from linda_cli.errors import LindaError
from linda_cli.sessions.home import Home

_FINISHED, _NAMED, _BUG = 0, 78, 70
_LONGEST = 30
_ASKED = 0.02
"""After every fiftieth step the next command is a real one."""
_RIGHT_CODES = (1, 11, 12, 13, 14)


@contextlib.contextmanager
def staged(command: Command) -> Iterator[tuple[Stage, Path, Path | None]]:
    """The stage, a place for copies, and another filesystem's place where the command needs one."""
    with scratch() as place, contextlib.ExitStack() as ends:
        elsewhere = None
        if command.elsewhere:
            elsewhere = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="linda-chaos-", dir=_other())))
        yield stage(command, place, elsewhere), place, elsewhere


def _other() -> str | None:
    return None if os.path.isdir("/dev/shm") else "/var/tmp"


@contextlib.contextmanager
def copied(ready: Stage, place: Path, elsewhere: Path | None) -> Iterator[Home]:
    """A fresh copy of the staged home."""
    root, moved = place / "try", elsewhere / "try" if elsewhere is not None and ready.moved is not None else None
    copy_home(ready.base, root)
    if ready.moved is not None and moved is not None:
        copy_home(ready.moved, moved)
    try:
        yield home_at(root, moved)
    finally:
        for folder in (root, moved):
            if folder is not None:
                shutil.rmtree(folder)


def disturb(ready: Stage, home: Home, way: str, at: int) -> tuple[int, str]:
    """Do the command with call ``at`` disturbed, in a child: (how it ended, what it said)."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        _child(ready, home, way, at, tell)
    os.close(tell)
    with os.fdopen(told, "rb") as words:
        said = words.read().decode()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), said


def attempt(ready: Stage, home: Home, way: str, at: int, *, asks: bool = False) -> tuple[bool, list[str]]:
    """Do the command with call ``at`` disturbed: (whether there was such a call, complaints).

    ``asks``: the command line is asked first, as a process, which takes a second.
    """
    code, said = disturb(ready, home, way, at)
    if code == _FINISHED and said == "not reached":
        return False, []
    complaints = []
    if code not in (_FINISHED, KILLED, _NAMED):
        complaints.append(f"ended with {code}: {said.strip().splitlines()[-3:]}")
    if asks:
        complaints += asked(home, ready.facts)
    return True, complaints + survey(home, ready.facts, state=ready.command.keeps_state)


def _child(ready: Stage, home: Home, way: str, at: int, tell: int) -> None:
    """In the child: never returns."""
    import traceback

    signal.alarm(_LONGEST)
    hand = hand_for(way, at)
    write, leave = os.write, os._exit
    code = _BUG
    try:
        store = store_of(home)
        with laid_over(hand):
            cleaned = ready.command.act(store)
        # A cleanup names what failed and goes on with the others: exit 3.
        code = _FINISHED
        del cleaned
        if not getattr(hand, "reached", False):
            write(tell, b"not reached")
    except LindaError as problem:
        right = exit_code(problem) in _RIGHT_CODES and problem.message and problem.hint
        code = _NAMED if right else _BUG
        write(tell, repr(problem).encode())
    except BaseException:  # noqa: BLE001 - kept and judged by the caller
        write(tell, traceback.format_exc().encode())
    finally:
        leave(code)


def walk(command: Command, ways: tuple[str, ...], chosen: random.Random | None, share: float, until: float) -> Figures:
    """Disturb every call of a command, or a random ``share`` of them; stops when ``until`` (monotonic) has come."""
    figures = Figures()
    with staged(command) as (ready, place, elsewhere):
        for way in ways:
            at = 0
            while True:
                at += 1
                if time.monotonic() > until:
                    return figures
                if chosen is not None and chosen.random() >= share and not (at == 1 and way == "kill"):
                    # Where the walk ends is known once a call is not reached: skipped ones are planned all the same.
                    if at > 600:
                        break
                    figures.planned += 1
                    continue
                with copied(ready, place, elsewhere) as home:
                    asks = random.Random(f"{command.name} {way} {at}").random() < _ASKED
                    reached, complaints = attempt(ready, home, way, at, asks=asks)
                if not reached:
                    break
                figures.planned += 1
                figures.seen["points at which the command line was asked too"] += asks
                figures.count(f"{command.name}: {way}", complaints, f"at call {at}")
    return figures


def pieces(seed: int) -> list[Piece]:
    """Every command in every way: each call of it."""

    def piece(command: Command, way: str) -> Piece:
        return Piece(f"{command.name}: {way}", 60, lambda until: walk(command, (way,), None, 1.0, until))

    return [piece(command, way) for command in COMMANDS for way in WAYS]
