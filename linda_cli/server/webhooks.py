"""Webhooks: events by POST for those who hold no socket. Signed, retried, and never in a session's way."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import json
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import urllib3
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from linda_cli.errors import Misused, NotAllowed, NotFound
from linda_cli.lifecycle.events import Event
from linda_cli.server.models import WebhookRow
from linda_cli.server.payload import of_event
from linda_cli.server.tokens import Caller
from linda_cli.sessions.clock import iso

WAITING = 1000
"""Events that wait for one webhook; more than these push the oldest out, which is said."""

_TIMEOUT = urllib3.Timeout(connect=5, read=10)
_AT_MOST = 20
"""Webhooks of one owner."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between tries: ``first``, twice that, … ``cap``; after ``tries`` of them an event is given up."""

    first: float = 1.0
    cap: float = 600.0
    tries: int = 12


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an owner is told. ``events`` empty: of everything."""

    id: str
    owner: str
    url: str
    events: tuple[str, ...]
    created_at: str


class _Line:
    """The queue of one webhook and the thread that empties it, in order. One that hangs holds up nobody else."""

    def __init__(self, hook: Webhook, secret: str, deliver: Callable[[Webhook, str, bytes], None], pace: Pace) -> None:
        self.hook = hook
        self._secret = secret
        self._deliver = deliver
        self._pace = pace
        self._waiting: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.dropped = 0

    def put(self, body: bytes | None) -> None:
        """Never waits: where the line is full the oldest event goes."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"webhook-{self.hook.id}", daemon=True)
                self._thread.start()
        while True:
            try:
                self._waiting.put_nowait(body)
                return
            except queue.Full:
                self.dropped += 1
                with contextlib.suppress(queue.Empty):
                    self._waiting.get_nowait()
                    self._waiting.task_done()

    @property
    def idle(self) -> bool:
        """Whether all that was put here has been delivered or given up."""
        return self._waiting.unfinished_tasks == 0

    def close(self) -> None:
        """Try no more."""
        self._closing.set()
        self.put(None)

    def _run(self) -> None:
        while not self._closing.is_set():
            body = self._waiting.get()
            if body is None:
                return
            pause = self._pace.first
            for _ in range(self._pace.tries):
                try:
                    self._deliver(self.hook, self._secret, body)
                    break
                except (urllib3.exceptions.HTTPError, OSError, NotAllowed):
                    if self._closing.wait(pause):
                        return
                    pause = min(2 * pause, self._pace.cap)
            else:
                self.dropped += 1
            self._waiting.task_done()


