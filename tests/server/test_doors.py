"""Who may come in, and what a request without a browser behind it is answered."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from linda_cli import errors, installation
from linda_cli.server import problem_details as problems
from linda_cli.server.auth import Authenticator, NothingRevoked, Principal, make
from linda_cli.server.config import Settings
from linda_cli.server.rate_limit import RateLimit
from linda_cli.sessions.home import Home
from tests.linda import NUMBER, Linda, World
from tests.server.served import Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
OTHER = "971505760057"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from linda_cli.sandbox.server import Sandbox

    home = tmp_path_factory.mktemp("doors")
    sandbox = Sandbox(home / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(home, sandbox)
    yield world
    world.end()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    """One server with a secret, for all tests here."""
    with Served(world, "--origin", "https://panel.example", "--linkings", "3", JWT_SECRET=SECRET) as server:
        yield server
        assert server.stop() == 0


def token(owner: str, role: str = "user", seconds: float = 60) -> str:
    return make(SECRET, owner, role, seconds)


def named(body: dict[str, Any]) -> tuple[int, str]:
    return body["status"], body["name"]


class TestWho:
    def test_an_owner_sees_only_their_own_and_an_admin_all(self, server: Served) -> None:
        server.post("accounts", {"number": NUMBER}, token=token("alice"))
        server.post("accounts", {"number": OTHER}, token=token("bob"))
        for who, seen in (
            (token("alice"), [NUMBER]),
            (token("bob"), [OTHER]),
            (token("root", "admin"), [NUMBER, OTHER]),
        ):
            for path in ("accounts", "sessions"):
                assert [one["clientId"] for one in server.get(path, token=who)[path]] == seen
        for method, path in (
            ("GET", f"session-status/{NUMBER}"),
            ("GET", f"accounts/{NUMBER}/backups"),
            ("GET", f"accounts/{NUMBER}/events"),
            ("GET", f"accounts/{NUMBER}/qr"),
            ("GET", f"accounts/{NUMBER}/qr.png"),
            ("POST", f"accounts/{NUMBER}/start"),
            ("POST", f"accounts/{NUMBER}/stop"),
            ("POST", f"accounts/{NUMBER}/logout"),
            ("POST", f"accounts/{NUMBER}/backup"),
            ("POST", f"accounts/{NUMBER}/restore"),
            ("POST", f"accounts/{NUMBER}/pairing-code"),
            ("POST", f"restore-session/{NUMBER}"),
            ("DELETE", f"accounts/{NUMBER}"),
        ):
            answered = server.ask(method, path, token=token("bob"))
            assert named(answered.json) == (404, "SessionNotFound"), path
        assert named(server.ask("GET", "/metrics", token=token("bob")).json) == (403, "NotAllowed")
        assert b"linda_accounts" in server.ask("GET", "/metrics", token=token("root", "admin")).body

    def test_a_number_of_somebody_else_is_not_given_to_whoever_names_it(self, server: Served) -> None:
        stolen = server.ask("POST", "accounts", {"number": "971505760070", "owner": "alice"}, token=token("bob"))
        assert named(stolen.json) == (403, "NotAllowed")
        given = server.post("accounts", {"number": "971505760070", "owner": "carol"}, token=token("root", "admin"))
        assert given["owner"] == "carol"

    def test_a_token_that_is_missing_expired_forged_or_endless_is_refused(self, server: Served) -> None:
        def unsigned(**claims: object) -> str:
            parts = ({"alg": "none", "typ": "JWT"}, claims)
            return (
                ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + "."
            )

        soon = time.time() + 60
        for bad in (
            None,
            "nonsense",
            token("alice", seconds=-1),
            make("another secret of more than sixty-four bytes, which is of no use here at all", "alice", "admin", 60),
            unsigned(sub="alice", exp=soon),
            jwt.encode({"sub": "alice"}, SECRET, "HS256"),
            jwt.encode({"exp": soon}, SECRET, "HS256"),
            jwt.encode({"sub": "alice", "exp": soon, "role": "god"}, SECRET, "HS256"),
            jwt.encode({"sub": "alice", "exp": soon}, SECRET, "HS512"),
        ):
            answered = server.ask("GET", "accounts", token=bad)
            assert named(answered.json) == (401, "NotAuthenticated"), bad
            assert answered.headers["www-authenticate"] == "Bearer"
            assert answered.headers["content-type"] == "application/problem+json"
        assert server.get("health")["status"] == "ok"

    def test_linda_token_makes_one_that_opens_the_door(self, server: Served, linda: Linda) -> None:
        made = linda.run("token", "--owner", "alice", "--lasts", "1h", JWT_SECRET=SECRET)
        assert made.code == 0
        assert server.get("accounts", token=made.out.strip())["version"] == 1
        assert linda.run("token", "--owner", "alice").code == 2
        assert linda.run("token", "--role", "god", JWT_SECRET=SECRET).code == 2

    def test_without_a_secret_everyone_local_is_the_owner_local_and_may_all(self) -> None:
        assert Authenticator((), NothingRevoked()).authenticate(None) == Principal("local", True)

    def test_without_a_secret_it_listens_on_loopback_only(self, linda: Linda) -> None:
        refused = linda.run("serve", "--host", "0.0.0.0", "--json")
        assert refused.code == 2
        assert "JWT_SECRET" in refused.json["error"]["message"]
        for host in ("127.0.0.1", "localhost", "::1"):
            Settings(host=host).check()


class TestGate:
    def test_a_foreign_host_is_refused(self, server: Served) -> None:
        assert named(server.ask("GET", "accounts", Host="evil.example").json) == (400, "Misused")
        port = server.url.rsplit(":", 1)[1].strip("/")
        assert server.ask("GET", "health", Host=f"localhost:{port}").status == 200

    def test_a_page_of_another_origin_may_neither_ask_nor_connect(self, server: Served) -> None:
        for path in ("/whatsapp/health", "/socket.io/?EIO=4&transport=polling"):
            assert server.ask("GET", path, Origin="https://evil.example").status == 403
            assert server.ask("GET", path, Origin="null").status == 403
            own = server.ask("GET", path, Origin=server.url.rstrip("/"))
            assert own.status == 200
        allowed = server.ask("GET", "health", Origin="https://panel.example")
        assert allowed.headers["access-control-allow-origin"] == "https://panel.example"
        upgrade = (
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Origin: {}\r\n\r\n"
        )
        port = int(server.url.rsplit(":", 1)[1].strip("/"))
        for origin, answered in (("https://evil.example", b"403"), ("https://panel.example", b"101")):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
                line.sendall(upgrade.format(origin).encode())
                assert line.recv(100).split()[1] == answered

    def test_answers_carry_what_keeps_a_browser_careful(self, server: Served) -> None:
        page = server.ask("GET", "/")
        assert page.status == 200
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


class TestAnswers:
    def test_errors_are_problem_details(self, server: Served) -> None:
        server.token = token("root", "admin")
        for method, path, body, status, name in (
            ("GET", "session-status/971500000000", None, 404, "SessionNotFound"),
            ("GET", "session-status/12", None, 400, "BadNumber"),
            ("GET", "session-status/..%2f..%2fetc", None, 404, None),
            ("POST", "accounts", {"number": "012345678"}, 400, "BadNumber"),
            ("POST", "accounts", {}, 400, "Misused"),
            ("POST", "accounts", {"number": NUMBER, "sudo": True}, 400, "Misused"),
            ("POST", f"accounts/{NUMBER}/start", {"linkWith": "smoke"}, 400, "Misused"),
            ("GET", f"accounts/{NUMBER}/events?limit=0", None, 400, "Misused"),
            ("GET", f"accounts/{NUMBER}/qr", None, 404, "NotFound"),
            ("GET", f"accounts/{NUMBER}/qr.png", None, 404, "NotFound"),
            ("POST", f"accounts/{NUMBER}/backup", None, 404, "SessionNotFound"),
            ("POST", f"accounts/{NUMBER}/restore", {"backup": "../../etc"}, 404, "BackupNotFound"),
            ("DELETE", "webhooks/none", None, 404, "NotFound"),
            ("GET", "nothing", None, 404, None),
            ("PUT", "accounts", None, 405, None),
        ):
            server.ask("POST", "accounts", {"number": NUMBER, "owner": "alice"})
            answered = server.ask(method, path, body)
            assert answered.headers["content-type"] == "application/problem+json", path
            told = answered.json
            assert (answered.status, told["status"], told.get("name")) == (status, status, name), (path, told)
            assert told["title"]
        assert server.ask("POST", "accounts", {"number": "+971 50 576 0099"}).json["clientId"] == "971505760099"
        server.token = None

    def test_openapi_names_every_path_of_the_documents(self, server: Served) -> None:
        assert server.ask("GET", "/docs").status == 200
        paths = json.loads(server.ask("GET", "/openapi.json").body)["paths"]
        account = "/whatsapp/accounts/{client_id}"
        wanted = {
            "/whatsapp/restore-session/{client_id}": "post", "/whatsapp/restored-sessions": "get",
            "/whatsapp/session-status/{client_id}": "get", "/whatsapp/sessions": "get", "/whatsapp/health": "get",
            "/whatsapp/accounts": "post", account: "delete", f"{account}/start": "post", f"{account}/stop": "post",
            f"{account}/logout": "post", f"{account}/backup": "post", f"{account}/restore": "post",
            f"{account}/pairing-code": "post",
            f"{account}/backups": "get", f"{account}/qr": "get", f"{account}/qr.png": "get",
        }  # fmt: skip
        assert all(method in paths.get(path, {}) for path, method in wanted.items())

    def test_every_failure_has_its_status_and_its_exit_code(self) -> None:
        def below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
            yield kind
            for one in kind.__subclasses__():
                yield from below(one)

        for kind in below(errors.LindaError):
            if kind.__module__ != errors.__name__:
                continue
            told = problems.details(kind("what", "how"), "/where")  # type: ignore[call-arg]
            assert 400 <= told["status"] < 600
            assert kind is errors.LindaError or any(one in problems.STATUS for one in kind.__mro__[:2]), kind
            assert told["name"] == kind.__name__
            assert re.fullmatch(r"urn:linda:problem:\w+", told["type"])
            assert told["title"]
            assert (told["detail"], told["hint"], told["instance"]) == ("what", "how", "/where")

    def test_a_port_that_is_taken_and_a_home_that_is_served_are_in_use(self, server: Served, world: World) -> None:
        second = world.linda.run("serve", "--port", "0")
        assert second.code == 11
        assert f"pid {server.process.pid}" in second.err
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            elsewhere = Linda(world.home / "elsewhere").run("serve", "--port", port)
        assert elsewhere.code == 11
        assert port in elsewhere.err


class TestLinkingLimit:
    def test_tries_are_counted_by_owner_and_the_answer_says_when_again(self) -> None:
        limit = RateLimit(2)
        limit.hit("alice")
        limit.hit("alice")
        limit.hit("bob")
        with pytest.raises(errors.TooManyTries) as refused:
            limit.hit("alice")
        assert 1 <= int(str(refused.value.facts["retryAfter"])) <= 600
        for _ in range(50):
            RateLimit(0).hit("alice")

    def test_it_is_429_at_the_door_and_asking_twice_for_one_linking_counts_once(self, server: Served) -> None:
        alice, number = token("alice"), "971505760088"
        server.post("accounts", {"number": number}, token=alice)
        for _ in range(3):
            server.post(f"accounts/{number}/start", token=alice)
            server.post(f"accounts/{number}/start", token=alice)
            server.post(f"accounts/{number}/stop", token=alice)
        refused = server.ask("POST", f"accounts/{number}/start", token=alice)
        assert named(refused.json) == (429, "TooManyTries")
        assert 1 <= int(refused.headers["retry-after"]) <= 600
        # Nothing is saved: there is nothing to bring up silently.
        assert server.ask("POST", f"restore-session/{number}", token=alice).status == 404


def test_as_many_come_up_at_once_as_wait_for_half_their_time_on_every_core(linda: Linda) -> None:
    assert Settings().at_once == 2 * len(os.sched_getaffinity(0))
    refused = linda.run("serve", "--at-once", "0", "--json")
    assert (refused.code, refused.json["error"]["message"]) == (2, "a time or a count is too small")


_WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from linda_cli.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["fastapi", "jwt", "sqlalchemy"])
@pytest.mark.parametrize("verb", ["serve", "token"])
def test_without_the_extra_the_command_to_install_it_is_named(verb: str, name: str, world: World) -> None:
    code = _WITHOUT.replace("{name}", name, 1)
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(world.home), verb],
        env={**os.environ, "JWT_SECRET": SECRET}, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"linda: linda {verb} needs {name}, which is not installed"
    assert installation.install_extra("server") in done.stderr


def test_the_database_and_the_log_of_a_server_lie_in_its_home(server: Served, world: World) -> None:
    home = Home(world.inner, world.inner / "sessions")
    assert home.database.is_file()
