"""Whose webhooks there are, and what each wants to hear. A subscriber of the bus."""

from __future__ import annotations

import ipaddress
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from linda_cli.errors import InUse, Misused, NotFound
from linda_cli.lifecycle.events import event as event_of
from linda_cli.server.auth import Principal
from linda_cli.server.db.gateway import Database
from linda_cli.server.db.models import WebhookRow
from linda_cli.server.event_bus import Published
from linda_cli.server.serializers import of_event
from linda_cli.server.webhooks.addresses import Network, parse, resolve
from linda_cli.server.webhooks.events import EVENTS
from linda_cli.server.webhooks.journal import Delivery, Journal, now
from linda_cli.server.webhooks.line import Line, Pace
from linda_cli.server.webhooks.request import WITHIN, post, signature
from linda_cli.sessions.clock import iso

MOST = 20
"""Webhooks of one owner."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an owner is told. ``events`` empty: of everything. ``last_status``: an HTTP status, or why there was none;
    ``failing_since``: no try has been taken since; ``dropped``: events that were given up since the server started."""

    id: str
    owner: str
    url: str
    events: tuple[str, ...]
    created_at: str
    last_status: int | str | None = None
    last_at: str | None = None
    failing_since: str | None = None
    waiting: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test delivery was answered with."""

    delivered: bool
    status: int | None
    problem: str | None


@dataclass(slots=True)
class _Kept:
    id: str
    owner: str
    url: str
    secret: str
    events: tuple[str, ...]
    created_at: str
    line: Line


class Webhooks:
    """Every webhook of the database. ``say``: a line for the log; ``count``: (what became of a try) for metrics."""

    def __init__(
        self,
        database: Database,
        home: str,
        say: Callable[[str], None],
        networks: Sequence[str] = (),
        pace: Pace | None = None,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._say = say
        self._count = count
        self._allowed: tuple[Network, ...] = tuple(ipaddress.ip_network(one) for one in networks)
        self._pace = pace or Pace()
        self._journal = Journal(database.engine, home, say)
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        with Session(database.engine) as session:
            for row in session.scalars(select(WebhookRow).order_by(WebhookRow.created_at)):
                self._open(row.id, row.owner, row.url, row.secret, row.events, row.created_at)
        for delivery in self._journal.load():
            kept = self._kept.get(delivery.webhook)
            if kept is not None:
                kept.line.put(delivery)
            else:
                self._journal.remove(delivery.id)

    # -- whose

    def of(self, who: Principal) -> list[Webhook]:
        """The caller's webhooks; an admin sees everybody's."""
        with self._lock:
            return [_told(one) for one in self._kept.values() if who.sees in (None, one.owner)]

    def get(self, who: Principal, id_: str) -> Webhook:
        """One of them. Raises ``NotFound``."""
        return _told(self._mine(who, id_))

    def _mine(self, who: Principal, id_: str) -> _Kept:
        with self._lock:
            found = self._kept.get(id_)
        if found is None or who.sees not in (None, found.owner):
            raise NotFound(f"there is no webhook {id_[:40]!a}", "GET /whatsapp/webhooks")
        return found

    def add(self, who: Principal, url: str, events: Sequence[str]) -> tuple[Webhook, str]:
        """Put a webhook on record and give it with its secret. Raises ``Misused``, ``InUse``, ``NotAllowed``."""
        who.must_write(who.number)
        url, wanted = self._checked(url), _events(events)
        with self._lock:
            mine = [one for one in self._kept.values() if one.owner == who.owner]
        self._must_be_new(mine, url)
        if len(mine) >= MOST:
            raise Misused(f"{MOST} webhooks are the most", "DELETE /whatsapp/webhooks/ID")
        row = WebhookRow(
            id=secrets.token_hex(8), owner=who.owner, url=url, secret=secrets.token_hex(32),
            events=",".join(wanted), created_at=datetime.now(UTC),
        )  # fmt: skip
        made = (row.id, row.owner, row.url, row.secret, row.events, row.created_at)
        self._database.run(lambda session: session.add(row), lambda _: self._open(*made))
        return self.get(who, made[0]), made[3]

    def change(self, who: Principal, id_: str, url: str | None, events: Sequence[str] | None) -> Webhook:
        """Change where it goes or what it wants to hear."""
        who.must_write(who.number)
        kept = self._mine(who, id_)
        target = self._checked(url) if url is not None else kept.url
        wanted = _events(events) if events is not None else kept.events
        with self._lock:
            others = [one for one in self._kept.values() if one.owner == kept.owner and one.id != id_]
        self._must_be_new(others, target)

        def work(session: Session) -> None:
            values = {"url": target, "events": ",".join(wanted)}
            session.execute(update(WebhookRow).where(WebhookRow.id == id_).values(**values))

        def applied(_: None) -> None:
            kept.url, kept.events = target, wanted

        self._database.run(work, applied)
        return _told(kept)

    def remove(self, who: Principal, id_: str) -> None:
        """Tell that one no more. Raises ``NotFound``."""
        who.must_write(who.number)
        kept = self._mine(who, id_)

        def applied(_: object) -> None:
            with self._lock:
                self._kept.pop(id_, None)
            kept.line.close()
            self._journal.forget(id_)

        self._database.run(lambda session: session.execute(delete(WebhookRow).where(WebhookRow.id == id_)), applied)

    def test(self, who: Principal, id_: str) -> Tested:
        """Deliver a ``test`` event now, once, and tell how it went."""
        who.must_write(who.number)
        kept = self._mine(who, id_)
        told = event_of("test", None, {"message": "a test delivery"})
        delivery = _delivery(kept, Published(told, kept.owner), secrets.token_hex(8))
        try:
            status = self._send(kept, delivery)
        except Exception as problem:  # noqa: BLE001 - see below
            # Whatever it is, the person who tests wants to read it; an address is never part of it.
            text = getattr(problem, "message", None) or f"no answer: {type(problem).__name__}"
            return Tested(False, None, text)
        well = 200 <= status < 300
        return Tested(well, status, None if well else f"answered {status}")

    def _checked(self, url: str) -> str:
        parts = parse(url)
        # Asked again at each delivery: where a name leads may change.
        resolve(parts, self._allowed, 5.0)
        return parts.geturl()

    def _must_be_new(self, others: Sequence[_Kept], url: str) -> None:
        same = next((one for one in others if one.url == url), None)
        if same is not None:
            raise InUse(f"webhook {same.id} goes there already", f"PATCH /whatsapp/webhooks/{same.id}")

    def _open(self, id_: str, owner: str, url: str, secret: str, events: str, created_at: datetime) -> None:
        line = Line(
            id_, lambda delivery: self._send(kept, delivery), self._journal.remove,
            lambda what, why: self._heard(kept, what, why), self._pace,
        )  # fmt: skip
        moment = iso(round(created_at.timestamp() * 1000))
        kept = _Kept(id_, owner, url, secret, tuple(filter(None, events.split(","))), moment, line)
        with self._lock:
            self._kept[id_] = kept

    # -- telling

    def __call__(self, published: Published) -> None:
        """Put an event into the lines of those who want it."""
        event, owner = published.event, published.owner
        if event.session is None or owner is None:
            return
        with self._lock:
            wanted = [
                one
                for one in self._kept.values()
                if one.owner == owner and (not one.events or event.event in one.events)
            ]
        event_id = secrets.token_hex(8)
        for kept in wanted:
            delivery = _delivery(kept, published, event_id)
            self._journal.add(delivery)
            kept.line.put(delivery)

    def _send(self, kept: _Kept, delivery: Delivery) -> int:
        """One try: the status of the answer. Raises where there is none."""
        began = time.monotonic()
        parts = parse(kept.url)
        address = resolve(parts, self._allowed, WITHIN)
        body = delivery.body.encode()
        moment = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "linda",
            "X-Linda-Event": delivery.event,
            "X-Linda-Event-Id": str(json.loads(delivery.body)["eventId"]),
            "X-Linda-Delivery-Id": delivery.id,
            "X-Linda-Timestamp": moment,
            "X-Linda-Signature": f"sha256={signature(kept.secret, moment, body)}",
        }
        return post(parts, address, headers, body, max(0.5, WITHIN - (time.monotonic() - began)))

    def _heard(self, kept: _Kept, what: str, why: str) -> None:
        if what == "first-failure":
            self._say(f"webhook {kept.id} of {kept.owner!a} fails: {why}; it is tried again")
            return
        self._count(what)
        if what == "dropped":
            self._say(f"webhook {kept.id} of {kept.owner!a}: {why}")

    def close(self, within: float = 0.0) -> None:
        """Try no more once all that is due is delivered or ``within`` seconds are over; what waits is kept."""
        deadline = time.monotonic() + within
        with self._lock:
            lines = [one.line for one in self._kept.values()]
        while time.monotonic() < deadline and not all(line.idle() for line in lines):
            time.sleep(0.02)
        for line in lines:
            line.close()
        self._journal.close(max(1.0, within))


def _told(kept: _Kept) -> Webhook:
    condition = kept.line.condition
    return Webhook(
        kept.id, kept.owner, kept.url, kept.events, kept.created_at, condition.last_status, condition.last_at,
        condition.failing_since, kept.line.waiting, condition.dropped,
    )  # fmt: skip


def _events(names: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(names) - EVENTS)
    if unknown:
        raise Misused(f"there is no event {unknown[0][:40]!a}", f"events are among {', '.join(sorted(EVENTS))}")
    return tuple(dict.fromkeys(names))


def _delivery(kept: _Kept, published: Published, event_id: str) -> Delivery:
    id_ = secrets.token_hex(8)
    body = json.dumps({**of_event(published.event), "eventId": event_id, "deliveryId": id_})
    return Delivery(id_, kept.id, published.event.event, body, now())
