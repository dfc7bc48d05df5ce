"""Ownership follows the login: whoever linked a number has it, and nobody gets it by naming its number."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from linda_cli.server.auth import make
from tests.linda import NUMBER, World
from tests.server.served import Answer, Client, Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
Connect = Callable[..., Client]


# A day: those below are made when the file is collected, and a whole run of the suite may reach it much later.
def token(owner: str, role: str = "user", seconds: float = 86400) -> str:
    return make(SECRET, owner, role, seconds)


ALICE, BOB, ROOT = token("alice"), token("bob"), token("root", "admin")


def serve(world: World, *words: str, **environ: str) -> Served:
    return Served(world, *words, JWT_SECRET=SECRET, **environ)


def link(server: Served, world: World, who: str) -> None:
    server.token = who
    server.link(world)
    server.token = None


def gone(server: Served, who: str) -> bool:
    return server.ask("GET", f"session-status/{NUMBER}", token=who).status == 404


def until(wanted: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def numbers(server: Served, who: str) -> list[str]:
    return [one["clientId"] for one in server.get("accounts", token=who)["accounts"]]


def link_by_command_line(world: World) -> None:
    with world.linda.start(NUMBER, "--once") as run:
        run.wait_for("qr")
        world.phone.scan(NUMBER)
        run.wait_for("stopped")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_row_never_inherits_a_login_that_the_operator_made(world: World, restarted: bool) -> None:
    with serve(world) as server:
        server.post("accounts", {"number": NUMBER}, token=BOB)
        if restarted:
            assert server.stop() == 0
        link_by_command_line(world)
        if not restarted:
            for method, path in (("POST", f"restore-session/{NUMBER}"), ("POST", f"accounts/{NUMBER}/start")):
                assert server.ask(method, path, token=BOB).status == 404
    with serve(world) as server:
        server.wait_for("ready", session=NUMBER)
        for path in (f"session-status/{NUMBER}", f"accounts/{NUMBER}/backups", f"accounts/{NUMBER}/events"):
            assert server.ask("GET", path, token=BOB).status == 404
        assert numbers(server, BOB) == []
        assert server.status(token=ROOT)["owner"] == "local"


def test_who_removes_a_number_and_adds_it_again_finds_backups_and_events(world: World) -> None:
    with serve(world) as server:
        link(server, world, ALICE)
        assert server.ask("DELETE", f"accounts/{NUMBER}", token=ALICE).status == 202
        until(lambda: gone(server, ALICE))
        assert server.ask("POST", "accounts", {"number": NUMBER}, token=BOB).status == 409
        assert server.ask("POST", "accounts", {"number": NUMBER}, token=ALICE).status == 201
        assert server.get(f"accounts/{NUMBER}/backups", token=ALICE)["backups"]
        names = [one["event"] for one in server.get(f"accounts/{NUMBER}/events", token=ALICE)["events"]]
        assert "ready" in names
        assert server.ask("DELETE", f"accounts/{NUMBER}", token=ALICE).status == 202
        until(lambda: gone(server, ALICE))
    with serve(world) as server:
        server.wait_for("note", what="restoration has finished: 0 ready, 0 failed")
        assert server.get("accounts", token=ROOT)["accounts"] == []
        assert server.ask("POST", "accounts", {"number": NUMBER}, token=ALICE).status == 201
        done = server.post(f"accounts/{NUMBER}/restore", token=ALICE)
        assert done["restored"]["reason"]
        server.post(f"restore-session/{NUMBER}", token=ALICE)
        server.wait_for("ready", session=NUMBER)
    assert world.linkings == 1


class TestGivingANumberAway:
    def test_with_its_login(self, world: World, client: Connect) -> None:
        link_by_command_line(world)
        with serve(world) as server:
            server.wait_for("saved")
            refused = server.ask("POST", "accounts", {"number": NUMBER, "withLogin": True}, token=BOB)
            assert refused.status == 403
            given = server.ask("POST", "accounts", {"number": NUMBER, "owner": "bob", "withLogin": True}, token=ROOT)
            assert (given.status, given.json["owner"]) == (200, "bob")
            assert server.get(f"accounts/{NUMBER}/backups", token=BOB)["backups"]
            # What happened while it was another's is not the new owner's to read.
            events = server.get(f"accounts/{NUMBER}/events", token=BOB)["events"]
            assert "ready" not in [one["event"] for one in events]
            server.post(f"restore-session/{NUMBER}", token=BOB)
            server.wait_for("ready", session=NUMBER, count=2)
        with serve(world) as server:
            server.wait_for("ready")
            assert numbers(server, BOB) == [NUMBER]
        assert world.linkings == 1

    def test_without_it_the_new_owner_starts_empty(self, world: World, client: Connect) -> None:
        with serve(world) as server:
            link(server, world, ALICE)
            backup = server.get(f"accounts/{NUMBER}/backups", token=ALICE)["backups"][0]["name"]
            hers = client(server)
            hers.init(token=ALICE, clientId=NUMBER)
            hers.wait_for("ready")
            all_of_hers = client(server)
            all_of_hers.init(token=ALICE)
            given = server.ask("POST", "accounts", {"number": NUMBER, "owner": "bob"}, token=ROOT)
            assert (given.status, given.json["owner"]) == (200, "bob")
            hers.wait_for("removed")
            assert gone(server, ALICE)
            aside = [one.name for one in world.quarantined()]
            assert aside
            assert server.get(f"accounts/{NUMBER}/backups", token=BOB)["backups"] == []
            assert server.get(f"accounts/{NUMBER}/events", token=BOB)["events"] == []
            for name in (backup, *aside):
                assert server.ask("POST", f"accounts/{NUMBER}/restore", {"backup": name}, token=BOB).status == 404
                assert server.ask("GET", f"accounts/{NUMBER}/backups/{name}/download", token=BOB).status == 404
            assert server.ask("POST", f"accounts/{NUMBER}/restore", token=BOB).status == 422
            assert server.ask("POST", f"restore-session/{NUMBER}", token=BOB).status == 404
            # The next login is bob's own, and nothing of it is hers to hear.
            heard = (len(hers.events), len(all_of_hers.events))
            server.post(f"accounts/{NUMBER}/start", token=BOB)
            until(lambda: server.status(token=BOB)["code"] == "qr")
            world.phone.scan(NUMBER)
            until(lambda: server.status(token=BOB)["isReady"])
            server.wait_for("saved", count=2)
            later = [one["event"] for one in (*hers.events[heard[0] :], *all_of_hers.events[heard[1] :])]
            assert [one for one in later if one != "stopped"] in ([], ["removed"])
            mine = server.get(f"accounts/{NUMBER}/backups", token=BOB)["backups"]
            assert mine
            assert backup not in [one["name"] for one in mine]
        assert json.loads((world.inner / "session-state.json").read_text())["sessions"][NUMBER]["owner"] == "bob"


def test_a_socket_hears_nothing_of_a_number_that_became_somebody_elses(world: World, client: Connect) -> None:
    with serve(world) as server:
        server.post("accounts", {"number": NUMBER}, token=ALICE)
        hers = client(server)
        hers.init(token=ALICE, clientId=NUMBER, link=False)
        # A row that never had a login reserves nothing.
        taken = server.ask("POST", "accounts", {"number": NUMBER}, token=BOB)
        assert taken.status == 201
        hers.wait_for("removed")
        assert gone(server, ALICE)
        server.post(f"accounts/{NUMBER}/start", token=BOB)
        server.wait_for("qr")
        world.phone.scan(NUMBER)
        server.wait_for("saved")
        assert hers.names()[-1] == "removed"
        assert hers.all("qr") == hers.all("ready") == []


def test_a_number_of_somebody_else_looks_like_one_that_nobody_has(world: World) -> None:
    with serve(world, "--linkings", "3") as server:
        link(server, world, ALICE)

        def asked(method: str, path: str) -> Answer:
            return server.ask(method, path.format(NUMBER), token=BOB)

        nobody = "971500000000"
        for method, path in (
            ("GET", "session-status/{}"), ("GET", "accounts/{}"), ("GET", "accounts/{}/backups"),
            ("GET", "accounts/{}/events"), ("GET", "accounts/{}/qr"), ("GET", "accounts/{}/qr.png"),
            ("POST", "accounts/{}/start"), ("POST", "accounts/{}/stop"), ("POST", "accounts/{}/logout"),
            ("POST", "accounts/{}/backup"),
            ("POST", "accounts/{}/restore"), ("POST", "accounts/{}/pairing-code"), ("POST", "restore-session/{}"),
            ("POST", "accounts/{}/linking-links"), ("DELETE", "accounts/{}"),
        ):  # fmt: skip
            there = asked(method, path)
            nowhere = server.ask(method, path.format(nobody), token=BOB)
            assert there.status == nowhere.status == 404, path
            assert there.body.replace(NUMBER.encode(), nobody.encode()) == nowhere.body
        texts: set[str] = set()
        for _ in range(3):
            refused = server.ask("POST", "accounts", {"number": NUMBER}, token=BOB)
            assert refused.status == 409
            texts.add(refused.json["detail"])
        assert texts == {"this number cannot be added"}
        assert server.ask("POST", "accounts", {"number": NUMBER}, token=BOB).status == 429


def test_two_servers_of_different_homes_share_a_database(
    linked: World, make_world: Callable[..., World], postgres_url: str
) -> None:
    other = make_world()
    with serve(linked, LINDA_DATABASE_URL=postgres_url) as first:
        first.wait_for("saved")
        with serve(other, LINDA_DATABASE_URL=postgres_url) as second:
            second.wait_for("note", what="restoration has finished: 0 ready, 0 failed")
            assert second.get("accounts", token=ROOT)["accounts"] == []
            second.post("accounts", {"number": NUMBER}, token=BOB)
            assert second.ask("DELETE", f"accounts/{NUMBER}", token=BOB).status == 202
            until(lambda: gone(second, BOB))
        assert first.status(token=ROOT)["status"] == "ready"
        assert first.stop() == 0
    with serve(linked, LINDA_DATABASE_URL=postgres_url) as first:
        first.wait_for("ready")
        assert first.status(token=ROOT)["sessionData"]["sessionValid"] is True


def test_what_alice_linked_stays_hers_when_the_operator_runs_it(world: World) -> None:
    with serve(world) as server:
        link(server, world, ALICE)
        assert server.stop() == 0
    with world.linda.start(NUMBER, "--once") as run:
        run.wait_for("stopped")
    with serve(world) as server:
        server.wait_for("ready")
        assert server.status(token=ALICE)["owner"] == "alice"
        told: dict[str, Any] = server.get(f"accounts/{NUMBER}/backups", token=ALICE)
        assert told["backups"]


def test_an_owner_has_at_most_so_many_accounts(world: World) -> None:
    with serve(world, "--accounts", "2") as server:
        for number in ("971505760061", "971505760062"):
            server.post("accounts", {"number": number}, token=ALICE)
        assert server.ask("POST", "accounts", {"number": "971505760063"}, token=ALICE).status == 403
        assert server.ask("POST", "accounts", {"number": "971505760062"}, token=ALICE).status == 200
        assert server.ask("POST", "accounts", {"number": "971505760063"}, token=BOB).status == 201
