"""After ready: what is a hiccup and what is a logout, and how the session comes back from everything else."""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import linda_cli
from linda_cli.browser.attach import find
from linda_cli.browser.binaries import find_driver
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.lifecycle.backoff import Backoff
from linda_cli.lifecycle.events import Event
from linda_cli.lifecycle.options import Pace
from linda_cli.sandbox.running import running
from tests.conftest import needs
from tests.linda import DRIVERS, NUMBER, Started, World

OTHER = "971505760057"


def tab_of(world: World) -> Tab:
    """The run's own page, spoken to from outside."""
    running = find(world.profile)
    assert running is not None
    devtools = DevTools(running.port.socket_url)
    (page,) = [one for one in pages(devtools) if "whatsapp" in str(one["url"])]
    return Tab(devtools, str(page["targetId"]))


def assert_every_outage_ended(run: Started) -> None:
    """Every ``disconnected`` is followed by ``reconnected``, ``logged_out`` or the end, and never by a code."""
    away = False
    for name in run.names():
        if name == "disconnected":
            assert not away, run.story()
            away = True
        elif name in ("reconnected", "logged_out", "stopped", "error"):
            away = False
    assert not away
    assert run.all("qr") == []


class TestElsewhere:
    def test_another_window_of_ours_is_taken_over(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.open_second_tab()
            run.wait_for("conflict")
            linked.wait_online()
            assert run.all("disconnected") == []
        assert linked.phone.status()["devices"][0]["removedAt"] is None

    def test_another_computer_is_left_alone(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.open_elsewhere("computer", NUMBER)
            run.wait_for("conflict")
            run.wait_for("disconnected")
            time.sleep(7)
            assert run.all("reconnected") == []
            assert run.stop() == 0
        assert linked.phone.status()["devices"][0]["removedAt"] is None
        assert linked.linda.info()["verdict"] == "restorable"

    def test_with_takeover_it_is_taken_over(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--takeover") as run:
            run.wait_for("saved")
            linked.phone.open_elsewhere("computer", NUMBER)
            run.wait_for("conflict")
            linked.wait_online()
            assert run.all("disconnected") == []
        assert linked.phone.status()["devices"][0]["removedAt"] is None


class TestRecovery:
    def test_a_crashed_page(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            tab_of(linked).post("Page.crash")
            run.wait_for("disconnected")
            run.wait_for("reconnected")
            run.stop()
        assert_every_outage_ended(run)

    def test_a_browser_that_dies_before_its_driver_was_attached(self, linked: World, tmp_path: Path) -> None:
        """ChromeDriver would try for a minute to reach it, and nobody would hear of the outage until then."""
        slow = tmp_path / "slow-driver"
        slow.write_text(f"#!/bin/sh\nsleep 2\nexec '{find_driver()}' \"$@\"\n")
        slow.chmod(0o755)
        with linked.linda.start(NUMBER, "--engine", "selenium", LINDA_CHROMEDRIVER=str(slow)) as run:
            run.wait_for("ready")
            for browser in linked.browsers():
                browser.kill()
            run.wait_for("disconnected", timeout=15)
            run.wait_for("reconnected")
            run.wait_for("saved")
            run.stop()
        assert_every_outage_ended(run)

    def test_a_browser_without_a_sign_of_life_is_replaced(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--hung-after", "1") as run:
            run.wait_for("saved")
            (browser,) = linked.browsers()
            for one in [browser, *browser.children(recursive=True)]:
                one.suspend()
            assert "sign of life" in run.wait_for("disconnected", timeout=90)["reason"]
            run.wait_for("reconnected", timeout=90)
            assert [one.pid for one in linked.browsers()] != [browser.pid]
            run.stop()
        assert_every_outage_ended(run)

    def test_a_401_while_it_runs_is_loaded_anew_until_it_is_over(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.refuse(8, NUMBER)
            run.wait_for("disconnected")
            assert run.wait_for("reconnected")["via"] in ("reload", "profile")
            run.stop()
        assert run.all("auth_failure")
        assert_every_outage_ended(run)
        assert linked.linkings == 1

    def test_an_outage_outlasts_the_page_and_a_new_browser_waits_for_the_network(self, linked: World) -> None:
        """The browser is killed while the network is away: the next one cannot load the page, and that is no end."""
        with linked.linda.start(NUMBER, "--timeout", "6") as run:
            run.wait_for("saved")
            linked.phone.drop_network()
            for browser in linked.browsers():
                browser.kill()
            run.wait_for("disconnected")
            time.sleep(12)
            assert len(linked.browsers()) <= 1
            linked.phone.restore_network()
            run.wait_for("reconnected", timeout=120)
            run.stop()
        assert_every_outage_ended(run)
        assert linked.quarantined() == []

    def test_nothing_is_left_behind(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            for _ in range(2):
                for browser in linked.browsers():
                    browser.kill()
                run.wait_for("reconnected", count=len(run.all("reconnected")) + 1)
            everybody = psutil.Process(run.process.pid).children(recursive=True)
            names = [one.name() for one in everybody if one.status() != psutil.STATUS_ZOMBIE]
            assert len([one for one in names if one.startswith(DRIVERS)]) == 1
            run.stop()
        assert [one for one in everybody if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


class TestLinking:
    def test_by_pairing_code(self, world: World) -> None:
        with world.linda.start(NUMBER, "--once", "--link-with", "code") as run:
            told = run.wait_for("pairing_code")
            assert told["expiresIn"] == 180
            world.phone.enter_code(told["code"], NUMBER)
            assert run.wait_for("ready")["source"] == "code"
            run.wait_for("stopped")
        assert run.all("qr") == []
        assert world.state()["authMethod"] == "code"

    def test_codes_are_renewed_by_themselves(self, world: World) -> None:
        world.phone.set_timing(first_code=0.6, next_code=0.4, codes=2)
        with world.linda.start(NUMBER, "--once") as run:
            run.wait_for("qr", count=5)
            codes = [one["qr"] for one in run.all("qr")]
            assert len(set(codes)) == len(codes)
            world.phone.set_timing(first_code=60, next_code=20, codes=6)
            world.phone.scan(NUMBER)
            run.wait_for("stopped")

    def test_the_timeout_stands_still_while_a_code_is_on_show(self, world: World) -> None:
        with world.linda.start(NUMBER, "--once", "--timeout", "2") as run:
            run.wait_for("qr")
            time.sleep(4)
            world.phone.scan(NUMBER)
            run.wait_for("stopped")

    def test_the_qr_file_is_for_the_owner_and_gone_afterwards(self, world: World, tmp_path: Path) -> None:
        path = tmp_path / "qr.png"
        with world.linda.start(NUMBER, "--once", "--qr-file", str(path)) as run:
            run.wait_for("qr")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            world.phone.scan(NUMBER)
            run.wait_for("stopped")
        assert not path.exists()


class TestHeadful:
    @pytest.fixture
    def display(self) -> Iterator[str]:
        """A screen nobody sits at."""
        read, write = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        number = os.read(read, 20).decode().strip()
        yield f":{number}"
        server.terminate()
        server.wait(10)
        os.close(read)

    @needs("Xvfb")
    def test_a_passkey_is_waited_for_where_a_person_can_give_it(self, world: World, display: str) -> None:
        world.phone.ask_passkey()
        with world.linda.start(NUMBER, "--once", "--headful", "--timeout", "5", DISPLAY=display) as run:
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            run.wait_for("passkey_required")
            time.sleep(6)
            world.phone.finish_passkey()
            assert run.wait_for("ready")["source"] == "qr"
            run.wait_for("stopped")


class TestBackoff:
    def test_it_begins_at_five_seconds_doubles_is_capped_and_never_in_step(self) -> None:
        pauses = [Backoff(Pace()) for _ in range(20)]
        firsts = [one.next() for one in pauses]
        assert all(5.0 <= first <= 6.25 for first in firsts)
        assert len(set(firsts)) > 10
        row = [pauses[0].next() for _ in range(12)]
        assert all(later >= 1.5 * earlier for earlier, later in itertools.pairwise(row[:4]))
        assert max(row) <= 300 * 1.25

    def test_a_stable_time_lets_it_begin_anew(self, linked: World) -> None:
        heard: list[Event] = []
        found = running(linked.inner / "stand-in")
        assert found is not None
        pace = Pace(blip=0.3, first_retry=0.5, cap=60.0, stable=1.0, heartbeat=0.5)
        with linda_cli.start(
            NUMBER, heard.append, home=linked.inner, browser_args=found.chrome_args, pace=pace
        ) as live:
            pauses = []
            for _ in range(3):
                browser = find(linked.profile)
                assert browser is not None
                before = sum(1 for one in heard if one.event == "reconnected")
                os.kill(browser.pid, signal.SIGKILL)
                deadline = time.monotonic() + 60
                while sum(1 for one in heard if one.event == "reconnected") == before:
                    assert time.monotonic() < deadline, [one.event for one in heard]
                    time.sleep(0.05)
                pauses.append([one.facts["retryIn"] for one in heard if one.event == "disconnected"][-1])
                time.sleep(2.5)
            assert live.number == NUMBER
        assert all(pause <= 0.7 for pause in pauses), pauses


class TestOverWeeks:
    def test_backups_are_taken_as_often_as_asked_for_and_the_cold_one_takes_their_place(self, linked: World) -> None:
        before = len(linked.backups())
        with linked.linda.start(NUMBER, "--backup-every", "1s") as run:
            run.wait_for("saved")
            hot = run.wait_for("backed_up", reason="interval")["backup"]
            assert hot["cold"] is False
            run.wait_for("backed_up", reason="interval", count=2)
            run.stop()
        listed = linked.linda.json("restore", NUMBER, "--list")["backups"]
        assert all(one["cold"] for one in listed)
        assert len(listed) == before + 1

    def test_the_story_is_kept_without_any_secret(self, world: World) -> None:
        with world.linda.start(NUMBER, "--once") as run:
            code = run.wait_for("qr")["qr"]
            world.phone.scan(NUMBER)
            run.wait_for("stopped")
        log = world.inner / "logs" / f"session-{NUMBER}.log"
        text = log.read_text()
        assert code not in text
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert [json.loads(line)["event"] for line in text.splitlines()] == run.names()
        told = world.linda.run("logs", NUMBER).out
        assert "is ready after" in told
        assert "stopped: done" in told

    def test_the_log_is_followed_over_its_rotation(self, world: World, tmp_path: Path) -> None:
        from linda_cli.sessions import story_log

        path = tmp_path / "session.log"
        for turn in range(3000):
            story_log.append(path, {"event": "note", "turn": turn, "what": "x" * 1000})
        kept = list(story_log.read(path))
        assert kept[-1]["turn"] == 2999
        assert sum(one.stat().st_size for one in tmp_path.iterdir()) < 4.2 * story_log.LARGEST
        following = story_log.EventLog(path)
        assert [one["turn"] for one in following.new_lines()] == [one["turn"] for one in kept]
        story_log.append(path, {"event": "note", "turn": 3000})
        assert [one["turn"] for one in following.new_lines()] == [3000]
        following.close()

    def test_info_says_when_it_was_last_ready_and_why_it_stopped(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            ready = run.wait_for("ready")
            run.signal(signal.SIGHUP)
            run.end()
        state = linked.linda.info()["state"]
        assert abs(_seconds(state["lastReady"]) - _seconds(ready["at"])) < 2
        assert state["lastStopReason"] == "SIGHUP"
        linked.phone.drop_network()
        with linked.linda.start(NUMBER, "--timeout", "1") as failed:
            failed.end()
        assert "could not be reached" in linked.linda.info()["state"]["lastStopReason"]


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


class TestSeed004:
    """The tests of the Baileys bot: an authentication failure is not a logout."""

    def test_normal_restart_and_five_restarts(self, linked: World) -> None:
        for _ in range(5):
            with linked.linda.start(NUMBER, "--once") as run:
                run.wait_for("stopped")
            assert run.all("qr") == []
        assert linked.linkings == 1

    def test_long_downtime_by_moved_time(self, linked: World) -> None:
        """An hour, and a month: nothing on disk is too old to be restored."""
        for age in (3600, 30 * 86400):
            then = time.time() - age
            for here, folders, files in os.walk(linked.inner / "sessions"):
                for name in [*folders, *files]:
                    path = Path(here, name)
                    if not path.is_symlink():
                        os.utime(path, (then, then))
            with linked.linda.start(NUMBER, "--once") as run:
                assert run.wait_for("ready")["isRestored"] is True
                run.wait_for("stopped")
            assert run.all("qr") == []


@pytest.mark.parametrize("engine", ["selenium", "undetected"])
class TestEngines:
    """The same walk on both engines: link, restart, attach, take over, close cleanly."""

    def test_link_restart_attach_and_leave(self, world: World, engine: str) -> None:
        with world.linda.start("--engine", engine, "--once") as first:
            first.wait_for("qr")
            world.phone.scan(NUMBER)
            first.wait_for("stopped")
        with world.linda.start(NUMBER, "--engine", engine, "--once", "--keep-browser") as second:
            assert second.wait_for("ready")["source"] == "profile"
            second.wait_for("stopped")
        with world.linda.start(NUMBER, "--engine", engine) as third:
            assert third.wait_for("ready")["source"] == "browser"
            third.wait_for("saved")  # the driver is attached beside the run; this is when it is there
            drivers = psutil.Process(third.process.pid).children(recursive=True)
            assert any(("undetected" in one.name()) == (engine == "undetected") for one in drivers)
            world.open_second_tab()
            third.wait_for("conflict")
            world.wait_online()
            assert third.all("disconnected") == []
            assert third.stop() == 0
        assert world.browsers() == []
        assert world.linda.info()["verdict"] == "restorable"
        assert world.linkings == 1
