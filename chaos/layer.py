"""A layer over ``os``: every call that changes the disk passes through one hand: it counts, refuses, kills or records.

Everything that linda's store does to the disk goes through these functions: ``pathlib`` and ``shutil`` call them too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

from linda_cli.sessions import durable

Real = Callable[..., Any]
Hand = Callable[[str, Real, tuple[Any, ...], dict[str, Any]], Any]

CHANGING = (
    "open", "write", "pwrite", "ftruncate", "truncate", "fsync", "fdatasync", "rename", "replace", "mkdir", "unlink",
    "remove", "rmdir", "link", "symlink", "chmod", "utime",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# What needs space: a full disk still renames and removes.
NEEDS_SPACE = frozenset({"open", "write", "pwrite", "mkdir", "link", "symlink"})

KILLED = 77

assert shutil.rmtree.avoids_symlink_attacks  # its choice of functions is made before they are replaced


@contextlib.contextmanager
def laid_over(hand: Hand) -> Iterator[None]:
    """Lead every changing call through ``hand(name, real, args, kwargs)``."""
    real = {name: getattr(os, name) for name in CHANGING}
    # Some files are copied at once: each call is counted, or recorded, with what it did.
    one_by_one = threading.Lock()

    def wrapped(name: str) -> Real:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open":
                flags = args[1] if len(args) > 1 else kwargs["flags"]
                if not flags & _WRITING:
                    return real[name](*args, **kwargs)
            with one_by_one:
                return hand(name, real[name], args, kwargs)

        return call

    clone = durable._clone
    for name in CHANGING:
        setattr(os, name, wrapped(name))
    # A clone is one call where copying is many; the many are what is to be stepped through.
    durable._clone = lambda _target, _source: False
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        durable._clone = clone


class Killing:
    """Ends the process at call ``at``, counted from 1; a write is torn in the middle first."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = 0

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls += 1
        if self.calls == self.at:
            if name in ("write", "pwrite") and len(args[1]) > 1:
                real(args[0], bytes(args[1][: len(args[1]) // 2]), *args[2:])
            os._exit(KILLED)
        return real(*args, **kwargs)


class Refusing:
    """Call ``at`` fails with ``code``; with ``onward`` so does every later one that needs space."""

    def __init__(self, at: int, code: int, *, onward: bool = False) -> None:
        self.at = at
        self.code = code
        self.onward = onward
        self.calls = 0
        self.reached = False

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.onward and name not in NEEDS_SPACE:
            return real(*args, **kwargs)
        self.calls += 1
        if self.calls == self.at or (self.onward and self.calls > self.at):
            self.reached = True
            where = args[0] if isinstance(args[0], (str, os.PathLike)) else None
            raise OSError(self.code, os.strerror(self.code), os.fspath(where) if where is not None else None)
        return real(*args, **kwargs)


WAYS = {
    "kill": None,
    "no space": (errno.ENOSPC, True),
    "EIO": (errno.EIO, False),
    "EACCES": (errno.EACCES, False),
}


def hand_for(way: str, at: int) -> Killing | Refusing:
    """The hand for one way of failing at one call."""
    told = WAYS[way]
    return Killing(at) if told is None else Refusing(at, told[0], onward=told[1])
