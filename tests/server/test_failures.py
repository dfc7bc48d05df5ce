"""Failures are told, and cost no session: databases that hang, are locked or away, and work that is interrupted."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy.exc import OperationalError

from linda_cli.errors import DatabaseFull, Unavailable
from linda_cli.lifecycle.events import event
from linda_cli.server.db.gateway import named
from linda_cli.server.event_bus import EventBus, Published
from tests.linda import NUMBER, World
from tests.server import postgres
from tests.server.served import Client, Served

OTHER = "971505760057"
Connect = Callable[..., Client]


@pytest.fixture
def own_postgres() -> Iterator[str]:
    """A PostgreSQL of this test's own, to hang and to kill."""
    if postgres.binaries() is None:
        pytest.skip("not installed: postgresql")
    with postgres.cluster() as url:
        yield url


def processes_of(url: str) -> list[psutil.Process]:
    """Every process of that cluster, the postmaster first."""
    folder = url.rpartition("host=")[2]
    postmaster = psutil.Process(int(Path(folder, "data", "postmaster.pid").read_text().split()[0]))
    return [postmaster, *postmaster.children(recursive=True)]


def until(wanted: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_database_that_hangs_delays_no_session_and_no_socket(
    world: World, client: Connect, own_postgres: str
) -> None:
    with Served(world, LINDA_DATABASE_URL=own_postgres) as server:
        server.link(world, NUMBER)
        watcher = client(server)
        watcher.init()
        for process in processes_of(own_postgres):
            process.send_signal(signal.SIGSTOP)
        hung = time.monotonic()
        try:
            until(lambda: server.ask("GET", "/readyz").status == 503, 10)
            told = server.ask("GET", "/readyz")
            assert "database" in told.json["reason"]
            assert told.headers["retry-after"]
            # What happens to a session is told at once, and stopping and starting it waits for no database.
            began = time.monotonic()
            server.browsers()[0].kill()
            watcher.wait_for("disconnected", timeout=10)
            assert time.monotonic() - began < 8, "an outage is told after 5 s"
            watcher.wait_for("reconnected", timeout=20)
            began = time.monotonic()
            server.post(f"accounts/{NUMBER}/stop")
            server.post(f"restore-session/{NUMBER}")
            server.until(lambda one: one["isReady"])
            assert time.monotonic() - began < 10
            for path in ("accounts", f"session-status/{NUMBER}", "health", "/livez"):
                began = time.monotonic()
                assert server.ask("GET", path).status == 200
                assert time.monotonic() - began < 1
            refused = server.ask("POST", "accounts", {"number": OTHER})
            assert (refused.status, refused.json["name"]) == (503, "Unavailable")
            assert int(refused.headers["retry-after"]) > 0
            assert time.monotonic() - hung < 60
        finally:
            for process in processes_of(own_postgres):
                process.send_signal(signal.SIGCONT)
        until(lambda: server.ask("GET", "/readyz").status == 200)
        assert server.stop() == 0
    with Served(world, LINDA_DATABASE_URL=own_postgres) as server:
        # Writes were caught up.
        assert server.wait_for("ready")["isRestored"]


def test_a_database_that_dies_while_the_server_runs_is_told_and_used_again(world: World, own_postgres: str) -> None:
    folder = own_postgres.rpartition("host=")[2]
    with Served(world, LINDA_DATABASE_URL=own_postgres) as server:
        server.link(world, NUMBER)
        processes_of(own_postgres)[0].send_signal(signal.SIGQUIT)
        until(lambda: server.ask("GET", "/readyz").status == 503, 15)
        assert server.ask("POST", "accounts", {"number": OTHER}).status == 503
        assert server.status()["isReady"]
        server.post(f"accounts/{NUMBER}/stop")
        programs, user = postgres.binaries(), postgres._ordinary()
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run(
            [f"{programs}/pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start"],
            check=True, user=user, cwd=folder, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )  # fmt: skip
        until(lambda: server.ask("GET", "/readyz").status == 200)
        until(lambda: server.ask("POST", "accounts", {"number": OTHER}).status in (200, 201), 15)
        until(lambda: b"linda_database_unwritten 0.0" in server.ask("GET", "/metrics").body, 15)


def test_a_locked_database_is_503_and_nothing_is_lost(world: World) -> None:
    with Served(world) as server:
        lock = sqlite3.connect(world.inner / "linda.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        refused = server.ask("POST", "accounts", {"number": NUMBER})
        assert (refused.status, "retry-after" in refused.headers) == (503, True)
        assert server.get("accounts")["accounts"] == []
        lock.execute("COMMIT")
        lock.close()
        # The one that was refused was never begun, or is finished now; either way the same request does well.
        until(lambda: server.ask("POST", "accounts", {"number": NUMBER}).status in (200, 201), 15)


def test_failures_of_a_database_have_names() -> None:
    full = OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
    locked = OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))
    assert isinstance(named(full), DatabaseFull)
    assert isinstance(named(locked), Unavailable)


def test_a_removal_that_fails_is_told_and_nothing_is_half_done(world: World) -> None:
    with Served(world) as server:
        server.link(world, NUMBER)
        server.post(f"accounts/{NUMBER}/stop")
        with world.linda.start(NUMBER) as run:
            run.wait_for("saved")
            asked = server.ask("DELETE", f"accounts/{NUMBER}").json
            until(lambda: server.get(f"operations/{asked['operation']}")["state"] == "failed")
            assert "in use" in server.get(f"operations/{asked['operation']}")["problem"]
            told = server.status()
            assert told["problem"].startswith("it was not removed")
            assert told["removing"] is False
            assert server.wait_for("removal_failed")["name"] == "InUse"
            assert run.stop() == 0
        asked = server.ask("DELETE", f"accounts/{NUMBER}").json
        until(lambda: server.get(f"operations/{asked['operation']}")["state"] == "done")
        assert server.ask("GET", f"session-status/{NUMBER}").status == 404


