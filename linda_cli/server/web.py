"""The doors' own loop: listens, carries events to sockets, and closes the fleet when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from linda_cli.lifecycle.events import event
from linda_cli.server.desk import Desk
from linda_cli.server.door import Back, Parts, build
from linda_cli.server.linking import LinkingLimit
from linda_cli.server.sockets import Sockets


def run(back: Back, listening: socket.socket, noted: Sequence[int]) -> None:
    """Open the doors until a signal; ``noted`` are those that came before. Every run has ended then, or was late."""
    desk = Desk(back.fleet, back.accounts, LinkingLimit(back.settings.linkings))
    sockets = Sockets(desk, back.settings.jwt_secret, back.accounts.owner_of)
    back.metrics.clients = lambda: sockets.clients
    with ThreadPoolExecutor(4, thread_name_prefix="background") as background:
        parts = Parts(back, desk, sockets, background)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(parts, listening, noted))


async def _run(parts: Parts, listening: socket.socket, noted: Sequence[int]) -> None:
    config = uvicorn.Config(
        build(parts), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2,
        server_header=False, ws="websockets-sansio", ws_max_size=100_000,
        # Events are small and go to many: to compress each for each costs more than it saves. Engine.IO pings itself.
        ws_per_message_deflate=False, ws_ping_interval=None,
    )  # fmt: skip
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = _Server(config)
    carrying = asyncio.create_task(parts.back.relay.run(parts.sockets.carry))
    leaving = _Leaving(parts.back, server)
    server.once_started = lambda: _say(parts.back, listening)
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(one, leaving.heard, one)
    for number in noted:
        leaving.heard(number)
    try:
        await server.serve(sockets=[listening])
    finally:
        carrying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await carrying


class _Leaving:
    """The way out: browsers are closed while the server still answers. A second Ctrl-C ends the process at once."""

    def __init__(self, back: Back, server: uvicorn.Server) -> None:
        self._back = back
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def heard(self, number: int) -> None:
        """A signal, on the loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._leave(signal.Signals(number).name))
        elif number == signal.SIGINT:
            os._exit(130)

    async def _leave(self, name: str) -> None:
        self._back.tell(event("stopping", None, {"reason": name}))
        late = await asyncio.to_thread(self._back.fleet.close)
        if late:
            # Their logins are on disk and backed up since saved; the next start attaches to browsers that are left.
            self._back.note(f"did not end in time: {', '.join(late)}")
        self._server.should_exit = True


def _say(back: Back, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    back.tell(event("serving", None, {"url": url, "pid": os.getpid(), "home": str(back.fleet.home.root)}))
    if back.settings.jwt_secret is None:
        back.note("no JWT_SECRET: only this machine is let in, as the owner local")
    elif back.settings.secret_is_short:
        back.note("JWT_SECRET is shorter than the 32 bytes that RFC 7518 asks for")


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
