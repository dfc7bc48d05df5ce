"""Webhooks against a real receiver on loopback, and against where they must not go."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from linda_cli.errors import LindaError, Misused, NotAllowed, NotFound
from linda_cli.lifecycle.events import event
from linda_cli.server.database import connect
from linda_cli.server.tokens import Caller
from linda_cli.server.webhooks import WAITING, Pace, Webhooks
from linda_cli.sessions.home import Home
from tests.linda import NUMBER, World
from tests.server.served import Served

ALICE, BOB = Caller("alice"), Caller("bob")
LOOPBACK = ("127.0.0.0/8",)


class Receiver:
    """Keeps what it is sent. ``answers``: the status codes to give first, 200 after them."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        self._changed = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hold.wait(30)
                with outer._changed:
                    outer.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                    status = outer.answers.pop(0) if outer.answers else 200
                    outer._changed.notify_all()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook?from=linda"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, count: int, timeout: float = 20) -> list[dict[str, Any]]:
        """The first ``count`` deliveries, tried ones included."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, timeout), f"{len(self.got)} of {count}"
            return [json.loads(body) for _, body in self.got[:count]]

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    home = Home(tmp_path / "home", tmp_path / "home" / "sessions")
    home.make()
    engine = connect(None, home)
    yield engine
    engine.dispose()


@pytest.fixture
def make(engine: Engine) -> Iterator[Callable[..., Webhooks]]:
    made: list[Webhooks] = []

    def build(networks: tuple[str, ...] = LOOPBACK, pace: Pace | None = None) -> Webhooks:
        made.append(Webhooks(engine, lambda number: "alice", networks, pace or Pace(first=0.05, cap=0.1)))
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_an_event_is_posted_with_a_signature_over_time_and_body(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    _, secret = hooks.add(ALICE, receiver.url, [])
    hooks(event("ready", NUMBER, {"isRestored": True}))
    assert receiver.wait_for(1)[0]["isRestored"] is True
    headers, body = receiver.got[0]
    signed = headers["x-linda-timestamp"].encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-linda-signature"] == f"sha256={wanted}"
    assert headers["content-type"] == "application/json"
    assert abs(time.time() - int(headers["x-linda-timestamp"])) < 60


def test_a_delivery_that_failed_is_tried_again_in_order(make: Callable[..., Webhooks], receiver: Receiver) -> None:
    hooks = make()
    receiver.answers = [500, 302, 429]
    hooks.add(ALICE, receiver.url, [])
    hooks(event("disconnected", NUMBER, {"reason": "offline"}))
    hooks(event("reconnected", NUMBER, {"via": "page"}))
    names = [one["event"] for one in receiver.wait_for(5)]
    # A redirect is no delivery either, and nobody went where it leads.
    assert names == ["disconnected"] * 4 + ["reconnected"]


def test_an_event_is_given_up_after_so_many_tries_and_the_next_one_comes(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make(pace=Pace(first=0.01, cap=0.01, tries=3))
    receiver.answers = [500] * 3
    hooks.add(ALICE, receiver.url, [])
    hooks(event("disconnected", NUMBER, {"reason": "offline"}))
    hooks(event("reconnected", NUMBER, {"via": "page"}))
    assert [one["event"] for one in receiver.wait_for(4)] == ["disconnected"] * 3 + ["reconnected"]


def test_a_receiver_that_hangs_holds_up_neither_the_session_nor_another_webhook(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    slow = Receiver()
    slow.hold.clear()
    try:
        hooks.add(ALICE, slow.url, [])
        hooks.add(ALICE, receiver.url, [])
        began = time.monotonic()
        for count in range(WAITING + 50):
            hooks(event("syncing", NUMBER, {"percent": count}))
        # Passing on does not wait for anybody: what one hangs with would take 10 s each.
        assert time.monotonic() - began < 10
        assert receiver.wait_for(1)[0]["event"] == "syncing"
        assert slow.got == []
    finally:
        slow.close()


def test_only_the_owners_events_and_only_those_that_were_asked_for(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    theirs = Receiver()
    try:
        hooks.add(BOB, theirs.url, [])
        hooks.add(ALICE, receiver.url, ["logged_out"])
        hooks(event("ready", NUMBER, {}))
        hooks(event("logged_out", NUMBER, {"reason": "by the phone"}))
        assert receiver.wait_for(1)[0]["event"] == "logged_out"
        assert theirs.got == []
    finally:
        theirs.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1/hook", NotAllowed),
        ("http://localhost/hook", NotAllowed),
        ("http://[::1]/hook", NotAllowed),
        ("http://[::ffff:127.0.0.1]/hook", NotAllowed),
        ("http://0.0.0.0/hook", NotAllowed),
        ("http://2130706433/hook", NotAllowed),
        ("http://169.254.169.254/latest/meta-data", NotAllowed),
        ("http://10.1.2.3/hook", NotAllowed),
        ("http://192.168.0.1/hook", NotAllowed),
        ("http://[fd00::1]/hook", NotAllowed),
        ("file:///etc/passwd", Misused),
        ("gopher://example.org/", Misused),
        ("http://user:geheim@example.org/", Misused),
        ("http://example.org:99999/", Misused),
        ("http:///hook", Misused),
        ("nonsense", Misused),
    ],
)
def test_a_webhook_does_not_go_inside_nor_where_it_makes_no_sense(
    make: Callable[..., Webhooks], url: str, kind: type[LindaError]
) -> None:
    hooks = make(networks=())
    with pytest.raises(kind):
        hooks.add(ALICE, url, [])
    assert hooks.of(ALICE) == []


def test_a_name_that_leads_inside_later_is_not_followed(
    make: Callable[..., Webhooks], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    leads_to = ["93.184.216.34"]

    def lookup(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to[0], port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    hooks = make(networks=(), pace=Pace(first=0.01, cap=0.01, tries=5))
    hooks.add(ALICE, f"http://rebinding.example:{receiver.port}/hook", [])
    leads_to[0] = "127.0.0.1"
    hooks(event("ready", NUMBER, {}))
    time.sleep(0.3)
    assert receiver.got == []


def test_webhooks_outlive_the_server_until_they_are_removed(
    make: Callable[..., Webhooks], receiver: Receiver, engine: Engine
) -> None:
    hook, _ = make().add(ALICE, receiver.url, ["ready"])
    again = make()
    assert again.of(ALICE) == [hook]
    assert again.of(BOB) == []
    with pytest.raises(NotFound):
        again.remove(BOB, hook.id)
    again.remove(ALICE, hook.id)
    again(event("ready", NUMBER, {}))
    assert make().of(Caller("root", True)) == []
    assert receiver.got == []


def test_a_real_session_is_told_by_webhook(linked: World, receiver: Receiver) -> None:
    with Served(linked, "--restore-after", "1", "--webhook-to", "127.0.0.1/32") as server:
        made = server.post("webhooks", {"url": receiver.url, "events": ["ready", "saved", "stopped"]})
        assert made["secret"]
        assert "secret" not in server.get("webhooks")["webhooks"][0]
        server.wait_for("saved")
        told = receiver.wait_for(2)
        assert [(one["event"], one["session"]) for one in told] == [("ready", NUMBER), ("saved", NUMBER)]
        assert told[0] == next({**one, "debuggerAddress": told[0]["debuggerAddress"]} for one in server.all("ready"))
        gone = server.post("webhooks", {"url": receiver.url})
        assert server.ask("DELETE", f"webhooks/{gone['id']}").status == 204
        assert [one["id"] for one in server.get("webhooks")["webhooks"]] == [made["id"]]
        assert server.stop() == 0
        assert receiver.wait_for(3)[2]["event"] == "stopped"
