"""The store on this machine: the sessions' store, told what the browser room knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linda_cli.lifecycle.world import Machine
from linda_cli.sessions.home import Found, Home, find_home
from linda_cli.sessions.store import Store


def open_store(home: Path | None = None, tell: Callable[[str], None] = lambda _: None) -> Store:
    """The store of the home asked for, else of the one found from the environment and the working directory."""
    found = find_home(home)
    return Store(found, Machine(found.home), tell)


def store_at(home: Home, tell: Callable[[str], None] = lambda _: None) -> Store:
    """The store of a home that is known."""
    return Store(Found(home, (home.root,)), Machine(home), tell)
