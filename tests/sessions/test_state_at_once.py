"""The state file under many hands: nothing is lost, nobody waits for long, and a run does not wait at all."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linda_cli.errors import HomeUnusable, InUse, LindaError
from linda_cli.sessions.home import Home, find_home
from linda_cli.sessions.state import Entry, State
from linda_cli.sessions.state_keeper import StateKeeper
from tests.read_only import read_only

NUMBER = "971505760056"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = find_home(tmp_path / "home").home
    made.make()
    return made


def stored(home: Home) -> dict[str, Any]:
    sessions: dict[str, Any] = json.loads(home.state_file.read_text())["sessions"]
    return sessions


def until(wanted: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Holder:
    """Another process that has the state lock."""

    def __init__(self, home: Home) -> None:
        code = f"""
            import pathlib, sys
            from linda_cli.sessions.locks import held
            with held(pathlib.Path({str(home.state_lock)!r}), wait=5, what="it"):
                print("held", flush=True)
                sys.stdin.readline()
        """
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=10)


def test_five_hundred_sessions_at_once_none_fails_and_none_waits_two_seconds(home: Home) -> None:
    numbers = [f"971505{at:06d}" for at in range(500)]
    waits: list[float] = []
    failures: list[Exception] = []
    ready = threading.Barrier(len(numbers))

    def note(number: str) -> None:
        state = State(home)
        ready.wait()
        began = time.monotonic()
        try:
            state.save(number, lastState="ready")
        except LindaError as problem:
            failures.append(problem)
        waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=note, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert max(waits) < 2
    assert {number: entry["lastState"] for number, entry in stored(home).items()} == dict.fromkeys(numbers, "ready")


def test_counting_at_once_in_threads_and_processes_loses_nothing(home: Home) -> None:
    code = f"""
        import pathlib, threading
        from linda_cli.sessions.home import find_home
        from linda_cli.sessions.state import State
        state = State(find_home(pathlib.Path({str(home.root)!r})).home)
        def count(entry):
            entry["backupCount"] += 1
        def work():
            for _ in range(5):
                state.update({NUMBER!r}, count)
        threads = [threading.Thread(target=work) for _ in range(5)]
        [one.start() for one in threads]
        [one.join() for one in threads]
    """
    processes = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)]) for _ in range(4)]
    assert [one.wait(60) for one in processes] == [0] * 4
    assert stored(home)[NUMBER]["backupCount"] == 100


def test_a_change_that_fails_fails_alone(home: Home) -> None:
    state = State(home)
    holder = Holder(home)
    raised: list[Exception] = []

    def broken(entry: Entry) -> None:
        entry["lastState"] = "half"
        raise KeyError("a bug")

    def try_it() -> None:
        try:
            state.update(NUMBER, broken)
        except KeyError as problem:
            raised.append(problem)

    threads = [
        threading.Thread(target=try_it),
        threading.Thread(target=state.save, args=("971505760057",), kwargs={"lastState": "ready"}),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    holder.let_go()
    for thread in threads:
        thread.join()
    assert len(raised) == 1
    assert stored(home)["971505760057"]["lastState"] == "ready"
    assert NUMBER not in stored(home)


def test_a_state_that_another_process_holds_is_in_use_within_the_wait(home: Home) -> None:
    holder = Holder(home)
    with pytest.raises(InUse, match="state file"):
        State(home).update(NUMBER, lambda _: None, wait=0.2)
    holder.let_go()


class TestKeeper:
    def test_notes_reach_the_file_while_nobody_waits(self, home: Home) -> None:
        said: list[LindaError | None] = []
        keeper = StateKeeper(State(home), said.append)
        for at in range(1000):
            keeper.save(NUMBER, lastState="ready", at=at)
        assert keeper.flush(10)
        assert (stored(home)[NUMBER]["lastState"], stored(home)[NUMBER]["at"]) == ("ready", 999)
        assert said == []
        assert keeper.close()

    def test_a_held_state_is_said_once_and_written_when_it_is_free(self, home: Home) -> None:
        said: list[LindaError | None] = []
        keeper = StateKeeper(State(home), said.append, first_retry=0.05)
        holder = Holder(home)
        began = time.monotonic()
        keeper.save(NUMBER, lastState="ready", one=1)
        assert time.monotonic() - began < 1, "a run does not wait"
        until(lambda: said)
        keeper.save(NUMBER, lastState="disconnected", two=2)
        time.sleep(2.5)
        assert [type(one) for one in said] == [InUse]
        holder.let_go()
        assert keeper.flush(20)
        entry = stored(home)[NUMBER]
        assert (entry["lastState"], entry["one"], entry["two"]) == ("disconnected", 1, 2)
        until(lambda: said[-1] is None)
        assert keeper.close()

    def test_a_home_that_cannot_be_written_is_said_and_the_end_is_bounded(self, home: Home) -> None:
        said: list[LindaError | None] = []
        keeper = StateKeeper(State(home), said.append, first_retry=0.05)
        with read_only(home.root):
            keeper.save(NUMBER, lastState="ready")
            until(lambda: said)
            assert isinstance(said[0], HomeUnusable)
            began = time.monotonic()
            assert not keeper.close(1)
            assert time.monotonic() - began < 5
        assert len(said) == 1
