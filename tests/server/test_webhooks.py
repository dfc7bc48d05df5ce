"""Webhooks against a real receiver on loopback, and against where they must not go."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from linda_cli.errors import InUse, LindaError, Misused, NotAllowed, NotFound
from linda_cli.lifecycle.events import event
from linda_cli.server.auth import Principal
from linda_cli.server.db.engine import connect
from linda_cli.server.db.gateway import Database
from linda_cli.server.event_bus import Published
from linda_cli.server.webhooks.addresses import may_go, parse
from linda_cli.server.webhooks.line import WAITING, Pace
from linda_cli.server.webhooks.service import Webhooks
from linda_cli.sessions.home import Home
from tests.linda import NUMBER, World
from tests.server.served import Served

ALICE, BOB = Principal("alice"), Principal("bob")
LOOPBACK = ("127.0.0.0/8",)


class Receiver:
    """Keeps what it is sent. ``answers``: the status codes to give first, 200 after them."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.body = b""
        self.drip = 0.0
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
                if outer.body:
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    if not outer.drip:
                        self.wfile.write(outer.body)
                    for at in range(len(outer.body) if outer.drip else 0):
                        self.wfile.write(outer.body[at : at + 1])
                        time.sleep(outer.drip)

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


def until(wanted: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
def make(engine: Engine, said: list[str]) -> Iterator[Callable[..., Webhooks]]:
    made: list[tuple[Webhooks, Database]] = []

    def build(networks: tuple[str, ...] = LOOPBACK, pace: Pace | None = None) -> Webhooks:
        database = Database(engine, lambda _: None)
        hooks = Webhooks(database, "home", said.append, networks, pace or Pace(first=0.05, cap=0.1))
        made.append((hooks, database))
        return hooks

    yield build
    for hooks, database in made:
        hooks.close()
        database.close()


@pytest.fixture
def said() -> list[str]:
    """Lines for the log."""
    return []


def tell(hooks: Webhooks, name: str, facts: dict[str, Any], owner: str = "alice") -> None:
    hooks(Published(event(name, NUMBER, facts), owner))


def test_an_event_is_posted_with_a_signature_over_time_and_body(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    _, secret = hooks.add(ALICE, receiver.url, [])
    tell(hooks, "ready", {"isRestored": True})
    assert receiver.wait_for(1)[0]["isRestored"] is True
    headers, body = receiver.got[0]
    signed = headers["x-linda-timestamp"].encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-linda-signature"] == f"sha256={wanted}"
    assert headers["content-type"] == "application/json"
    assert abs(time.time() - int(headers["x-linda-timestamp"])) < 60


def test_a_delivery_that_failed_is_tried_again_until_it_is_taken(
    make: Callable[..., Webhooks], receiver: Receiver, said: list[str]
) -> None:
    hooks = make()
    # A redirect is no delivery either, and nobody goes where it leads.
    receiver.answers = [500, 302, 429]
    hook, _ = hooks.add(ALICE, receiver.url, [])
    tell(hooks, "disconnected", {"reason": "offline"})
    told = receiver.wait_for(4)
    assert [one["event"] for one in told] == ["disconnected"] * 4
    assert len({one["deliveryId"] for one in told}) == len({one["eventId"] for one in told}) == 1
    until(lambda: hooks.get(ALICE, hook.id).failing_since is None)
    now = hooks.get(ALICE, hook.id)
    assert (now.last_status, now.waiting, now.dropped) == (200, 0, 0)
    assert [one for one in said if "fails" in one] == [f"webhook {hook.id} of 'alice' fails: 500; it is tried again"]


def test_an_event_that_is_refused_does_not_hold_up_the_next(make: Callable[..., Webhooks], receiver: Receiver) -> None:
    hooks = make(pace=Pace(first=30.0, cap=1800.0))
    receiver.answers = [422]
    hook, _ = hooks.add(ALICE, receiver.url, [])
    tell(hooks, "disconnected", {"reason": "this one is refused"})
    for _ in range(3):
        tell(hooks, "reconnected", {"via": "page"})
    assert [one["event"] for one in receiver.wait_for(4)] == ["disconnected"] + ["reconnected"] * 3
    until(lambda: hooks.get(ALICE, hook.id).waiting == 1)


def test_an_event_is_given_up_after_so_many_tries_and_that_is_said(
    make: Callable[..., Webhooks], receiver: Receiver, said: list[str]
) -> None:
    hooks = make(pace=Pace(first=0.01, cap=0.01, tries=3))
    receiver.answers = [500] * 3
    hook, _ = hooks.add(ALICE, receiver.url, [])
    tell(hooks, "disconnected", {"reason": "offline"})
    until(lambda: hooks.get(ALICE, hook.id).dropped == 1)
    assert said[-1] == f"webhook {hook.id} of 'alice': disconnected was given up: 500"
    assert hooks.get(ALICE, hook.id).failing_since is not None
    tell(hooks, "reconnected", {"via": "page"})
    assert receiver.wait_for(4)[3]["event"] == "reconnected"


def test_what_waits_survives_a_restart_and_a_receiver_that_was_away(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    first = make(pace=Pace(first=60.0))
    receiver.answers = [503] * 2
    hook, _ = first.add(ALICE, receiver.url, [])
    tell(first, "disconnected", {"reason": "offline"})
    tell(first, "logged_out", {"reason": "by the phone"})
    before = receiver.wait_for(2)
    first.close(1.0)
    again = make()
    after = receiver.wait_for(4)[2:]
    assert [one["event"] for one in after] == ["disconnected", "logged_out"]
    assert {one["deliveryId"] for one in after} == {one["deliveryId"] for one in before}
    until(lambda: again.get(ALICE, hook.id).waiting == 0)
    again.close(1.0)
    third = make()
    assert third.get(ALICE, hook.id).waiting == 0


def test_an_answer_is_bounded_in_bytes_and_in_time_and_never_decompressed(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    receiver.body = gzip.compress(b"0" * 50_000_000)
    hook, _ = hooks.add(ALICE, receiver.url, [])
    began = time.monotonic()
    assert hooks.test(ALICE, hook.id).delivered
    assert time.monotonic() - began < 5
    # One that drips for ever is cut off after the whole try's time.
    receiver.body, receiver.drip = b"x" * 10_000, 0.2
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linda_cli.server.webhooks.service.WITHIN", 1.0)
        hooks.test(ALICE, hook.id)
    assert time.monotonic() - began < 5


def test_a_test_delivery_tells_how_it_went(make: Callable[..., Webhooks], receiver: Receiver) -> None:
    hooks = make()
    hook, _ = hooks.add(ALICE, receiver.url, ["ready"])
    assert hooks.test(ALICE, hook.id).delivered
    assert receiver.wait_for(1)[0]["event"] == "test"
    assert receiver.got[0][0]["x-linda-event-id"] == receiver.wait_for(1)[0]["eventId"]
    assert receiver.got[0][0]["x-linda-delivery-id"] == receiver.wait_for(1)[0]["deliveryId"]
    receiver.answers = [404]
    assert (hooks.test(ALICE, hook.id).status, hooks.test(ALICE, hook.id).delivered) == (404, True)
    receiver.close()
    gone = hooks.test(ALICE, hook.id)
    assert (gone.delivered, gone.status, gone.problem) == (False, None, "no answer: ConnectionRefusedError")


def test_what_makes_no_sense_is_refused_and_the_same_twice_is_a_conflict(
    make: Callable[..., Webhooks], receiver: Receiver
) -> None:
    hooks = make()
    with pytest.raises(Misused):
        hooks.add(ALICE, receiver.url, ["reddy"])
    hook, _ = hooks.add(ALICE, receiver.url, ["ready", "ready"])
    assert hook.events == ("ready",)
    with pytest.raises(InUse):
        hooks.add(ALICE, receiver.url, [])
    # It is another owner's business what they are told.
    other, _ = hooks.add(BOB, receiver.url, [])
    changed = hooks.change(ALICE, hook.id, None, ["logged_out"])
    assert (changed.events, changed.url) == (("logged_out",), hook.url)
    moved = hooks.change(ALICE, hook.id, receiver.url + "&more", None)
    assert make().get(ALICE, hook.id).url == moved.url
    with pytest.raises(NotFound):
        hooks.change(ALICE, other.id, None, [])


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.0.0.1", False),
        ("100.64.0.1", False), ("169.254.169.254", False), ("0.0.0.0", False), ("255.255.255.255", False),
        ("224.0.0.1", False), ("ff02::1", False), ("ff0e::1", False), ("fe80::1", False), ("fec0::1", False),
        ("fd00::1", False), ("::1", False), ("::", False), ("::ffff:10.0.0.1", False), ("::ffff:93.184.216.34", True),
        # IPv4-compatible, NAT64, 6to4 and Teredo lead to what they wrap.
        ("::10.0.0.1", False), ("::127.0.0.1", False), ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::93.184.216.34", True), ("64:ff9b:1::a00:1", False), ("2002:a00:1::1", False),
        ("2002:7f00:1::", False), ("2001:0:4136:e378:8000:63bf:f5ff:fffe", False),
    ],
)  # fmt: skip
def test_an_address_is_judged_by_what_it_wraps(address: str, allowed: bool) -> None:
    assert may_go(ipaddress.ip_address(address), ()) is allowed


def test_a_network_that_was_allowed_is_allowed_also_when_it_is_wrapped() -> None:
    inside = (ipaddress.ip_network("10.0.0.0/8"),)
    assert may_go(ipaddress.ip_address("10.1.2.3"), inside)
    assert may_go(ipaddress.ip_address("::ffff:10.1.2.3"), inside)
    assert not may_go(ipaddress.ip_address("192.168.0.1"), inside)
    assert not may_go(ipaddress.ip_address("224.0.0.1"), (ipaddress.ip_network("0.0.0.0/0"),))


def test_a_host_name_outside_ascii_is_idna_and_a_label_too_long_is_none() -> None:
    assert parse("https://b\u00fccher.example/hook").geturl() == "https://xn--bcher-kva.example/hook"
    assert parse("https://\u4f8b\u5b50.example:8443/h").netloc == "xn--fsqu00a.example:8443"
    for url in (f"https://{'a' * 64}.example/", "https://a..example/", "https://\u00fc\u0000.example/", "https://[::1"):
        with pytest.raises(Misused):
            parse(url)


def test_a_refusal_does_not_tell_what_a_name_resolves_to(
    make: Callable[..., Webhooks], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("10.20.30.40", 80))])
    with pytest.raises(NotAllowed) as refused:
        make(networks=()).add(ALICE, "http://intranet.example/hook", [])
    assert "10.20" not in f"{refused.value.message} {refused.value.hint}"


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
            tell(hooks, "syncing", {"percent": count})
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
        tell(hooks, "ready", {})
        tell(hooks, "logged_out", {"reason": "by the phone"})
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
    tell(hooks, "ready", {})
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
    tell(again, "ready", {})
    assert make().of(Principal("root", True)) == []
    assert receiver.got == []


