"""One server from its lock to its last browser: startup, wait, shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from linda_cli.errors import Failed, InUse
from linda_cli.lifecycle.events import Event, event
from linda_cli.lifecycle.store import store_at
from linda_cli.server.accounts import Accounts
from linda_cli.server.database import connect
from linda_cli.server.desk import Desk
from linda_cli.server.door import Parts, build
from linda_cli.server.fleet import Fleet, browser_memory, plain
from linda_cli.server.hub import Hub
from linda_cli.server.linking import LinkingLimit
from linda_cli.server.metrics import Metrics
from linda_cli.server.recorder import Recorder
from linda_cli.server.relay import Relay
from linda_cli.server.settings import Settings
from linda_cli.server.sockets import Sockets
from linda_cli.server.view import View
from linda_cli.server.webhooks import Webhooks
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import held, holder_of

Tell = Callable[[Event], None]


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
    desk = Desk(fleet, accounts, LinkingLimit(settings.linkings))
    relay = Relay()
    sockets = Sockets(desk, settings.jwt_secret, accounts.owner_of)
    webhooks = Webhooks(engine, accounts.owner_of, settings.webhook_networks)
    metrics = Metrics(_by_status(accounts, fleet), _memory(fleet), lambda: sockets.clients)
    # The nearest ears first: a client should not hear later because a database is slow.
    recorder = Recorder(accounts, note)
    for listener in (relay, recorder, metrics, webhooks, lambda told: tell(plain(told))):
        hub.listen(listener)
    with ThreadPoolExecutor(4, thread_name_prefix="background") as background:
        parts = Parts(settings, desk, sockets, webhooks, metrics, relay, background, note)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_run(parts, listening, fleet, tell))
        finally:
            # What the stopping itself had to tell should still get there.
            webhooks.close(within=3.0)
            recorder.flush()
            engine.dispose()


async def _run(parts: Parts, listening: socket.socket, fleet: Fleet, tell: Tell) -> None:
    config = uvicorn.Config(
        build(parts), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2,
        server_header=False, ws="websockets-sansio", ws_max_size=100_000,
        # Events are small and go to many: to compress each for each costs more than it saves. Engine.IO pings itself.
        ws_per_message_deflate=False, ws_ping_interval=None,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = _Server(config)
    carrying = asyncio.create_task(parts.relay.run(parts.sockets.carry))
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave(name: str) -> None:
        tell(event("stopping", None, {"reason": name}))
        late = await asyncio.to_thread(fleet.close)
        if late:
            # Their logins are on disk and backed up since saved; the next start attaches to browsers that are left.
            tell(event("note", None, {"what": f"did not end in time: {', '.join(late)}"}))
        server.should_exit = True

    def heard(number: signal.Signals) -> None:
        if leaving and number == signal.SIGINT:
            os._exit(130)
        if not leaving:
            leaving.append(loop.create_task(leave(number.name)))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, heard, number)

    def say() -> None:
        host, port = listening.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        tell(event("serving", None, {"url": url, "pid": os.getpid(), "home": str(fleet.home.root)}))
        if parts.settings.jwt_secret is None:
            tell(event("note", None, {"what": "no JWT_SECRET: only this machine is let in, as the owner local"}))
        elif parts.settings.secret_is_short:
            tell(event("note", None, {"what": "JWT_SECRET is shorter than the 32 bytes that RFC 7518 asks for"}))
        fleet.begin()

    server.once_started = say
    try:
        await server.serve(sockets=[listening])
    finally:
        carrying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await carrying


class _Server(uvicorn.Server):
    """Signals are ours: browsers are closed first, while the server still answers."""

    once_started: Callable[[], None] = staticmethod(lambda: None)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them as they are."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it is there."""
        await super().startup(sockets)
        self.once_started()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


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
                running = store.world.running(store.profile(number))
                total += browser_memory(running.pid) * 1_000_000 if running is not None else 0
        return total

    return measure
