"""Seed 003 as tests: real Chromium on the stand-in, the real socket.io-client, servers that are stopped and killed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from linda_cli.server.auth import make
from tests.linda import NUMBER, Started, World
from tests.server.served import Client, Served

OTHER, THIRD = "971505760057", "971505760058"
Connect = Callable[..., Client]


def delivered(world: World) -> int:
    count: int = world.phone.status()["messages"]["delivered"]
    return count


def message(world: World, text: str, number: str = NUMBER) -> None:
    """Send a message and wait until the linked page has confirmed it."""
    before = delivered(world)
    world.phone.message(text, number)
    deadline = time.monotonic() + 20
    while delivered(world) == before:
        assert time.monotonic() < deadline, "the message was not delivered"
        time.sleep(0.02)


class TestSessionPersistence:
    """Seed 003's procedure: link, message, restart, restored by itself, message without scanning."""

    def test_a_session_that_was_linked_over_socket_io_comes_back_after_a_restart(
        self, world: World, client: Connect
    ) -> None:
        with Served(world) as server:
            user = client(server)
            told = user.init(clientId=NUMBER)
            assert (told["clientId"], told["status"]) == (NUMBER, "authenticating")
            shown = user.wait_for("qr")
            assert (shown["told"], shown["session"], shown["version"]) == ("qr", NUMBER, 1)
            assert server.ask("GET", f"accounts/{NUMBER}/qr").body.decode() == shown["qr"]
            assert server.ask("GET", f"accounts/{NUMBER}/qr.png").body.startswith(b"\x89PNG")
            # Somebody who comes later sees the code that is on show, with the time that it has left.
            late = client(server, "websocket")
            assert late.init(clientId=NUMBER)["code"] == "qr"
            assert late.wait_for("qr")["qr"] == shown["qr"]
            assert late.wait_for("qr")["expiresIn"] <= 60
            world.phone.scan(NUMBER, qr=shown["qr"])
            user.wait_for("authenticated")
            first = user.wait_for("ready")
            assert (first["isRestored"], first["source"], first["number"]) == (False, "qr", NUMBER)
            assert server.ask("GET", f"accounts/{NUMBER}/qr").status == 404
            server.wait_for("saved")
            message(world, "before the restart")
            data = server.status()["sessionData"]
            assert (data["isAuthenticated"], data["sessionValid"], data["authState"]) == (True, True, "ready")
            assert data["lastConnected"]
            assert server.stop() == 0
            assert user.wait_for("stopped")["session"] == NUMBER
        assert world.browsers() == []
        with Served(world, "--restore-after", "4") as again:
            early = again.ask("GET", "health")
            assert (early.status, early.json["status"]) == (503, "starting")
            watcher = client(again)
            watcher.init()
            ready = watcher.wait_for("restored_session_ready", session=NUMBER)
            assert (ready["isRestored"], ready["source"], ready["restoreCount"]) == (True, "profile", 1)
            assert watcher.wait_for("ready")["isRestored"] is True
            message(world, "after the restart")
            # A user who connects again gets the live session at once.
            user = client(again)
            assert user.init(clientId=NUMBER)["isReady"] is True
            assert user.wait_for("ready")["isRestored"] is True
            again.wait_for("saved")
            assert [one["clientId"] for one in again.get("restored-sessions")["sessions"]] == [NUMBER]
            health = again.get("health")
            assert health["restoration"] == {"finished": True, "accounts": 1, "restored": 1, "failed": 0}
            assert (health["status"], health["ready"]) == ("ok", 1)
            assert user.all("qr") == watcher.all("qr") == again.all("qr") == []
        assert world.linkings == 1
        assert delivered(world) == 2

    def test_no_code_and_no_token_is_in_any_log(self, world: World, client: Connect) -> None:
        with Served(world, JWT_SECRET="x" * 40) as server:
            token = make("x" * 40, "alice", "user", 60)
            user = client(server)
            assert user.init(token=token, clientId=NUMBER)["owner"] == "alice"
            shown = str(user.wait_for("qr")["qr"])
            world.phone.scan(NUMBER)
            user.wait_for("ready")
            assert server.stop() == 0
            said = json.dumps(server.events) + "".join(server.errors)
        kept = "".join(one.read_text() for one in (world.inner / "logs").glob("session-*"))
        for secret in (shown, token, "x" * 40):
            assert secret not in said
            assert secret not in kept
        assert server.all("qr")[0]["attempt"] == 1

    def test_a_token_that_is_no_good_hears_nothing(self, linked: World, client: Connect) -> None:
        with Served(linked, JWT_SECRET="x" * 40) as server:
            stranger = client(server)
            assert stranger.init(token=make("x" * 40, "bob", "user", 60), clientId=NUMBER)["problem"]["status"] == 409
            root = client(server)
            assert root.init(token=make("x" * 40, "root", "admin", 60), clientId=NUMBER)["owner"] == "local"
            told = stranger.init(token="nonsense", clientId=NUMBER)
            assert told["problem"]["status"] == 401
            assert stranger.wait_for("auth_failure")["reason"] == "the token is not valid"
            server.wait_for("ready", session=NUMBER)
            server.wait_for("saved")
            assert set(stranger.names()) == {"connect", "ack", "auth_failure"}


