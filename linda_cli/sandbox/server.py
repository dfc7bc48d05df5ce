"""The stand-in for WhatsApp Web, from start to stop, and how another process finds one that runs."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from linda_cli.errors import Failed, InUse
from linda_cli.sandbox import disk
from linda_cli.sandbox.control import ControlServer
from linda_cli.sandbox.devices import DeviceRegistry
from linda_cli.sandbox.network import NetworkMode
from linda_cli.sandbox.phone import Phone
from linda_cli.sandbox.running import Running, card, left_ports, running
from linda_cli.sandbox.state import SandboxState
from linda_cli.sandbox.timing import Timing
from linda_cli.sandbox.tls import HOST, Certificate, certificate
from linda_cli.sandbox.web import WebServer

__all__ = ["Running", "Sandbox", "Timing", "running"]

_POLL = 0.05
"""Seconds until a server loop sees that it is to stop."""


@dataclass(frozen=True, slots=True)
class _Up:
    """What exists only between start and stop."""

    state: SandboxState
    web: WebServer
    control: ControlServer
    threads: tuple[threading.Thread, ...]
    spki: str


class Sandbox:
    """A WhatsApp Web on loopback with its phone; the folder holds its certificate and its list of devices."""

    def __init__(
        self,
        folder: Path,
        *,
        timing: Timing = Timing(),  # noqa: B008  # frozen
        port: int = 0,
        control_port: int = 0,
    ) -> None:
        self.folder = folder
        self._timing = timing
        self._port = port
        self._control_port = control_port
        self._up: _Up | None = None

    def start(self) -> None:
        """Serve, in daemon threads. A folder that is served already is ``InUse``."""
        if self._up is not None:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (other := running(self.folder)) is not None:
            raise InUse(f"a sandbox already serves this folder (process {other.pid})", f"kill {other.pid}")
        state = SandboxState(DeviceRegistry(self.folder), self._timing)
        paper = certificate(self.folder)
        web, control = self._listen(state, paper)
        threads = tuple(
            threading.Thread(target=server.serve_forever, args=(_POLL,), name=name, daemon=True)
            for server, name in ((web, "sandbox-web"), (control, "sandbox-phone"))
        )
        for thread in threads:
            thread.start()
        self._up = _Up(state, web, control, threads, paper.spki)
        # The same ports again after a stop, so that a browser left running finds its way back.
        self._port, self._control_port = web.server_port, control.server_port
        state.arguments_changed = self._write_card
        self._write_card()

    def _listen(self, state: SandboxState, paper: Certificate) -> tuple[WebServer, ControlServer]:
        wanted = [(self._port, self._control_port)]
        if wanted == [(0, 0)]:
            # Those of a server that was killed: a browser that was kept finds its way back.
            wanted = [ports for ports in (left_ports(self.folder),) if ports is not None] + wanted
        for at, (port, control_port) in enumerate(wanted):
            with contextlib.ExitStack() as undo:
                try:
                    web = undo.enter_context(WebServer(state, paper.context(), port))
                    control = undo.enter_context(ControlServer(state, control_port))
                except OSError as taken:
                    if at + 1 < len(wanted):
                        continue
                    raise Failed("the sandbox cannot listen on its port", "linda sandbox --port 0") from taken
                undo.pop_all()
                return web, control
        raise AssertionError("the last one either listens or raises")

    def _write_card(self) -> None:
        disk.write(card(self.folder), self._card(self._served().state.registry.id))

    def stop(self, *, keep_ports: bool = False) -> None:
        """Let every page go and be gone. ``keep_ports``: the next server is to have the same, if it can."""
        up, self._up = self._up, None
        if up is None:
            return
        for server in (up.web, up.control):
            threading.Thread(target=server.shutdown, daemon=True).start()
        for thread in up.threads:
            thread.join(2)
        up.state.network.become(NetworkMode.DOWN)
        up.web.hang_up()
        with up.state.changed:
            for page in up.state.pages.values():
                page.end()
        up.web.server_close()
        up.control.server_close()
        if not keep_ports:
            card(self.folder).unlink(missing_ok=True)

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def chrome_args(self) -> list[str]:
        """What makes a Chromium see this server as WhatsApp Web, and nothing else of the world."""
        up = self._served()
        page = f"MAP {HOST}:443 127.0.0.1:{up.web.server_port},"
        if up.state.network.mode is NetworkMode.DNS:
            page = ""
        return [
            f"--host-resolver-rules={page}MAP * ~NOTFOUND,EXCLUDE 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={up.spki}",
            # A proxy named by the environment would resolve names itself, and reach the real one.
            "--no-proxy-server",
        ]

    @property
    def port(self) -> int:
        """Where the page is served."""
        return self._served().web.server_port

    @property
    def control_url(self) -> str:
        """Where the phone is driven: plain HTTP, loopback only."""
        return f"http://127.0.0.1:{self._served().control.server_port}"

    @property
    def phone(self) -> Phone:
        """The phone of this sandbox."""
        return Phone(self.control_url)

    def _served(self) -> _Up:
        if self._up is None:
            raise Failed("the sandbox is not running", "linda sandbox")
        return self._up

    def _card(self, name: str) -> bytes:
        return json.dumps(
            {
                "version": 1,
                "id": name,
                "pid": os.getpid(),
                "port": self.port,
                "controlUrl": self.control_url,
                "chromeArgs": self.chrome_args,
            },
            indent=1,
        ).encode()
