"""``linda sandbox``: served in the foreground, found and driven from another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from linda_cli.sandbox.running import running
from tests.linda import COMMAND, NUMBER, Linda, World


class Served:
    """``linda sandbox serve`` in a process of its own."""

    def __init__(self, linda: Linda, *words: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--home", str(linda.home), "sandbox", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def serve(linda: Linda) -> Callable[..., Served]:
    made: list[Served] = []

    def start(*words: str) -> Served:
        made.append(Served(linda, *words))
        return made[-1]

    yield start  # type: ignore[misc]
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate(timeout=10)


def drive(linda: Linda, *words: str) -> str:
    done = linda.run("sandbox", *words)
    assert done.code == 0, done
    return done.out


def test_serves_until_it_is_told_to_stop(linda: Linda, serve: Callable[..., Served]) -> None:
    for how in (signal.SIGTERM, signal.SIGINT):
        served = serve()
        assert "serves" in served.first
        assert running(linda.home / ".sandbox" / "stand-in") is not None
        assert served.end(how) == 0
        assert running(linda.home / ".sandbox" / "stand-in") is None


def test_makes_a_home_only_when_it_serves(linda: Linda, serve: Callable[..., Served]) -> None:
    asked = linda.run("sandbox", "status")
    assert asked.code == 10
    assert "sandbox serve" in asked.err
    assert not linda.home.exists()
    serve()
    assert (linda.home / ".sandbox" / "sessions").is_dir()


def test_takes_its_times_from_the_command_line(linda: Linda, serve: Callable[..., Served]) -> None:
    serve("--page-delay", "1.5", "--codes", "2")
    assert linda.json("sandbox", "status")["timing"]["page_delay"] == 1.5
    assert linda.json("sandbox", "timing", "sync=3", "next-code=4")["timing"]["next_code"] == 4
    assert ["sync", "3"] in [line.split() for line in drive(linda, "timing").splitlines()]
    assert linda.json("sandbox", "timing")["timing"]["codes"] == 2


def test_a_second_one_names_the_first(linda: Linda, serve: Callable[..., Served]) -> None:
    first = serve()
    second = linda.run("sandbox", "--json")
    assert second.code == 11
    assert str(first.process.pid) in second.json["error"]["message"]
    assert second.json["error"]["hint"].endswith("sandbox stop")


def test_stop_ends_it_and_is_content_without_one(linda: Linda, serve: Callable[..., Served]) -> None:
    served = serve()
    assert linda.json("sandbox", "stop") == {"version": 1, "wasRunning": True}
    assert served.process.wait(10) == 0
    assert linda.json("sandbox", "stop") == {"version": 1, "wasRunning": False}


def test_stop_does_not_end_a_program_that_serves_one_within_itself(world: World) -> None:
    stopped = Linda(world.home).run("sandbox", "stop")
    assert stopped.code == 11
    assert str(os.getpid()) in stopped.err
    assert running(world.sandbox.folder) is not None


@pytest.mark.parametrize(
    "words",
    [
        ["elsewhere", "moon"],
        ["passkey", "perhaps"],
        ["block", "MOON"],
        ["timing", "moon=1"],
        ["timing", "sync"],
        ["refuse", "-1"],
        ["refuse", "soon"],
        ["log-out", "../../etc"],
        ["scan", "abc"],
        ["dance"],
        ["serve", "--page-delay", "-1"],
        ["dialog", "moon"],
        ["screen", "moon"],
        ["screen", "shell", "--number", NUMBER],
        ["language", "tlh"],
        ["offline", "loudly"],
        ["rename-keys", "moon"],
        ["break-page", "moon"],
        ["next-page", "--boot", "-1"],
        ["hide-words", "perhaps"],
        ["elsewhere", "window", "--socket", "CONNECTED"],
        ["change-number", "abc"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(world: World, words: list[str]) -> None:
    done = Linda(world.home).run("sandbox", *words)
    assert done.code == 2, done
    assert done.out == ""


def test_what_the_phone_cannot_do_is_a_failure(world: World) -> None:
    linda = Linda(world.home)
    for words in (["log-out"], ["enter-code", "ABCD-1234"], ["message", "hello"], ["passkey", "finish"]):
        done = linda.run("sandbox", *words)
        assert done.code == 1, (words, done)


def test_the_phone_is_driven_from_another_process(world: World) -> None:
    """Link, speak, drop the network, log out: each by its word, and each seen by the run."""
    outer = Linda(world.home)
    with world.linda.start() as run:
        run.wait_for("qr")
        assert outer.json("sandbox", "scan") == {
            "version": 1,
            "did": "scan",
            "number": NUMBER,
            "awaitingPasskey": False,
        }
        run.wait_for("saved")
        drive(outer, "message", "hello")
        drive(outer, "offline")
        assert outer.json("sandbox", "status")["network"] is False
        drive(outer, "online")
        assert f"{NUMBER}:1@c.us" in drive(outer, "status")
        deadline = time.monotonic() + 15
        while not outer.json("sandbox", "status")["devices"][0]["online"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        drive(outer, "log-out", NUMBER)
        run.wait_for("logged_out")
        run.wait_for("qr", count=2)
    assert "logged out" in drive(outer, "status")


def test_each_fault_of_the_page_has_its_word(linda: Linda, serve: Callable[..., Served]) -> None:
    serve("--boot", "0.1", "--resync", "0.1", "--logout", "0.1")
    for words in (
        ["dialog", "log-out", "--text", "Log out of this computer?"],
        ["dialog", "none"],
        ["screen", "app-lock", "--number", NUMBER],
        ["screen", "unknown"],
        ["screen", "none"],
        ["language", "ar"],
        ["hide-words"],
        ["clean-address", "off"],
        ["next-page", "--boot", "3", "--code", "2", "--hide-keys", "--documents", "2"],
        ["reload-page", "--boot", "1"],
        ["break-page", "json", "require-absent"],
        ["offline", "silent"],
    ):
        assert linda.json("sandbox", *words)["did"] == words[0] or words[0] == "offline", words
    told = linda.json("sandbox", "status")
    assert (told["language"], told["networkIs"], told["screens"]) == ("ar", "silent", {})
    assert told["broken"] == ["json", "require-absent"]
    assert "json, require-absent" in drive(linda, "status")
    drive(linda, "break-page", "nothing")
    for words in (["rename-keys"], ["switch-account", NUMBER], ["elsewhere", "computer", "--pane"]):
        assert linda.run("sandbox", *words).code == 1, words


def test_nothing_of_the_stand_in_is_loaded_by_other_verbs(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "sys.argv = ['linda', '--help']\n"
        "from linda_cli.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith('linda_cli.sandbox')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"