class Webhooks:
    """Who wants to be told what. A listener of the hub."""

    def __init__(
        self,
        engine: Engine,
        owner_of: Callable[[str], str | None],
        networks: Sequence[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self._engine = engine
        self._owner_of = owner_of
        self._allowed = [ipaddress.ip_network(one) for one in networks]
        self._pace = pace or Pace()
        self._lines: dict[str, _Line] = {}
        with Session(engine) as session:
            for row in session.scalars(select(WebhookRow)):
                self._open(_webhook(row), row.secret)

    # -- whose

    def of(self, who: Caller) -> list[Webhook]:
        """The caller's webhooks; an admin sees everybody's."""
        return [line.hook for line in self._lines.values() if who.sees in (None, line.hook.owner)]

    def add(self, who: Caller, url: str, events: Sequence[str]) -> tuple[Webhook, str]:
        """Put a webhook on record and give it with its secret. Raises ``Misused``, ``NotAllowed``."""
        _checked(url)
        if any("," in one or not one.isidentifier() for one in events) or len(",".join(events)) > 1000:
            raise Misused('events are names, as in ["ready", "logged_out"]', "GET /docs")
        if sum(line.hook.owner == who.owner for line in self._lines.values()) >= _AT_MOST:
            raise Misused(f"{_AT_MOST} webhooks are the most", "DELETE /whatsapp/webhooks/ID")
        # Asked again at each delivery: where a name leads may change.
        self._address(urlsplit(url))
        row = WebhookRow(
            id=secrets.token_hex(8), owner=who.owner, url=url, secret=secrets.token_hex(32),
            events=",".join(events), created_at=datetime.now(UTC),
        )  # fmt: skip
        secret = row.secret
        hook = _webhook(row)
        with Session(self._engine) as session, session.begin():
            session.add(row)
        self._open(hook, secret)
        return hook, secret

    def remove(self, who: Caller, id_: str) -> None:
        """Tell that one no more. Raises ``NotFound``."""
        line = self._lines.get(id_)
        if line is None or who.sees not in (None, line.hook.owner):
            raise NotFound(f"there is no webhook {id_[:40]!r}", "GET /whatsapp/webhooks")
        with Session(self._engine) as session, session.begin():
            session.execute(delete(WebhookRow).where(WebhookRow.id == id_))
        del self._lines[id_]
        line.close()

    def _open(self, hook: Webhook, secret: str) -> None:
        self._lines[hook.id] = _Line(hook, secret, self._deliver, self._pace)

    def close(self, within: float = 0.0) -> None:
        """Try no more once all is delivered or ``within`` seconds are over; what still waits then is lost."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and not all(line.idle for line in list(self._lines.values())):
            time.sleep(0.02)
        for line in list(self._lines.values()):
            line.close()

    # -- telling

    def __call__(self, told: Event) -> None:
        """Put an event into the lines of those who want it; called from a run's thread, so it waits for nothing."""
        if told.session is None or not self._lines:
            return
        owner = self._owner_of(told.session)
        body: bytes | None = None
        for line in list(self._lines.values()):
            if line.hook.owner == owner and (not line.hook.events or told.event in line.hook.events):
                body = body or json.dumps(of_event(told)).encode()
                line.put(body)

    def _deliver(self, hook: Webhook, secret: str, body: bytes) -> None:
        """One try. Raises where it was not taken."""
        parts = urlsplit(hook.url)
        address = self._address(parts)
        moment = str(int(time.time()))
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "User-Agent": "linda",
            "X-Linda-Timestamp": moment,
            "X-Linda-Signature": f"sha256={signature(secret, moment, body)}",
        }
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        with _pool(parts, address) as pool:
            # No redirect is followed: it could lead inside.
            answered = pool.request("POST", path, body=body, headers=headers, redirect=False, retries=False)
        if not 200 <= answered.status < 300:
            raise urllib3.exceptions.HTTPError(f"answered {answered.status}")

    def _address(self, parts: SplitResult) -> str:
        """Where the host's name leads now; this very address is connected to. Raises ``NotAllowed`` for one inside."""
        try:
            found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
        except OSError as problem:
            raise NotAllowed(
                f"{parts.hostname} is not known: {problem.strerror}", "check the webhook's address"
            ) from None
        addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        for address in addresses:
            mapped = getattr(address, "ipv4_mapped", None) or address
            if not mapped.is_global and not any(mapped in network for network in self._allowed):
                raise NotAllowed(
                    f"{parts.hostname} is an address inside ({address}), where webhooks do not go",
                    f"linda serve --webhook-to {ipaddress.ip_network(address)}",
                )
        return str(addresses[0])


def signature(secret: str, moment: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body: what was recorded cannot be sent again later."""
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _pool(parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
    # Connected by address, so that the name is not looked up a second time; the certificate is checked for the name.
    if parts.scheme == "https":
        return urllib3.HTTPSConnectionPool(
            address, _port(parts), timeout=_TIMEOUT, server_hostname=parts.hostname, assert_hostname=parts.hostname
        )
    return urllib3.HTTPConnectionPool(address, _port(parts), timeout=_TIMEOUT)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _checked(url: str) -> None:
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("http", "https") and parts.hostname and _port(parts) and url.isprintable()
    except ValueError:
        well = False
    if not well or "@" in parts.netloc:
        raise Misused("a webhook is an address with http:// or https:// and no password in it", "GET /docs")


def _webhook(row: WebhookRow) -> Webhook:
    moment = iso(round(row.created_at.timestamp() * 1000))
    return Webhook(row.id, row.owner, row.url, tuple(filter(None, row.events.split(","))), moment)
