"""A relay in front of PostgreSQL that swallows everything while it is cut, as a network that is away does."""

from __future__ import annotations

import select
import socket
import tempfile
import threading
from pathlib import Path

from sqlalchemy import Engine


class Relay:
    """Listens on a Unix socket named as PostgreSQL's; ``cut`` swallows what comes, ``heal`` ends what was cut."""

    def __init__(self, engine: Engine) -> None:
        self._target = f"{engine.url.query['host']}/.s.PGSQL.5432"
        self._folder = tempfile.TemporaryDirectory(prefix="linda-relay-", dir="/tmp")
        self.url = f"postgresql://linda@/postgres?host={self._folder.name}"
        self._cut = threading.Event()
        self._closed = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(Path(self._folder.name) / ".s.PGSQL.5432"))
        self._listening.listen(64)
        self._pairs: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listening.close()
        for one in self._pairs:
            one.close()
        self._folder.cleanup()

    def cut(self) -> None:
        self._cut.set()

    def heal(self) -> None:
        self._cut.clear()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
            except OSError:
                return
            self._pairs += [client, server]
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        swallowed = False
        with client, server:
            while not self._closed.is_set():
                if swallowed and not self._cut.is_set():
                    return  # bytes are missing: the connection is of no use
                try:
                    for one in select.select([client, server], [], [], 0.05)[0]:
                        data = one.recv(65536)
                        if not data:
                            return
                        if self._cut.is_set():
                            swallowed = True
                        else:
                            (server if one is client else client).sendall(data)
                except (OSError, ValueError):
                    return