def test_a_removal_that_a_kill_interrupted_is_finished_at_the_next_start(world: World) -> None:
    with Served(world) as server:
        server.link(world, NUMBER)
        assert server.stop() == 0
    with sqlite3.connect(world.inner / "linda.db") as database:
        database.execute("UPDATE accounts SET removing = 'keep'")
    with Served(world) as server:
        until(lambda: server.ask("GET", f"session-status/{NUMBER}").status == 404)
    assert world.linda.info()["verdict"] == "cleared"


def test_what_became_of_a_start_can_be_asked(world: World) -> None:
    with Served(world) as server:
        server.post("accounts", {"number": NUMBER})
        started = server.post(f"accounts/{NUMBER}/start")
        until(lambda: server.get(f"operations/{started['operation']}")["state"] == "done")
        server.post(f"accounts/{NUMBER}/stop")
        again = server.post(f"accounts/{NUMBER}/start", {"linkWith": None})
        until(lambda: server.get(f"operations/{again['operation']}")["state"] == "failed")
        assert server.get(f"operations/{again['operation']}")["problem"]
        assert server.ask("GET", "operations/none").status == 404


def test_what_only_looks_never_waits_behind_what_works(world: World) -> None:
    with Served(world) as server:
        server.link(world, NUMBER)
        # A stop that takes its time, asked for eighty times.
        browser = server.browsers()[0]
        browser.suspend()
        try:
            with ThreadPoolExecutor(80) as pool:
                for _ in range(80):
                    pool.submit(server.ask, "POST", f"accounts/{NUMBER}/stop")
                time.sleep(1.0)
                took = []
                for _ in range(20):
                    began = time.monotonic()
                    assert server.ask("GET", "/livez").status == 200
                    assert server.ask("GET", f"session-status/{NUMBER}").status == 200
                    took.append((time.monotonic() - began) / 2)
                assert sorted(took)[10] < 0.1, took
                browser.resume()
        finally:
            if browser.is_running():
                browser.resume()


def test_a_sandbox_server_that_was_killed_comes_back_with_its_accounts(tmp_path: Path) -> None:
    from linda_cli.sandbox.phone import Phone
    from linda_cli.sandbox.running import running
    from tests.linda import COMMAND

    home = tmp_path / "home"
    command = [*COMMAND, "--home", str(home), "--json", "serve", "--sandbox", "--port", "0", "--restore-after", "0"]

    def phone() -> Phone:
        found = running(home / ".sandbox" / "stand-in")
        assert found is not None
        return Phone(found.control_url)

    with Served(None, command=command) as server:  # type: ignore[arg-type]
        server.post("accounts", {"number": NUMBER})
        server.post(f"accounts/{NUMBER}/start")
        server.wait_for("qr")
        phone().scan(NUMBER)
        server.wait_for("saved")
        server.process.kill()
        server.end()
    with Served(None, command=command) as again:  # type: ignore[arg-type]
        assert again.wait_for("ready", timeout=60)["isRestored"]
        assert again.all("qr") == []
        assert again.status()["isReady"]


class TestEventBus:
    def test_a_subscriber_that_hangs_or_fails_delays_nobody(self) -> None:
        said: list[str] = []
        bus = EventBus(lambda _: "alice", said.append)
        hold, heard = threading.Event(), list[str]()
        bus.subscribe("hangs", lambda _: hold.wait(30) and None, waiting=10)

        def fails(_: Published) -> None:
            raise RuntimeError("a bug")

        bus.subscribe("fails", fails)
        bus.subscribe("hears", lambda published: heard.append(published.event.event))
        began = time.monotonic()
        for count in range(100):
            bus.publish(event(f"event{count}", NUMBER, {}))
        assert time.monotonic() - began < 1
        until(lambda: len(heard) == 100)
        assert heard == [f"event{count}" for count in range(100)]
        assert bus.lost()["hangs"] == 89
        assert any("hangs is too slow" in one for one in said)
        assert sum("a bug" in one for one in said) == 100
        hold.set()
        assert bus.close(5)

    def test_a_subscriber_that_ends_is_started_again_and_that_is_said(self) -> None:
        said: list[str] = []
        bus = EventBus(lambda _: None, said.append)
        heard: list[str] = []

        def subscriber(published: Published) -> None:
            heard.append(published.event.event)
            if published.event.event == "ends":
                raise SystemExit

        bus.subscribe("sometimes", subscriber)
        for name in ("first", "ends", "second"):
            bus.publish(event(name, NUMBER, {}))
        until(lambda: heard == ["first", "ends", "second"])
        assert "the subscriber sometimes had ended and was started again" in said
        assert bus.close(5)

    def test_an_event_is_for_whoever_owned_the_number_when_it_happened(self) -> None:
        owner, heard = ["alice"], list[str | None]()
        bus = EventBus(lambda _: owner[0], lambda _: None)
        hold = threading.Event()

        def subscriber(published: Published) -> None:
            hold.wait(10)
            heard.append(published.owner)

        bus.subscribe("slow", subscriber)
        bus.publish(event("qr", NUMBER, {}))
        owner[0] = "bob"
        bus.publish(event("qr", NUMBER, {}))
        hold.set()
        assert bus.close(5)
        assert heard == ["alice", "bob"]