class TestMultipleSessions:
    """Seed 003's second procedure: several accounts, a restart, all of them back, each managed by itself."""

    def test_three_accounts_come_back_and_are_managed_one_by_one(self, world: World) -> None:
        with Served(world) as server:
            for number in (NUMBER, OTHER, THIRD):
                server.link(world, number)
            server.process.kill()
            server.end()
        with Served(world, "--at-once", "3") as again:
            for number in (NUMBER, OTHER, THIRD):
                assert again.wait_for("ready", session=number)["isRestored"] is True
            again.post(f"accounts/{OTHER}/stop")
            stopped = again.status(OTHER)
            assert (stopped["status"], stopped["up"], stopped["sessionData"]["sessionValid"]) == (
                "disconnected",
                False,
                True,
            )
            for number in (NUMBER, THIRD):
                assert again.status(number)["isReady"]
                message(world, "still there", number)
            again.post(f"restore-session/{OTHER}")
            assert again.until(lambda one: one["isReady"], OTHER)["isRestored"]
            made = again.post(f"accounts/{THIRD}/backup", {"label": "before the holidays"})
            assert made["backup"]["label"] == "before the holidays"
            listed = again.get(f"accounts/{THIRD}/backups?verify=true")["backups"]
            assert all(one["valid"] for one in listed)
            put = again.post(f"accounts/{THIRD}/restore", {"backup": made["backup"]["name"]})
            assert put["restored"]["name"] == made["backup"]["name"]
            assert again.until(lambda one: one["isReady"], THIRD)["isRestored"]
            words = [one["words"] for one in again.get(f"accounts/{THIRD}/events")["events"]]
            assert any("ready" in one for one in words)
            assert again.ask("DELETE", f"accounts/{NUMBER}").status == 202
            deadline = time.monotonic() + 20
            while again.ask("GET", f"session-status/{NUMBER}").status != 404:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert world.linda.info()["verdict"] == "cleared"
            assert len(world.backups(NUMBER)) >= 1
            assert again.all("qr") == []
        assert world.linkings == 3


