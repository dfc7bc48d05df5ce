"""One server from its lock to its last browser: startup, wait, shutdown.

Accounts come up first and the doors open beside that: what the doors need takes longer to load than a browser that is
there takes to be attached to.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from linda_cli.errors import Failed, InUse
from linda_cli.lifecycle.events import Event, event
from linda_cli.lifecycle.store import store_at
from linda_cli.server.accounts import Accounts
from linda_cli.server.database import connect
from linda_cli.server.fleet import Fleet, plain
from linda_cli.server.hub import Hub
from linda_cli.server.metrics import Metrics
from linda_cli.server.recorder import Recorder
from linda_cli.server.relay import Relay
from linda_cli.server.settings import Settings
from linda_cli.server.view import View
from linda_cli.server.webhooks import Webhooks
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import held, holder_of

Tell = Callable[[Event], None]
_TAKE_UP = 2.0
"""Seconds that the doors wait for running browsers to be attached to, some 35 ms for each."""


def serve(home: Home, settings: Settings, tell: Tell) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. ``tell`` hears what a log may hold: every event, without codes.

    Raises ``Misused``, ``InUse`` for a second server or a taken port, ``Failed`` for a database that is away.
    """
    settings.check()
    home.make()
    with _only_one(home), _listening(settings) as listening:
        _serve(home, settings, tell, listening)


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[None]:
    lock = home.run_lock("serve")
    holder = holder_of(lock)
    if holder is not None:
        raise InUse(f"this home is served already, by {holder}", f"kill {holder.pid}", pid=holder.pid)
    with held(lock, what="this home's server", run=True):
        yield


def _serve(home: Home, settings: Settings, tell: Tell, listening: socket.socket) -> None:
    engine = connect(settings.database_url, home)
    accounts = Accounts(engine)

    def note(what: str) -> None:
        tell(event("note", None, {"what": what}))

    hub = Hub(note)
    fleet = Fleet(home, settings, accounts, hub, tell)
    relay = Relay()
    webhooks = Webhooks(engine, accounts.owner_of, settings.webhook_networks)
    metrics = Metrics(_by_status(accounts, fleet), _memory(fleet))
    # The nearest ears first: a client should not hear later because a database is slow.
    recorder = Recorder(accounts, note)
    for listener in (relay, recorder, metrics, webhooks, lambda told: tell(plain(told))):
        hub.listen(listener)
    with _noting_signals() as noted:
        fleet.begin()
        try:
            # Both at once would share one interpreter, and neither be done sooner.
            fleet.restoration.taken_up.wait(_TAKE_UP)
            from linda_cli.server import door, web

            web.run(door.Back(settings, fleet, accounts, relay, webhooks, metrics, tell, note), listening, noted)
        finally:
            if not fleet.closing:
                fleet.close()
            # What the stopping itself had to tell should still get there.
            webhooks.close(within=3.0)
            recorder.flush()
            engine.dispose()


@contextlib.contextmanager
def _noting_signals() -> Iterator[list[int]]:
    """Whoever asks to stop before the doors can hear it must not leave browsers behind that come up just now."""
    noted: list[int] = []
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before: dict[signal.Signals, Any] = {
        name: signal.signal(name, lambda number, _: noted.append(number)) for name in heard
    }
    try:
        yield noted
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as problem:
        where = f"{settings.host} port {settings.port}"
        if problem.errno == 98:
            raise InUse(f"{where} is in use by another process", f"linda serve --port {settings.port + 1}") from None
        raise Failed(f"cannot listen on {where}: {problem.strerror}", "linda serve --host 127.0.0.1") from None
    with listening:
        yield listening


def _by_status(accounts: Accounts, fleet: Fleet) -> Callable[[], Counter[str]]:
    def count() -> Counter[str]:
        views = fleet.views()
        return Counter(views.get(one.client_id, View()).status or one.status for one in accounts.all())

    return count


def _memory(fleet: Fleet) -> Callable[[], int]:
    def measure() -> int:
        store = store_at(fleet.home)
        total = 0
        for number, view in fleet.views().items():
            if view.up:
                running = store.world.running(store.profile(number), memory=True)
                total += running.memory_mb * 1_000_000 if running is not None else 0
        return total

    return measure
