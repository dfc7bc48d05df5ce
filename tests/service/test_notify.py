"""Readiness, signs of life and the clean stop, as systemd would see them; and ``linda info --check``."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from linda_cli.lifecycle.service_manager import ServiceManager
from tests.linda import COMMAND, NUMBER, Linda, Started, World
from tests.service.notified import service_manager


class TestProtocol:
    @pytest.mark.parametrize("abstract", [False, True])
    def test_what_is_said_arrives(self, tmp_path: Path, abstract: bool) -> None:
        with service_manager(tmp_path, abstract=abstract) as heard:
            manager = ServiceManager.of_environment({"NOTIFY_SOCKET": heard.address})
            assert manager is not None
            manager.ready("two\nlines READY=0")
            manager.stopping()
            heard.wait_for("STOPPING=1")
            assert heard.lines == ["READY=1", "STATUS=two lines READY=0", "STOPPING=1"]

    def test_the_variables_are_taken_away(self) -> None:
        environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
        manager = ServiceManager.of_environment(environ)
        assert manager is not None
        assert manager.every == 2.0
        assert environ == {"A": "b"}
        # Nobody listens there: no failure.
        manager.ready()
        manager.alive()

    @pytest.mark.parametrize(
        "environ",
        [
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"},
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
            {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"},
        ],
    )
    def test_no_signs_of_life_where_none_are_wanted_of_this_process(self, environ: dict[str, str]) -> None:
        manager = ServiceManager.of_environment(environ)
        assert manager is not None
        assert manager.every is None

    @pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:1:2"}])
    def test_nobody_listens(self, environ: dict[str, str]) -> None:
        assert ServiceManager.of_environment(environ) is None


def test_a_run_is_ready_alive_and_stopped_cleanly_and_info_check_agrees(linked: World, tmp_path: Path) -> None:
    linda = linked.linda
    assert linda.run("info", NUMBER, "--check").code == 4
    with service_manager(tmp_path) as heard:
        told = {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "2000000"}
        with linda.start(NUMBER, "--no-link", **told) as run:
            run.wait_for("ready")
            heard.wait_for("READY=1")
            heard.wait_for(f"STATUS={NUMBER} is ready")
            ready = next(at for at, line in heard.heard if line == "READY=1")
            heard.wait_for("WATCHDOG=1", count=heard.count("WATCHDOG=1") + 2)
            assert any(at < ready for at, line in heard.heard if line == "WATCHDOG=1")
            children = psutil.Process(run.process.pid).children(recursive=True)
            assert children
            assert not any("NOTIFY_SOCKET" in child.environ() for child in children)

            done = linda.run("info", NUMBER, "--check", "--json")
            assert (done.code, done.json["ready"]) == (0, True)
            assert linda.run("info", "--check").code == 0
            linked.phone.drop_network()
            run.wait_for("disconnected")
            heard.wait_for("STATUS=disconnected")
            done = linda.run("info", NUMBER, "--check")
            assert done.code == 4
            assert "disconnected" in done.err
            linked.phone.restore_network()
            run.wait_for("reconnected")
            assert linda.run("info", NUMBER, "--check").code == 0

            # A loop that hangs gives no sign: systemd would end it.
            run.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            before = heard.count("WATCHDOG=1")
            time.sleep(2.5)
            assert heard.count("WATCHDOG=1") == before
            run.process.send_signal(signal.SIGCONT)
            heard.wait_for("WATCHDOG=1", count=before + 1)

            # KillMode=mixed: SIGTERM to linda alone; what is in its group when it has ended would be killed.
            run.process.send_signal(signal.SIGTERM)
            assert run.end() == 0
        assert "STOPPING=1" in heard.lines
    assert [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert linda.run("info", NUMBER, "--check").code == 4
    with pytest.raises(ProcessLookupError):
        os.killpg(run.process.pid, 0)


def test_a_run_that_was_killed_is_not_ready_and_neither_is_the_next_one_before_it_is(linked: World) -> None:
    linda = linked.linda
    with linda.start(NUMBER, "--no-link") as run:
        run.wait_for("saved")
        assert linda.run("info", NUMBER, "--check").code == 0
        # Everything at once, as a container that is removed.
        for process in [run.process, *linked.browsers()]:
            process.kill()
        run.process.wait(10)
    assert linked.state()["lastState"] == "ready"
    assert linda.run("info", NUMBER, "--check").code == 4
    linked.phone.drop_network()
    with linda.start(NUMBER, "--no-link", "--timeout", "60") as run:
        run.wait_for("checked")
        deadline = time.monotonic() + 20
        while linked.state()["lastState"] == "ready" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert linda.run("info", NUMBER, "--check").code == 4
        linked.phone.restore_network()
        run.wait_for("ready")
        assert linda.run("info", NUMBER, "--check").code == 0
        assert run.stop() == 0


def test_check_of_a_number_nobody_knows_and_of_an_empty_home(linked: World, tmp_path: Path) -> None:
    assert linked.linda.run("info", "971505760057", "--check").code == 10
    empty = tmp_path / "empty"
    for name in ("sessions", ".session-cache"):
        (empty / name).mkdir(parents=True)
    done = Linda(empty).run("info", "--check", "--json")
    assert (done.code, done.json["ready"], done.json["sessions"]) == (4, False, [])


def test_the_server_is_ready_when_it_accepts_requests_and_gives_signs_of_life(tmp_path: Path) -> None:
    with service_manager(tmp_path) as heard:
        environ = {**os.environ, "NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "1000000"}
        command = [*COMMAND, "--home", str(tmp_path / "home"), "--json", "serve", "--sandbox", "--port", "0"]
        with Started(command, environ) as run:
            run.wait_for("serving")
            heard.wait_for("READY=1")
            heard.wait_for("WATCHDOG=1", count=3)
            assert run.stop() == 0
        assert "STOPPING=1" in heard.lines