class TestLogoutAndDisconnection:
    def test_a_logout_is_told_apart_from_a_lost_connection(self, linked: World, client: Connect) -> None:
        with Served(linked) as server:
            user = client(server)
            user.init(clientId=NUMBER)
            user.wait_for("ready")
            server.wait_for("saved")
            linked.phone.drop_network()
            assert user.wait_for("disconnected")["reason"].startswith("offline")
            away = server.status()
            assert (away["status"], away["sessionData"]["sessionValid"]) == ("disconnected", True)
            linked.phone.restore_network()
            assert user.wait_for("reconnected")["via"] == "page"
            assert server.status()["reconnects"] == 1
            linked.phone.log_out(NUMBER)
            user.wait_for("logged_out")
            gone = server.until(lambda one: not one["up"])
            data = gone["sessionData"]
            assert (gone["status"], data["sessionValid"], data["authState"]) == ("disconnected", False, "logged_out")
            assert user.all("qr") == []
            assert server.browsers() == []
            assert server.all("session_restoration_failed") == server.all("error") == []
        with Served(linked) as again:
            again.wait_for("note", what="restoration has finished: 0 ready, 0 failed")
            # Linking anew is a wish of somebody who is there.
            user = client(again)
            user.init(clientId=NUMBER)
            linked.phone.scan(NUMBER, qr=str(user.wait_for("qr")["qr"]))
            user.wait_for("ready", source="qr")
            assert again.until(lambda one: one["sessionData"]["sessionValid"])

    def test_a_logout_that_is_asked_for_unlinks_the_device_whether_the_account_is_up_or_not(
        self, linked: World, client: Connect
    ) -> None:
        with Served(linked) as server:
            user = client(server)
            user.init(clientId=NUMBER)
            user.wait_for("ready")
            server.wait_for("saved")
            server.post(f"accounts/{NUMBER}/stop")
            # Not up: brought up for it. No code comes on show, and the account ends.
            done = server.post(f"accounts/{NUMBER}/logout")
            assert (done["unlinked"], done["aside"]) == (True, None)
            assert user.wait_for("logged_out")["reason"] == "by you"
            gone = server.until(lambda one: not one["up"])
            assert (gone["sessionData"]["sessionValid"], user.all("qr")) == (False, [])
            backups = server.get(f"accounts/{NUMBER}/backups")["backups"]
            assert {one["revokedAt"] for one in backups} == {done["revokedAt"]}
            (device,) = linked.phone.status()["devices"]
            assert device["removedAt"] is not None
            refused = server.ask("POST", f"accounts/{NUMBER}/restore", {})
            assert refused.json["name"] == "BackupUnusable"
            assert str(done["revokedAt"]) in refused.json["detail"]

    def test_a_logout_that_the_page_does_not_say_forgets_nothing_and_a_local_one_does_and_says_so(
        self, linked: World, client: Connect
    ) -> None:
        # Before the page loads: it learns then how long its logout takes.
        linked.phone.set_timing(logout=300.0)
        with Served(linked) as server:
            user = client(server)
            user.init(clientId=NUMBER)
            user.wait_for("ready")
            server.wait_for("saved")
            refused = server.ask("POST", f"accounts/{NUMBER}/logout", {})
            assert (refused.status, refused.json.get("name")) == (504, "Unreachable"), refused
            assert user.all("logged_out") == []
            done = server.post(f"accounts/{NUMBER}/logout", {"local": True})
            assert (done["unlinked"], bool(done["aside"])) == (False, True)
            assert server.status()["sessionData"]["sessionValid"] is False

    def test_a_pairing_code_is_given_to_whoever_asks(self, world: World, client: Connect) -> None:
        with Served(world) as server:
            server.post("accounts", {"number": NUMBER})
            watcher = client(server)
            watcher.init()
            told = server.post(f"accounts/{NUMBER}/pairing-code")
            assert told["expiresIn"] == 180
            assert watcher.wait_for("pairing_code")["code"] == told["code"]
            assert server.post(f"accounts/{NUMBER}/pairing-code")["code"] == told["code"]
            world.phone.enter_code(told["code"], NUMBER)
            assert server.until(lambda one: one["isReady"])["source"] == "code"
            assert server.ask("POST", f"accounts/{NUMBER}/pairing-code").status == 409

    def test_a_passkey_ends_a_linking_with_its_reason(self, world: World) -> None:
        world.phone.ask_passkey()
        with Served(world) as server:
            server.post("accounts", {"number": NUMBER})
            server.post(f"accounts/{NUMBER}/start")
            server.until(lambda one: one["code"])
            world.phone.scan(NUMBER)
            told = server.until(lambda one: not one["up"])
            assert "passkey" in told["problem"]
            assert server.wait_for("error")["name"] == "PasskeyRequired"


class TestWhatGoesWrong:
    def test_a_damaged_session_is_put_aside_and_said_and_keeps_nobody_else_waiting(self, world: World) -> None:
        with Served(world) as server:
            server.link(world, NUMBER)
            server.link(world, OTHER)
            assert server.stop() == 0
        broken = world.inner / "sessions" / f"session-{OTHER}"
        for log in (broken / "Default" / "Local Storage" / "leveldb").glob("*.log"):
            log.write_bytes(b"\0" * 100)
        for backup in world.backups(OTHER):
            (backup / "backup.json").write_text("{")
        with Served(world, "--at-once", "1") as again:
            failed = again.wait_for("session_restoration_failed", session=OTHER)
            assert failed["name"] in ("ProfileDamaged", "BackupUnusable")
            assert again.wait_for("ready", session=NUMBER)["isRestored"]
            assert list(world.cache.glob(f"quarantine-{OTHER}-*"))
            gone = again.status(OTHER)
            assert (gone["status"], gone["sessionData"]["sessionValid"]) == ("disconnected", False)
            assert gone["problem"]
            assert again.get("health")["restoration"]["failed"] == 1
            metrics = again.ask("GET", "/metrics").body.decode()
            assert 'linda_restore_failures_total{name="' in metrics
            assert "linda_restore_seconds_count 1.0" in metrics
            assert 'linda_accounts{status="ready"} 1.0' in metrics
            memory = float(metrics.split("\nlinda_browser_memory_bytes ")[1].split("\n")[0])
            assert memory > 50e6

    def test_browsers_that_die_are_replaced_and_a_killed_servers_are_attached_to(self, linked: World) -> None:
        with Served(linked) as server:
            server.wait_for("saved")
            server.browsers()[0].kill()
            assert server.wait_for("disconnected")["session"] == NUMBER
            assert server.wait_for("reconnected")["via"] in ("browser", "profile")
            pid = server.browsers()[0].pid
            server.signal(signal.SIGKILL)
            server.end()
        assert psutil.pid_exists(pid)
        with Served(linked) as again:
            assert again.wait_for("ready")["source"] == "browser"
            assert again.all("qr") == []
        assert linked.browsers() == []

    def test_a_stop_is_bounded_and_what_is_left_is_attached_to(self, linked: World) -> None:
        with Served(linked, "--stop-within", "0.001") as server:
            server.wait_for("saved")
            assert server.stop() == 0
            assert server.wait_for("note", what=f"did not end in time: {NUMBER}")
        with Served(linked) as again:
            assert again.wait_for("ready")["isRestored"] is True
            assert again.all("qr") == []
        assert linked.browsers() == []

    def test_a_stop_before_the_doors_are_open_leaves_no_browser_behind(self, linked: World) -> None:
        # Started, and not waited for: what a supervisor does that has changed its mind.
        server = Started.__enter__(Served(linked))
        with server:
            server.wait_for("restoring")
            server.signal(signal.SIGTERM)
            assert server.end() == 0
            assert server.wait_for("stopping", reason="SIGTERM")
        assert linked.browsers() == []
        with Served(linked) as again:
            assert again.wait_for("ready")["isRestored"] is True
            assert again.all("qr") == []

    def test_cleanup_runs_by_itself(self, linked: World) -> None:
        old = linked.cache / f"quarantine-{NUMBER}-1600000000000"
        (old / "Default").mkdir(parents=True)
        with Served(linked, "--cleanup-every", "1s") as server:
            deadline = time.monotonic() + 20
            while not any("cleanup removed 1" in str(one["what"]) for one in server.all("note")):
                assert time.monotonic() < deadline, server.story()
                time.sleep(0.05)
        assert not old.exists()

    def test_sigterm_closes_and_backs_up_and_keep_browsers_leaves_them(self, linked: World) -> None:
        with Served(linked, "--keep-browsers") as server:
            server.wait_for("saved")
            pid = server.browsers()[0].pid
            assert server.stop() == 0
            assert psutil.pid_exists(pid)
        with Served(linked) as again:
            assert again.wait_for("ready")["source"] == "browser"
            again.wait_for("saved")
            before = linked.backups()[0].name
            assert again.stop() == 0
            assert [one for one in again.names() if one.startswith("stop")] == ["stopping", "stopped"]
        assert linked.browsers() == []
        assert linked.backups()[0].name >= before
        assert linked.linda.info()["backups"][0]["cold"] is True


