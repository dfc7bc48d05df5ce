"""The events of a run on a Unix socket: what is true now first, then everything that happens, one JSON line each."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from linda_cli.lifecycle.events import Event

Spell = Callable[[Event], str]

# The kernel's limit for the path of a Unix socket, its final zero taken off.
_LONGEST = 107
# A client that is this many events behind does not listen; it is let go of rather than waited for.
_MOST_WAITING = 1000
_MOST_CLIENTS = 100
_PAUSE = 0.2

# What describes the state of a session until one of the others takes its place.
_TROUBLE = ("disconnected", "conflict", "auth_failure")


class EventSocket:
    """Serves any number of clients. No client, however slow, keeps the run waiting."""

    def __init__(self, spell: Spell) -> None:
        self._spell = spell
        self._lock = threading.Lock()
        self._state: dict[str, Event] = {}
        self._clients: list[_Client] = []
        self._closed = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="linda-", dir=_short_folder()))
        self.path = self._folder / "events"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(self.path))
        self.path.chmod(0o600)
        self._listening.listen(16)
        threading.Thread(target=self._accept, name="events", daemon=True).start()

    def tell(self, told: Event) -> None:
        """Send an event to everybody who listens."""
        line = self._spell(told).encode() + b"\n"
        with self._lock:
            self._note(told)
            self._clients = [client for client in self._clients if client.send(line)]

    def _note(self, told: Event) -> None:
        name = told.event
        if name in ("ready", "logged_out"):
            self._state = {name: told}
        elif name == "saved" or name in _TROUBLE:
            self._state[name] = told
        elif name == "reconnected":
            for trouble in _TROUBLE:
                self._state.pop(trouble, None)
            if "ready" in self._state and told.facts.get("debuggerAddress"):
                # The browser may be another one since.
                known = self._state["ready"]
                facts = {**known.facts, "debuggerAddress": told.facts["debuggerAddress"]}
                self._state["ready"] = replace(known, facts=facts)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                # Closed, or no file may be opened just now: then the next one may be.
                self._closed.wait(_PAUSE)
                continue
            with self._lock:
                self._clients = [client for client in self._clients if client.is_there]
                if len(self._clients) >= _MOST_CLIENTS or self._closed.is_set():
                    connection.close()
                    continue
                client = _Client(connection)
                for told in self._state.values():
                    client.send(self._spell(told).encode() + b"\n")
                self._clients.append(client)

    def close(self) -> None:
        """End: what is under way is still sent where the client takes it at once; nothing is left on disk."""
        self._closed.set()
        # A blocked accept() is not woken by close() alone.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.end()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Client:
    """One listener with what it has not been sent yet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._writer = threading.Thread(target=self._write, name="events", daemon=True)
        self._writer.start()

    @property
    def is_there(self) -> bool:
        """Whether it still listens, as far as is known."""
        return self._writer.is_alive()

    def send(self, line: bytes) -> bool:
        """Put a line in its queue; False where it is gone or far behind, and is let go of."""
        if not self.is_there:
            return False
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._hang_up()
            return False
        return True

    def _write(self) -> None:
        # The bot has closed its end. A run must not depend on who listens.
        with self._connection, contextlib.suppress(OSError):
            while (line := self._waiting.get()) is not None:
                self._connection.sendall(line)

    def end(self) -> None:
        """Send what waits, for half a second at most, and close."""
        # A queue that is full belongs to a reader that does not read: it is closed without this line.
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._writer.join(0.5)
        self._hang_up()

    def _hang_up(self) -> None:
        # Wakes a writer that is blocked in the middle of a line.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


def _short_folder() -> str | None:
    """Where a socket's path is short enough; None for the usual place."""
    room = _LONGEST - len("/linda-12345678/events")
    usual = tempfile.gettempdir()
    return None if len(os.fsencode(usual)) <= room else "/tmp"
