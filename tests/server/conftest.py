"""Servers, node clients and databases for the tests of ``linda serve``."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import postgres
from tests.server.served import Client, Served, install


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where socket.io-client is installed, once for all workers."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("not installed: node, npm")
    # With xdist each worker has a folder below the session's.
    shared = tmp_path_factory.getbasetemp().parent / "linda-socket-io-client"
    shared.mkdir(exist_ok=True)
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            install(shared)
            (shared / "done").touch()
    return shared


@pytest.fixture
def client(modules: Path) -> Iterator[Callable[..., Client]]:
    """Connect a client to a server: ``client(server)``."""
    made: list[Client] = []

    def make(server: Served, transport: str = "") -> Client:
        one = Client(modules, server.url, transport)
        made.append(one)
        return one.__enter__()

    yield make
    for one in made:
        one.__exit__(None)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a real PostgreSQL."""
    if postgres.binaries() is None:
        pytest.skip("not installed: postgresql")
    with postgres.cluster() as url:
        yield url
