"""The layer that steps through every change on disk, checked by ``strace``; and faults that the kernel itself gives."""

from __future__ import annotations

import collections
import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from chaos import steps, witness
from chaos.commands import COMMANDS, Command
from chaos.homes import NUMBER
from chaos.survey import survey
from chaos.witness import Call
from linda_cli.sessions.home import Home
from tests.conftest import needs

pytestmark = needs("strace")

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 30))
TRIED = [one for one in COMMANDS if one.name in ("backup", "restore", "clear")]
IDS = [one.name for one in TRIED]
REPOSITORY = Path(__file__).parents[2]

# The command line remembers the browser's version, a shortcut that is made anew where it is missing or garbled.
SHORTCUT = ".session-cache/.browser.json.#.#.new"


@pytest.fixture(autouse=True)
def _from_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def typed(command: Command, home: Home) -> list[str]:
    """The same as a person types it."""
    oldest = home.stamped("backup", NUMBER)[-1].name
    words = {"backup": [], "restore": ["--from", oldest], "clear": ["--yes"]}[command.name]
    return [sys.executable, "-m", "linda_cli", "--home", str(home.root), command.name, NUMBER, *words]


@pytest.mark.parametrize("command", TRIED, ids=IDS)
def test_the_layer_steps_through_what_strace_sees_call_by_call(command: Command) -> None:
    with steps.staged(command) as (ready, place, _):
        log, report = place / "strace", place / "layer"
        with steps.copied(ready, place, None) as home:
            words = [sys.executable, "-m", "chaos.witness", command.name, str(home.root), str(report)]
            seen = witness.traced(words, home.root, log, marked=True)
            # Some files are copied beside one another, so that their order is the threads' own.
            assert counted(seen) == counted(witness.told(report))
            assert len(seen) > 50
        with steps.copied(ready, place, None) as home:
            by_hand = witness.traced(typed(command, home), home.root, log)
        extra = [one for one in by_hand if one.path == SHORTCUT]
        assert counted(one for one in by_hand if one.path != SHORTCUT) == counted(seen)
        # Whoever need not know the version does not ask for it.
        assert [one.name for one in extra] in ([], ["open", "write", "rename"])


@pytest.mark.parametrize("command", TRIED, ids=IDS)
@pytest.mark.parametrize("way", ["signal=SIGKILL", "error=ENOSPC"])
def test_a_fault_from_the_kernel_leaves_the_old_or_the_new(command: Command, way: str) -> None:
    chosen = random.Random(f"{SEED} {command.name} {way}")
    with steps.staged(command) as (ready, place, _):
        with steps.copied(ready, place, None) as home:
            made = witness.traced(typed(command, home), home.root, place / "strace")
            calls = collections.Counter(one.name for one in made)
        for call in ("fsync", "rename"):
            # Counted by strace in each thread: beyond a thread's share it is never reached, and the command does well.
            at = chosen.randint(1, max(1, calls[call] // 3))
            with steps.copied(ready, place, None) as home:
                done = witness.injected(typed(command, home), call, way, at)
                assert "Traceback" not in done.stderr, (SEED, call, at)
                if way.startswith("error"):
                    assert done.returncode in (0, 1, 13), (SEED, call, at, done.stderr)
                else:
                    assert done.returncode in (-9, 0), (SEED, call, at, done.stderr)
                assert survey(home, ready.facts) == [], (SEED, call, at)


def counted(calls: Iterable[Call]) -> collections.Counter[Call]:
    return collections.Counter(calls)
