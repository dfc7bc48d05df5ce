"""A run lives on whatever becomes of the terminal, the file or the reader that it speaks to."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from linda_cli.sessions import story_log
from tests.linda import COMMAND, NUMBER, World


def start(world: World, *words: str) -> list[str]:
    return [*COMMAND, "--home", str(world.home), "start", "--sandbox", NUMBER, *words]


def kept(world: World) -> list[dict[str, Any]]:
    return list(story_log.read(world.inner / "logs" / f"session-{NUMBER}.log"))


def until(wanted: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def count(world: World, event: str) -> int:
    return sum(one["event"] == event for one in kept(world))


@contextlib.contextmanager
def on_a_terminal(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of its own, which does not tell it when it goes; and our end of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        with contextlib.suppress(OSError):
            os.close(ours)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_ctrl_s_then_sigterm_ends_with_a_clean_close_and_a_backup(linked: World, tmp_path: Path) -> None:
    flood = "import time\nwhile True:\n    print('x' * 200)\n"
    (tmp_path / "bot.py").write_text(flood)
    bot = ["--watch", str(tmp_path / "bot.py"), "--", sys.executable, str(tmp_path / "bot.py")]
    before = len(linked.backups())
    with on_a_terminal(start(linked, *bot)) as (process, ours):
        os.write(ours, b"\x13")
        until(lambda: count(linked, "saved") > 1 or count(linked, "bot_started"))
        until(lambda: count(linked, "bot_started"))
        linked.phone.message("something that changes the login")
        time.sleep(2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 15
    assert kept(linked)[-1]["event"] == "stopped"
    assert kept(linked)[-1]["reason"] == "SIGTERM"
    assert not linked.browsers()
    assert len(linked.backups()) >= before
    assert any(one["event"] in ("backed_up", "saved") for one in kept(linked))
    assert linked.linda.info()["verdict"] == "restorable"


def test_a_terminal_that_vanishes_without_sighup_ends_nothing(linked: World) -> None:
    with on_a_terminal(start(linked)) as (process, ours):
        until(lambda: count(linked, "ready") > 1)
        # Our own session: closing our end makes every write an error, and no signal comes.
        process.send_signal(signal.SIGCONT)
        os.close(ours)
        linked.phone.reload_page()
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [kept(linked)[-1][key] for key in ("event", "reason")] == ["stopped", "SIGTERM"]


@pytest.mark.parametrize("words", [["--once"], ["--once", "--json"]])
def test_a_full_log_file_changes_no_exit_code(linked: World, words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(start(linked, *words), stdout=full, stderr=full, check=False, timeout=60)
    assert done.returncode == 0
    assert kept(linked)[-1]["event"] == "stopped"


def test_closed_streams_change_no_exit_code(linked: World) -> None:
    command = " ".join([*start(linked, "--once"), "<&- >&- 2>&-"])
    assert subprocess.run(["sh", "-c", command], check=False, timeout=60).returncode == 0
    assert kept(linked)[-1]["event"] == "stopped"


def test_a_reader_of_events_who_is_slow_misses_none(linked: World) -> None:
    with subprocess.Popen([*start(linked, "--once"), "--json"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        heard = list(_slowly(process.stdout))
        assert process.wait(30) == 0
    told = [json.loads(line) for line in heard]
    mine = [one["event"] for one in kept(linked)][-len(told) :]
    assert [one["event"] for one in told] == mine
    assert told[-1]["event"] == "stopped"


def _slowly(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline():
        time.sleep(0.2)
        yield line


class TestLogs:
    def test_a_follower_beside_two_writers_gets_each_line_once_over_rotations(self, linked: World) -> None:
        path = linked.inner / "logs" / f"session-{NUMBER}.log"
        writer = textwrap.dedent(f"""
            import pathlib, sys, time
            from linda_cli.sessions import story_log
            for at in range(1500):
                line = {{"event": "note", "what": f"{{sys.argv[1]}} {{at}}", "padding": "x" * 900}}
                assert story_log.append(pathlib.Path({str(path)!r}), line)
                time.sleep(0.001)
        """)
        command = [*COMMAND, "--home", str(linked.inner), "logs", NUMBER, "--follow", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            assert follower.stdout is not None
            follower.stdout.readline()
            writers = [subprocess.Popen([sys.executable, "-c", writer, name]) for name in "ab"]
            seen: dict[str, list[int]] = {"a": [], "b": []}
            while len(seen["a"]) + len(seen["b"]) < 3000:
                told = json.loads(follower.stdout.readline())
                if told["event"] == "note" and "padding" in told:
                    name, _, at = told["what"].partition(" ")
                    seen[name].append(int(at))
            for one in writers:
                assert one.wait(60) == 0
            follower.stdout.close()
            # Its reader has gone: it ends by itself, without a line that would tell it.
            assert follower.wait(10) == 0
        assert sorted(seen["a"]) == sorted(seen["b"]) == list(range(1500))

    def test_following_leaks_no_descriptor(self, tmp_path: Path) -> None:
        path = tmp_path / "session.log"
        log = story_log.EventLog(path)
        before = len(os.listdir("/proc/self/fd"))
        for at in range(6000):
            assert story_log.append(path, {"event": "note", "at": at, "padding": "x" * 1000})
            if at % 100 == 0:
                list(log.new_lines())
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        log.close()
        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_line_that_a_full_disk_has_torn_spoils_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "session.log"
        story_log.append(path, {"event": "note", "at": 1})
        with path.open("ab") as log:
            log.write(b'{"event": "no')
        story_log.append(path, {"event": "note", "at": 2})
        assert [one["at"] for one in story_log.read(path)] == [1, 2]

    def test_a_log_that_cannot_be_written_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "session.log").mkdir()
        assert story_log.append(tmp_path / "session.log", {"event": "note"}) is False
