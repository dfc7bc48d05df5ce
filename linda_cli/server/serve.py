"""One server from its lock to its last browser: startup, wait, shutdown.

The server accepts requests while accounts are being restored. Running browsers are attached to first: FastAPI and the
others take longer to load than that.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import shlex
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from linda_cli.errors import Failed, HomeUnusable, InUse
from linda_cli.lifecycle.events import Event, event
from linda_cli.lifecycle.service_manager import ServiceManager
from linda_cli.lifecycle.signals import heard_signals
from linda_cli.notifications import announcing
from linda_cli.server.account_state import AccountState
from linda_cli.server.accounts import Accounts
from linda_cli.server.async_bridge import AsyncBridge
from linda_cli.server.auth import Authenticator
from linda_cli.server.config import Settings
from linda_cli.server.db.engine import connect
from linda_cli.server.db.gateway import Database
from linda_cli.server.db.writer import AccountWriter
from linda_cli.server.event_bus import EventBus
from linda_cli.server.metrics import Metrics, Sources
from linda_cli.server.operations import Operations
from linda_cli.server.rate_limit import RateLimit
from linda_cli.server.revocations import RevocationList
from linda_cli.server.service import AccountService
from linda_cli.server.supervisors import Supervisors, without_codes
from linda_cli.server.webhooks.service import Webhooks
from linda_cli.sessions import served
from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import held, holder_of
from linda_cli.sessions.state import read_json

Tell = Callable[[Event], None]
_TAKE_UP = 2.0
"""Seconds that requests wait at most until running browsers are attached to, some 35 ms for each."""
_LAST_WORDS = 3.0
"""Seconds for what the stopping itself has to tell."""


def serve(home: Home, settings: Settings, tell: Tell) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. ``tell`` hears what a log may hold: every event, without codes.

    Raises ``Misused``, ``InUse`` for a second server or a taken port, ``Failed`` for a database that is away.
    """
    settings.check()
    manager = ServiceManager.of_environment()
    home.make()
    with _only_one(home), _listening(settings) as listening:
        try:
            _serve(home, settings, tell, listening, manager)
        finally:
            served.forget(home)


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[None]:
    lock = home.run_lock("serve")
    holder = holder_of(lock)
    if holder is not None:
        raise InUse(f"this home is served already, by {holder}", f"kill {holder.pid}", pid=holder.pid)
    with held(lock, what="this home's server", run=True):
        yield


def _serve(
    home: Home, settings: Settings, tell: Tell, listening: socket.socket, manager: ServiceManager | None
) -> None:
    def say(what: str) -> None:
        tell(event("note", None, {"what": what}))

    engine = connect(settings.database_url, home)
    name = home_id(home)
    database = Database(engine, say)
    writer = AccountWriter(engine, name, say)
    accounts = Accounts(database, writer, name)
    bus = EventBus(accounts.owner_of, say)
    limit = RateLimit(settings.linkings)
    supervisors = Supervisors(home, settings, accounts, bus, limit, tell)
    supervisors.claim()
    accounts.load()
    operations = Operations()
    service = AccountService(supervisors, accounts, limit, operations)
    revocations = RevocationList(engine, say)
    bridge = AsyncBridge(say)
    metrics = Metrics(
        Sources(
            lambda: _by_status(accounts, supervisors), supervisors.measure,
            lambda: max(supervisors.memory().values(), default=0), bus.lost,
            lambda: writer.waiting, lambda: database.problem is None,
        )
    )  # fmt: skip
    webhooks = Webhooks(
        database, name, say, settings.webhook_networks, count=lambda what: metrics.deliveries.labels(what).inc()
    )
    for who, subscriber in (
        ("sockets", bridge), ("operations", operations), ("metrics", metrics), ("webhooks", webhooks),
        ("log", lambda published: tell(without_codes(published.event))),
    ):  # fmt: skip
        bus.subscribe(who, subscriber)
    around = contextlib.ExitStack()
    if settings.notify or settings.on_event is not None:
        announcer = around.enter_context(announcing(home, settings.notify, settings.on_event, say))
        bus.subscribe("notifications", lambda published: announcer(published.event))
    secret = settings.jwt_secrets[0] if settings.jwt_secrets else secrets.token_hex(32)
    with _noting_signals() as noted:
        supervisors.begin()
        try:
            # Both at once would share one interpreter, and neither be done sooner.
            supervisors.restoration.taken_up.wait(_TAKE_UP)
            from linda_cli.server import run
            from linda_cli.server.services import Services
            from linda_cli.server.workers import Workers

            workers = Workers()
            services = Services(
                settings=settings, database=database, accounts=accounts, supervisors=supervisors, service=service,
                operations=operations, authenticator=Authenticator(settings.jwt_secrets, revocations),
                links=Authenticator(settings.jwt_secrets or (secret,), revocations), revocations=revocations,
                limit=limit, bridge=bridge, webhooks=webhooks, metrics=metrics, workers=workers,
                signing_secret=secret, tell=tell, say=say,
            )  # fmt: skip
            for number in service.unfinished_removals():
                workers.submit(functools.partial(service.finish_removal, number))
            run.run(services, listening, noted, manager)
            workers.close()
        finally:
            if not supervisors.closing:
                supervisors.close()
            # What the stopping itself had to tell should still get there.
            if not bus.close(_LAST_WORDS):
                say("not every subscriber heard the last events")
            around.close()
            webhooks.close(within=_LAST_WORDS)
            if not writer.close(_LAST_WORDS):
                say("the database did not take the last changes; the state file has them")
            revocations.close()
            database.close()


def home_id(home: Home) -> str:
    """Which home this is: a database that several homes share keeps their accounts apart by it."""
    try:
        told = read_json(home.identity, 4096)
        if isinstance(told, dict) and isinstance(told.get("id"), str) and told["id"]:
            return str(told["id"])[:32]
    except FileNotFoundError:
        pass  # the home's first server: it gets its id now
    except (OSError, ValueError) as problem:
        raise HomeUnusable(
            f"{home.identity} cannot be read: {problem}", f"ls -l {shlex.quote(str(home.identity))}"
        ) from None
    made = secrets.token_hex(16)
    write_whole(home.identity, json.dumps({"version": 1, "id": made}).encode() + b"\n")
    return made


@contextlib.contextmanager
def _noting_signals() -> Iterator[list[int]]:
    """A signal that comes before the server listens must not leave browsers behind that come up just now."""
    noted: list[int] = []
    before: dict[signal.Signals, Any] = {
        name: signal.signal(name, lambda number, _: noted.append(number)) for name in heard_signals()
    }
    try:
        yield noted
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # "::" is every address of both families.
        both = host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server((host, settings.port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as problem:
        where = f"{settings.host} port {settings.port}"
        if problem.errno == 98:
            raise InUse(f"{where} is in use by another process", f"linda serve --port {settings.port + 1}") from None
        raise Failed(f"cannot listen on {where}: {problem.strerror}", "linda serve --host 127.0.0.1") from None
    with listening:
        yield listening


def _by_status(accounts: Accounts, supervisors: Supervisors) -> Counter[str]:
    states = supervisors.states()
    return Counter(states.get(one.client_id, AccountState()).status or one.status for one in accounts.all())
