"""Every change on disk is whole or absent: a share of all calls of all commands; ``python -m chaos`` takes them all."""

from __future__ import annotations

import os
import random
import time

import pytest

from chaos import power, steps
from chaos.commands import COMMANDS, Command
from chaos.homes import store_of
from chaos.layer import WAYS
from chaos.survey import leftovers
from linda_cli.sessions import backups, durable

SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 30))
IDS = [one.name for one in COMMANDS]
HERE = [one for one in COMMANDS if not one.elsewhere]


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_killed_or_refused_at_any_call_the_next_command_finds_the_old_or_the_new(command: Command) -> None:
    chosen = random.Random(f"{SEED} {command.name}")
    figures = steps.walk(command, tuple(WAYS), chosen, 0.03, time.monotonic() + 20)
    assert not figures.stories, (SEED, figures.stories)
    assert sum(figures.tried.values()) > 0


def test_a_mend_that_was_killed_is_tidied_by_the_next_command() -> None:
    """Killed at the rename, what was to become CURRENT is left in the profile, where LevelDB would let it lie."""
    command = next(one for one in COMMANDS if one.name == "mend")
    left = 0
    with steps.staged(command) as (ready, place, _):
        for at in range(1, 9):
            with steps.copied(ready, place, None) as home:
                steps.disturb(ready, home, "kill", at)
                before = [one for one in leftovers(home) if "CURRENT" in one]
                said: list[str] = []
                store_of(home, said).cleanup()
                assert leftovers(home) == []
                assert len([one for one in said if "CURRENT" in one]) == len(before)
                left += len(before)
    assert left > 0


@pytest.mark.parametrize("command", HERE, ids=[one.name for one in HERE])
def test_whatever_a_power_cut_leaves_no_login_is_lost(command: Command) -> None:
    chosen = random.Random(f"{SEED} {command.name}")
    figures = power.cut(command, chosen, 0.03, time.monotonic() + 20, lambda: power.VARIANTS)
    assert not figures.stories, (SEED, figures.stories)


def test_the_power_cut_would_notice_a_backup_that_is_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "copy_hashed", lambda source, target, **_: durable.copy_hashed(source, target))
    monkeypatch.setattr(backups, "sync_file", lambda _: None)
    backup = next(one for one in COMMANDS if one.name == "backup")
    figures = power.cut(backup, random.Random(1), 1.0, time.monotonic() + 20, lambda: ("names without bytes",))
    assert any("broken backup" in story for story in figures.stories)


def test_the_steps_would_notice_a_state_file_that_is_written_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from linda_cli.sessions import state

    def in_place(path: os.PathLike[str], data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        durable._write_all(handle, data)
        os.close(handle)

    monkeypatch.setattr(state, "write_whole", in_place)
    command = next(one for one in COMMANDS if one.name == "state")
    figures = steps.walk(command, ("kill",), None, 1.0, time.monotonic() + 20)
    assert any("garbled" in story for story in figures.stories)
