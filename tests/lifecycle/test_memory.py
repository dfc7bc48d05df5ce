"""A browser that has grown past ``--max-memory``, as a table; and a real one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linda_cli.errors import Misused
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.events import Event
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options, Pace
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.start import prepare
from linda_cli.sandbox.beside import stand_in
from linda_cli.sessions import memory_history
from linda_cli.sessions.home import Home
from linda_cli.sessions.memory_history import MOST, SLOT_MS, MemoryHistory
from linda_cli.sessions.sizes import parse_megabytes
from tests.lifecycle import known
from tests.lifecycle.known import after, did, doing, ready, row, shows
from tests.linda import NUMBER, Linda, World

LIMIT = Options(max_memory=500)
EXCEEDED = do.Tell("memory_exceeded", {"memoryMb": 900, "maxMemoryMb": 500})


def grown(at: float, *, quiet: float | None, since: float = 1000.0) -> Knowledge:
    """Past the limit since ``since`` and told, and measured again at ``at``."""
    know = after(ready(LIMIT), *did(do.MeasureMemory(), since, seen.MemorySeen(900, 0.0)))
    know = doing(know, since, EXCEEDED)
    know = after(know, *did(do.MeasureMemory(), at, seen.MemorySeen(900, quiet)))
    return after(know, *did(do.CheckPulse(2.0), at, known_pulse()))


def known_pulse() -> object:
    from linda_cli.whatsapp.observer import Pulse

    return Pulse.BEATS


RESTART = ["Tell disconnected", "BeginRestoration", "CloseBrowser"]

ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("without a limit nothing is measured", ready(), 2.0, ["Wait"]),
    ("with one the browser is measured", ready(LIMIT), 2.0, ["MeasureMemory"]),
    (
        "and again ten seconds later",
        after(ready(LIMIT), *did(do.MeasureMemory(), 2.0, seen.MemorySeen(100, 0.0))),
        12.0,
        ["MeasureMemory"],
    ),
    ("not before it is saved", ready(LIMIT, saved=False), 1.0, ["Save"]),
    (
        "that it has grown is told",
        after(ready(LIMIT), *did(do.MeasureMemory(), 2.0, seen.MemorySeen(900, 0.0))),
        2.0,
        ["Tell memory_exceeded"],
    ),
    ("it is left alone while there are messages", grown(1010.0, quiet=59.9), 1010.0, ["Wait"]),
    ("and restarted after a minute without", grown(1070.0, quiet=60.0), 1070.0, RESTART),
    ("where the page cannot say it is left alone too", grown(1300.0, quiet=None), 1300.0, ["Wait"]),
    ("until ten minutes have passed", grown(1600.0, quiet=None), 1600.0, RESTART),
    ("also where there are messages all the time", grown(1600.0, quiet=0.0), 1600.0, RESTART),
    (
        "one that has shrunk again is not",
        after(
            grown(1010.0, quiet=0.0),
            *did(do.CheckPulse(2.0), 1590.0, known_pulse()),
            *did(do.MeasureMemory(), 1590.0, seen.MemorySeen(400, 90.0)),
        ),
        1590.0,
        ["Wait"],
    ),
    ("nor one that has just been started", grown(70.0, quiet=61.0, since=5.0), 70.0, ["Wait"]),
    ("a page that is away is not measured", shows(ready(LIMIT), known.OFFLINE, 10.0), 14.9, ["ProbeNetwork"]),
    (
        "a failed measurement is tried again, no sooner",
        after(
            ready(LIMIT),
            seen.Begun(do.MeasureMemory(), at=2.0),
            seen.Failed(do.MeasureMemory(), Misused("x"), at=2.1),
        ),
        3.0,
        ["Wait"],
    ),
]


@pytest.mark.parametrize(("know", "now", "does"), [one[1:] for one in ROWS], ids=[one[0] for one in ROWS])
def test_what_is_done_next(know: Knowledge, now: float, does: list[str]) -> None:
    assert row(know, now)[: len(does)] == does


def test_the_wait_ends_when_something_is_due() -> None:
    know = grown(1010.0, quiet=None)
    from linda_cli.lifecycle.decide import decide

    (wait,) = decide(know, 1010.0)
    assert isinstance(wait, do.Wait)
    assert wait.until <= 1020.0


@pytest.mark.parametrize(("text", "megabytes"), [("900M", 900), ("1.5G", 1500), ("800", 800), ("2gb", 2000), ("0", 0)])
def test_a_size_is_written_as_people_write_it(text: str, megabytes: int) -> None:
    assert parse_megabytes(text) == megabytes


@pytest.mark.parametrize("text", ["", "much", "-5", "1T", "99999999G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        parse_megabytes(text)


def test_a_limit_that_no_browser_can_keep_is_refused(linda: Linda) -> None:
    assert linda.run("start", "--sandbox", "--max-memory", "50M").code == 2
    assert not linda.home.exists()


class TestHistory:
    def test_it_keeps_the_largest_of_each_five_minutes_of_a_day(self, tmp_path: Path) -> None:
        history = MemoryHistory(tmp_path / "memory.json")
        start = 1_795_254_000_000 // SLOT_MS * SLOT_MS
        for slot in range(MOST + 50):
            for memory in (100 + slot, 90 + slot):
                history.add(memory, start + slot * SLOT_MS)
        there = memory_history.read(tmp_path / "memory.json", start + (MOST + 50) * SLOT_MS)
        assert len(there) <= MOST
        assert there[-1].memory_mb == 100 + MOST + 48
        assert history.peak_mb == 100 + MOST + 49

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"samples": [{"at": 1}]}', '{"samples": 5}'])
    def test_a_garbled_one_begins_anew(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "memory.json").write_text(text)
        assert memory_history.read(tmp_path / "memory.json") == ()
        MemoryHistory(tmp_path / "memory.json").add(5)


class Watched:
    """A run on the sandbox, in a thread, and its events."""

    def __init__(self, run: Run, events: queue.SimpleQueue[Event]) -> None:
        self.run = run
        self._events = events
        self.seen: list[Event] = []

    def wait_for(self, name: str, timeout: float = 60) -> Event:
        while True:
            told = self._events.get(timeout=timeout)
            self.seen.append(told)
            if told.event == name:
                return told


@contextmanager
def running(world: World, pace: Pace) -> Iterator[Watched]:
    home = Home(world.home, world.home / "sessions").sandbox()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with stand_in(home.sandbox_server) as arguments:
        run = prepare(
            home, NUMBER, events.put, browser_args=arguments, max_memory=100, pace=pace, driver_at_once=False,
            no_link=True,
        )  # fmt: skip
        thread = threading.Thread(target=run.execute)
        thread.start()
        try:
            yield Watched(run, events)
        finally:
            run.stop("done")
            thread.join(60)


def test_a_real_browser_that_has_grown_is_restarted_without_a_code(linked: World) -> None:
    # Every Chromium is larger than 100 MB.
    pace = Pace(memory_every=0.5, memory_quiet=2.0, memory_latest=1000.0, memory_rest=3.0)
    with running(linked, pace) as watched:
        watched.wait_for("saved")
        told = watched.wait_for("memory_exceeded")
        assert told.facts["memoryMb"] > told.facts["maxMemoryMb"] == 100
        gone = watched.wait_for("disconnected")
        assert "MB" in gone.facts["reason"]
        back = watched.wait_for("reconnected")
        assert back.facts["via"] == "profile"
    assert not [one for one in watched.seen if one.event in ("qr", "rung_failed", "quarantined", "logged_out")]
    assert linked.linda.info()["verdict"] == "restorable"


def test_messages_put_the_restart_off_to_its_latest_moment(linked: World) -> None:
    pace = Pace(memory_every=0.3, memory_quiet=2.0, memory_latest=8.0, memory_rest=0.0)
    with running(linked, pace) as watched:
        watched.wait_for("saved")
        over = threading.Event()

        def talk() -> None:
            while not over.wait(0.4):
                linked.phone.message("hello", NUMBER)

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            exceeded = watched.wait_for("memory_exceeded")
            gone = watched.wait_for("disconnected")
        finally:
            over.set()
            talking.join()
        # Quiet for two seconds it never was.
        assert gone.elapsed_ms - exceeded.elapsed_ms >= 7000
        watched.wait_for("reconnected")
