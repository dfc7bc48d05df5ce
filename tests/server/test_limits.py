"""Limits before trust: what is refused before a token is looked at, however it is sent."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.sync.client import connect

from linda_cli.errors import Misused
from linda_cli.server.config import Settings
from linda_cli.server.http_protocol import most_connections
from linda_cli.server.middleware import Request, _Rules
from tests.linda import COMMAND, NUMBER, Linda, World
from tests.server.served import Client, Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from linda_cli.sandbox.server import Sandbox

    home = tmp_path_factory.mktemp("limits")
    sandbox = Sandbox(home / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(home, sandbox)
    yield world
    world.end()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    with Served(world, JWT_SECRET=SECRET) as server:
        yield server


def port_of(server: Served) -> int:
    return int(server.url.rsplit(":", 1)[1].strip("/"))


def raw(server: Served, data: bytes, seconds: float = 20, more: bytes = b"") -> tuple[bytes, float]:
    """What a connection answers to these bytes until it is closed, and how long that took."""
    began, answered = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=seconds) as line:
        line.sendall(data)
        with contextlib.suppress(ConnectionError):
            if more:
                line.sendall(more)
            while chunk := line.recv(65536):
                answered += chunk
                if b"\r\n\r\n" in answered and b"connection: close" not in answered.lower():
                    break
    return answered, time.monotonic() - began


def status(answered: bytes) -> int:
    return int(answered.split()[1])


POST = b"POST /whatsapp/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


class TestBodies:
    def test_a_large_body_is_413_before_it_is_read_and_before_a_token_is_looked_at(self, server: Served) -> None:
        answered, took = raw(server, POST + b"Content-Length: 64001\r\n\r\n")
        assert status(answered) == 413
        assert took < 5
        assert b"application/problem+json" in answered

    def test_a_large_body_without_a_length_is_413_as_soon_as_it_is_too_large(self, server: Served) -> None:
        chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        answered, _ = raw(server, POST + b"Transfer-Encoding: chunked\r\n\r\n", more=chunk * 9)
        assert status(answered) == 413

    def test_the_largest_allowed_body_is_read_and_judged(self, server: Served) -> None:
        body = json.dumps({"number": "1" * 63_000}).encode()
        answered, _ = raw(server, POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert status(answered) == 401

    def test_long_polling_has_the_same_limit(self, server: Served) -> None:
        head = b"POST /socket.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        assert status(raw(server, head + b"Content-Length: 90000\r\n\r\n")[0]) == 413


class TestDeadlines:
    def test_headers_that_do_not_come_within_ten_seconds_end_the_connection(self, server: Served) -> None:
        for data in (b"", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "):
            _, took = raw(server, data, seconds=20)
            assert 8 < took < 16

    def test_headers_without_an_end_are_not_kept_in_memory(self, server: Served) -> None:
        answered, took = raw(server, b"GET /livez HTTP/1.1\r\n", more=b"X-Header: " + b"y" * 400_000)
        assert took < 8
        assert answered == b"" or status(answered) == 400

    @pytest.mark.parametrize("path", ["/socket.io/?EIO=4&transport=websocket"])
    def test_a_handshake_that_is_not_finished_within_thirty_seconds_ends(self, server: Served, path: str) -> None:
        upgrade = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port_of(server)), timeout=45) as line:
            line.sendall(upgrade.encode())
            while line.recv(4096):
                pass
        assert 25 < time.monotonic() - began < 50

    def test_a_client_that_does_not_say_who_it_is_is_disconnected(self, server: Served, client: Connect) -> None:
        began = time.monotonic()
        silent = client(server)
        silent.wait_for("client_disconnect", timeout=45)
        assert time.monotonic() - began > 25


def test_connections_beyond_the_cap_are_answered_503(world: World, tmp_path: object) -> None:
    assert most_connections(1024, 4) < 1024
    assert most_connections(65536, 200) == 20_000
    command = [
        "sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *COMMAND, "--home", str(world.home / "small"), "--json", "serve",
        "--sandbox", "--port", "0",
    ]  # fmt: skip
    with Served(world, command=command) as server:
        lines = []
        try:
            refused = 0
            for _ in range(200):
                line = socket.create_connection(("127.0.0.1", port_of(server)), timeout=5)
                lines.append(line)
            time.sleep(0.5)
            for line in lines[-20:]:
                line.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    refused += b"503" in line.recv(64)
            assert refused > 0
        finally:
            for line in lines:
                line.close()
        deadline = time.monotonic() + 10
        while server.ask("GET", "/livez").status != 200:
            assert time.monotonic() < deadline


def test_reserved_event_names_from_a_client_are_refused_and_the_count_is_right(server: Served) -> None:
    def clients() -> float:
        from linda_cli.server.auth import make

        body = server.ask("GET", "/metrics", token=make(SECRET, "root", "admin", 60)).body.decode()
        return float(body.split("\nlinda_socket_clients ")[1].split("\n")[0])

    before = clients()
    where = f"{server.url.replace('http', 'ws')}socket.io/?EIO=4&transport=websocket"
    for name in ("connect", "disconnect", "connect_error", "xyz"):
        with connect(where) as line:
            line.recv()
            for _ in range(3):
                line.send("40/whatsapp,")
                line.send(f'42/whatsapp,["{name}",{{}}]')
                line.send(f'42/whatsapp,7["{name}"]')
            line.recv()
            time.sleep(0.2)
            assert clients() == before + 1
    deadline = time.monotonic() + 10
    while clients() != before:
        assert time.monotonic() < deadline, clients()
        time.sleep(0.1)


class TestOptions:
    @pytest.mark.parametrize("secret", ["", "   ", "short", "x" * 31])
    def test_a_blank_or_short_secret_is_exit_2_beyond_loopback(self, secret: str, tmp_path: object) -> None:
        from pathlib import Path

        refused = Linda(Path(str(tmp_path)) / "home").run("serve", "--host", "0.0.0.0", "--json", JWT_SECRET=secret)
        assert refused.code == 2
        assert "JWT_SECRET" in refused.json["error"]["message"]
        # A secret made for one command would be another one at the next.
        assert "JWT_SECRET_FILE" in refused.json["error"]["hint"]
        assert "$(openssl" not in refused.json["error"]["hint"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"origins": ("panel.example",)}, {"origins": ("https://",)}, {"origins": ("https://a b",)},
            {"origins": ("https://panel.example/path",)}, {"origins": ("ftp://panel.example",)}, {"origins": ("*",)},
            {"hosts": ("https://linda.example",)}, {"hosts": ("linda.example:8350",)}, {"hosts": ("a..b",)},
            {"hosts": ("",)}, {"hosts": ("-a.example",)}, {"proxies": ("nonsense",)}, {"root_path": "/a b"},
            {"root_path": "/../x"},
        ],
    )  # fmt: skip
    def test_a_malformed_origin_host_or_path_is_refused(self, wrong: dict[str, tuple[str, ...]]) -> None:
        with pytest.raises(Misused):
            Settings(**wrong).check()  # type: ignore[arg-type]

    def test_sound_ones_are_taken(self) -> None:
        Settings(
            origins=("https://panel.example", "http://localhost:3000", "https://[::1]:8443/"),
            hosts=("linda.example", "10.0.0.7", "::1"), proxies=("10.0.0.0/8", "127.0.0.1"), root_path="/linda",
        ).check()  # fmt: skip

    def test_every_address_of_both_families_is_listened_on(self, world: World) -> None:
        with Served(world, "--host", "::", command=[
            *COMMAND, "--home", str(world.home / "both"), "--json", "serve", "--sandbox", "--port", "0", "--host", "::",
        ], JWT_SECRET=SECRET) as server:  # fmt: skip
            port = int(server.url.rsplit(":", 1)[1].strip("/"))
            for host in ("127.0.0.1", "::1"):
                with socket.create_connection((host, port), timeout=5) as line:
                    line.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
                    assert b" 200 " in line.recv(200)


def request(path: str, peer: str = "127.0.0.1", method: str = "GET", **headers: str) -> Request:
    named = {key.replace("_", "-").encode(): [value] for key, value in headers.items()}
    return Request(method, path, "http", peer, {b"host": ["127.0.0.1:8350"], **named})


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (request("/whatsapp/accounts", sec_fetch_site="cross-site"), False),
        (request(f"/whatsapp/accounts/{NUMBER}/qr.png", sec_fetch_site="cross-site", sec_fetch_dest="image"), False),
        (request("/whatsapp/accounts", sec_fetch_site="same-site"), False),
        (request("/whatsapp/accounts", sec_fetch_site="same-origin"), True),
        (request("/whatsapp/accounts", sec_fetch_site="none"), True),
        (request("/whatsapp/accounts"), True),
        # A link from elsewhere to the page itself, and to nothing behind it.
        (request("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"), True),
        (request("/link", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"), True),
        (request("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"), False),
        (request("/metrics", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"), False),
        (request("/whatsapp/accounts", x_forwarded_for="203.0.113.5"), False),
        (request("/whatsapp/accounts", forwarded="for=203.0.113.5"), False),
        (request("/whatsapp/accounts", host="x@127.0.0.1"), False),
        (request("/whatsapp/accounts", host="127.0.0.1:port"), False),
        (request("/livez", host="evil.example"), True),
        (request("/readyz", host="x@y", method="HEAD"), True),
        (request("/whatsapp/health", host="10.0.0.9", x_forwarded_for="10.0.0.1"), True),
        (request("/whatsapp/health", origin="https://evil.example"), False),
    ],
)
def test_who_is_let_in_without_a_secret(asked: Request, allowed: bool) -> None:
    headers = dict(asked.headers)
    assert (
        _Rules(Settings()).problem(Request(asked.method, asked.path, asked.scheme, asked.peer, headers)) is None
    ) is allowed


def test_two_host_headers_are_refused(server: Served) -> None:
    answered, _ = raw(server, b"GET /whatsapp/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n")
    assert status(answered) == 400
    assert status(raw(server, b"GET /whatsapp/accounts HTTP/1.1\r\nHost: x@127.0.0.1\r\n\r\n")[0]) == 400


def test_forwarded_headers_of_a_proxy_that_is_known_are_believed() -> None:
    rules = _Rules(Settings(jwt_secrets=(SECRET,), proxies=("10.0.0.0/8",), hosts=("linda.example",)))
    through = {"x_forwarded_host": "linda.example", "x_forwarded_proto": "https", "origin": "https://linda.example"}
    assert rules.problem(request("/whatsapp/accounts", peer="10.1.2.3", **through)) is None
    unknown = rules.problem(request("/whatsapp/accounts", peer="203.0.113.9", **through))
    assert unknown is not None
    assert "--behind-proxy 203.0.113.9/32" in unknown.hint
    foreign = rules.problem(request("/", peer="10.1.2.3", x_forwarded_host="evil.example"))
    assert foreign is not None


def test_answers_carry_what_keeps_them_from_other_pages_and_caches(server: Served) -> None:
    page = server.ask("GET", "/")
    api = server.ask("GET", "accounts")
    for answered in (page, api):
        assert answered.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'self'" in answered.headers["content-security-policy"]
    assert api.headers["cache-control"] == "no-store"