class TestBesideTheCommandLine:
    def test_the_command_line_sees_and_respects_a_session_of_the_server(self, linked: World) -> None:
        with Served(linked) as server:
            server.wait_for("saved")
            told = linked.linda.info()
            assert told["running"]["by"]["pid"] == server.process.pid
            assert told["running"]["by"]["command"].startswith("linda serve --sandbox")
            shown = linked.linda.run("info", NUMBER).out
            assert f"run by linda serve, pid {server.process.pid}" in shown
            with linked.linda.start(NUMBER) as second:
                assert second.wait_for("error")["code"] == 11
            assert linked.linda.json("backup", NUMBER)["isNew"] in (True, False)
            assert linked.linda.run("restore", NUMBER).code == 11
            assert server.status()["isReady"]

    def test_the_server_waits_for_a_session_that_the_command_line_runs(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            with Served(linked) as server:
                failed = server.wait_for("session_restoration_failed")
                assert (failed["name"], failed["retryIn"] > 0) == ("InUse", True)
                assert server.status()["sessionData"]["sessionValid"] is True
                assert run.stop() == 0
                server.post(f"accounts/{NUMBER}/start")
                assert server.until(lambda one: one["isReady"])["isRestored"]

    def test_a_session_that_the_command_line_linked_is_there(self, linked: World) -> None:
        with Served(linked) as server:
            server.wait_for("ready")
            assert [one["owner"] for one in server.get("accounts")["accounts"]] == ["local"]


def test_a_server_on_postgresql_restores_too(linked: World, postgres_url: str) -> None:
    for _ in range(2):
        with Served(linked, LINDA_DATABASE_URL=postgres_url) as server:
            assert server.wait_for("ready")["isRestored"] is True
            server.wait_for("saved")
            assert server.stop() == 0
    assert not (linked.inner / "linda.db").exists()


def test_the_log_of_a_server_reads_as_a_story(linked: World) -> None:
    import subprocess

    from tests.linda import COMMAND

    command = [*COMMAND, "--home", str(linked.home), "serve", "--sandbox", "--port", "0", "--restore-after", "0"]
    log = Path(linked.home, "log")
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 60
            while "already saved" not in log.read_text() and "saved as" not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(60)
    said = log.read_text()
    assert "linda serves http://127.0.0.1:" in said
    assert f" {NUMBER}: ready, restored from the profile (" in said
    assert "server: restoration has finished: 1 ready, 0 failed" in said
    assert "server: stopping (SIGTERM), closing browsers" in said
    assert f" {NUMBER}: stopped: the server stops" in said
