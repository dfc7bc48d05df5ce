"""The server's event loop: listens, carries events to sockets, and stops the accounts when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from linda_cli.lifecycle.events import event
from linda_cli.lifecycle.service_manager import ServiceManager
from linda_cli.lifecycle.signals import heard_signals
from linda_cli.server.app import create_app
from linda_cli.server.http_protocol import IDLE_WITHIN, BoundedHttpProtocol, most_connections, raise_file_limit
from linda_cli.server.middleware import LARGEST_BODY
from linda_cli.server.namespace import AccountNamespace
from linda_cli.server.outbox import BoundedWebSocketProtocol
from linda_cli.server.services import Services
from linda_cli.sessions import served


def run(
    services: Services, listening: socket.socket, noted: Sequence[int], manager: ServiceManager | None = None
) -> None:
    """Serve until a signal; ``noted`` are those that came before. Every run has ended then, or was late."""
    BoundedHttpProtocol.most = most_connections(raise_file_limit(), len(services.accounts.all()))
    namespace = AccountNamespace(services.service, services.authenticator, services.workers)
    services.metrics.clients = lambda: namespace.clients
    services.metrics.connections = lambda: BoundedHttpProtocol.open_connections
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(services, namespace, listening, noted, manager))


async def _run(
    services: Services,
    namespace: AccountNamespace,
    listening: socket.socket,
    noted: Sequence[int],
    manager: ServiceManager | None,
) -> None:
    config = uvicorn.Config(
        create_app(services, namespace), lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=2, server_header=False, http=BoundedHttpProtocol, ws=BoundedWebSocketProtocol,
        ws_max_size=LARGEST_BODY, timeout_keep_alive=IDLE_WITHIN, proxy_headers=False,
        # Events are small and go to many: to compress each for each costs more than it saves. Engine.IO pings itself.
        ws_per_message_deflate=False, ws_ping_interval=None,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = _Server(config)
    loop = asyncio.get_running_loop()
    carrying = loop.create_task(_carry(services, namespace))
    services.revocations.changed = lambda: _soon(loop, namespace)
    leaving = _Leaving(services, server, manager)
    beating = loop.create_task(_beat(manager))

    def started() -> None:
        _say(services, listening)
        if manager is not None:
            manager.ready("accepts requests")

    server.once_started = started
    for one in heard_signals():
        loop.add_signal_handler(one, leaving.heard, one)
    for number in noted:
        leaving.heard(number)
    try:
        await server.serve(sockets=[listening])
    finally:
        services.revocations.changed = lambda: None
        for task in (carrying, beating):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # it was cancelled by us
                await task


def _soon(loop: asyncio.AbstractEventLoop, namespace: AccountNamespace) -> None:
    """Called from the thread that reads revocations."""
    with contextlib.suppress(RuntimeError):  # the loop may have been closed in this moment
        asyncio.run_coroutine_threadsafe(namespace.end_revoked(), loop)


async def _carry(services: Services, namespace: AccountNamespace) -> None:
    """Pass events on to sockets; started again where that ends by itself."""
    while True:
        try:
            await services.bridge.run(namespace.carry)
        except Exception as problem:  # noqa: BLE001 - said, and started again
            services.say(f"passing events on to sockets had ended and was started again: {problem!r}")
            await asyncio.sleep(0.1)


async def _beat(manager: ServiceManager | None) -> None:
    """Signs of life from the event loop, which is what must not hang."""
    while manager is not None and manager.every is not None:
        manager.alive()
        await asyncio.sleep(manager.every)


class _Leaving:
    """The way out: browsers are closed while the server still answers. A second Ctrl-C ends the process at once."""

    def __init__(self, services: Services, server: uvicorn.Server, manager: ServiceManager | None) -> None:
        self._services = services
        self._manager = manager
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def heard(self, number: int) -> None:
        """A signal, on the loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._leave(signal.Signals(number).name))
        elif number == signal.SIGINT:
            os._exit(130)

    async def _leave(self, name: str) -> None:
        if self._manager is not None:
            self._manager.stopping()
        self._services.tell(event("stopping", None, {"reason": name}))
        late = await asyncio.to_thread(self._services.supervisors.close)
        if late:
            # Their logins are on disk and backed up since saved; the next start attaches to browsers that are left.
            self._services.say(f"did not end in time: {', '.join(late)}")
        self._server.should_exit = True


def _say(services: Services, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    settings = services.settings
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.base_path}/"
    home = str(services.supervisors.home.root)
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    try:
        served.note(services.supervisors.home, f"http://{local}:{port}", os.getpid(), bool(settings.jwt_secrets))
    except OSError as problem:
        services.say(f"other commands will not know where this server listens: {problem}")
    services.tell(event("serving", None, {"url": url, "pid": os.getpid(), "home": home}))
    if not settings.jwt_secrets:
        services.say("no JWT_SECRET: only this machine is let in, as the owner local")
    elif settings.secret_is_short:
        services.say("JWT_SECRET is shorter than the 32 bytes that RFC 7518 asks for")


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
