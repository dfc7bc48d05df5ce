"""A ChromeDriver whose linda was killed is ended by the next command, and nobody else's ever is."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from linda_cli.browser.binaries import find_driver
from linda_cli.browser.strays import drivers, marked
from tests.linda import NUMBER, World


def drivers_of(world: World) -> list[int]:
    """Those that live; one that nobody has reaped yet has no environment any more."""
    return [one.pid for one in drivers(world.inner / "sessions")]


def killed(world: World) -> list[int]:
    """Kill a linda that is up; the drivers that it leaves."""
    with world.linda.start(NUMBER) as run:
        run.wait_for("saved")
        run.signal(signal.SIGKILL)
        run.end()
    left = drivers_of(world)
    assert len(left) == 1
    return left


def kill_browsers(world: World) -> None:
    for browser in world.browsers():
        for one in [*browser.children(recursive=True), browser]:
            one.kill()
        browser.wait(5)


@pytest.mark.parametrize("rung", ["browser", "profile"])
def test_the_next_start_ends_it_and_says_so(linked: World, rung: str) -> None:
    (left,) = killed(linked)
    if rung == "profile":
        kill_browsers(linked)
        assert drivers_of(linked) == [left], "a driver outlives its browser"
    with linked.linda.start(NUMBER) as run:
        assert run.wait_for("ready")["source"] == rung
        assert f"pid {left}" in run.wait_for("repaired", what=strays_line(left))["what"]
        run.wait_for("saved")
        (own,) = drivers_of(linked)
        assert own != left
    assert drivers_of(linked) == []


def strays_line(pid: int) -> str:
    return f"ChromeDriver (pid {pid}), left behind by a linda that was killed, was ended"


def test_stop_ends_it_with_the_browser(linked: World) -> None:
    (left,) = killed(linked)
    done = linked.linda.run("stop", NUMBER)
    assert done.code == 0
    assert strays_line(left) in done.err
    assert drivers_of(linked) == []
    assert linked.browsers() == []


def test_cleanup_ends_it_and_a_dry_run_only_names_it(linked: World) -> None:
    (left,) = killed(linked)
    for words, alive in ((("--dry-run",), [left]), ((), [])):
        done = linked.linda.json("cleanup", *words)
        (item,) = [one for one in done["items"] if one["name"] == f"chromedriver {left}"]
        assert (item["session"], item["kind"], item["action"]) == (NUMBER, "leftover", "remove")
        assert drivers_of(linked) == alive
    assert len(linked.browsers()) == 1, "the browser is for the next start to attach to"


def test_the_driver_of_a_linda_that_lives_is_left_alone(linked: World) -> None:
    with linked.linda.start(NUMBER) as run:
        run.wait_for("saved")
        before = drivers_of(linked)
        assert len(before) == 1
        assert linked.linda.json("cleanup")["removed"] == 0
        assert drivers_of(linked) == before


@pytest.mark.parametrize("after", ["a new start", "stop"])
def test_what_a_killed_linking_left_is_closed_by_the_next_command(world: World, after: str) -> None:
    with world.linda.start() as run:
        run.wait_for("qr")
        run.signal(signal.SIGKILL)
        run.end()
    (left,) = world.browsers()
    if after == "stop":
        assert world.linda.run("stop").code == 0
        assert world.browsers() == []
    else:
        with world.linda.start("--once") as again:
            assert str(left.pid) in again.wait_for("repaired")["what"]
            again.wait_for("qr")
            assert [one.pid for one in world.browsers()] != [left.pid]
            world.phone.scan(NUMBER)
            assert again.end() == 0
        assert world.browsers() == []
    assert drivers_of(world) == []


@pytest.fixture
def somebody_elses(linked: World) -> Iterator[list[psutil.Process]]:
    """Drivers on no profile of ours: one started by hand, one of a linda in another home."""
    other = linked.home.parent / "another-home" / "sessions" / f"session-{NUMBER}"
    other.mkdir(parents=True)
    # Through a shell that ends at once, so that they have lost who started them, as a killed linda's have.
    made = []
    for environ in (None, {**marked(other), "LINDA_DRIVES": f"1 {other}"}):
        shell = subprocess.run(
            ["sh", "-c", f"'{find_driver()}' --port=0 >/dev/null 2>&1 & echo $!"],
            capture_output=True, text=True, check=True, env=environ,
        )  # fmt: skip
        made.append(psutil.Process(int(shell.stdout)))
    yield made
    for one in made:
        one.kill()


def test_somebody_elses_driver_is_left_alone(linked: World, somebody_elses: list[psutil.Process]) -> None:
    with linked.linda.start(NUMBER, "--once") as run:
        run.wait_for("stopped")
    linked.linda.json("stop", NUMBER)
    linked.linda.json("cleanup")
    assert all(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in somebody_elses)