def test_a_real_session_is_told_by_webhook(linked: World, receiver: Receiver) -> None:
    with Served(linked, "--restore-after", "5", "--webhook-to", "127.0.0.1/32") as server:
        made = server.post("webhooks", {"url": receiver.url, "events": ["ready", "saved", "stopped"]})
        assert made["secret"]
        assert "secret" not in server.get("webhooks")["webhooks"][0]
        server.wait_for("saved")
        told = receiver.wait_for(2)
        assert [(one["event"], one["session"]) for one in told] == [("ready", NUMBER), ("saved", NUMBER)]
        sent = {key: value for key, value in told[0].items() if key not in ("eventId", "deliveryId")}
        assert sent == next({**one, "debuggerAddress": sent["debuggerAddress"]} for one in server.all("ready"))
        assert server.ask("POST", "webhooks", {"url": receiver.url}).status == 409
        assert server.post(f"webhooks/{made['id']}/test")["delivered"] is True
        assert b'linda_webhook_deliveries_total{outcome="delivered"} 2.0' in server.ask("GET", "/metrics").body
        gone = server.post("webhooks", {"url": receiver.url + "&another"})
        assert server.ask("DELETE", f"webhooks/{gone['id']}").status == 204
        assert [one["id"] for one in server.get("webhooks")["webhooks"]] == [made["id"]]
        assert server.stop() == 0
        assert receiver.wait_for(4)[3]["event"] == "stopped"
