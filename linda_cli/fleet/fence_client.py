"""The member's side of the fence: starts it, or finds the one that has outlived the member before, and asks it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linda_cli.errors import Failed, Unavailable
from linda_cli.fleet.fence_process import FenceSettings, spelled

_ANSWER_WITHIN = 15.0
_PING_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A number that this host holds. ``adopted``: it was held already, its browser may be running."""

    number: str
    epoch: int
    previous_host: str
    adopted: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A number that somebody else holds: which host, and for how many seconds at least."""

    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Fenced:
    """The fence has ended a browser because its claim could not be proven."""

    number: str
    epoch: int
    ended: bool
    problem: str | None


class FenceClient:
    """Asks one fence. ``on_fenced`` and ``on_gone`` are called from the thread that listens."""

    def __init__(
        self, connection: socket.socket, on_fenced: Callable[[Fenced], None], on_gone: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._on_fenced = on_fenced
        self._on_gone = on_gone
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Mapping[str, Any]]] = {}
        self._closed = threading.Event()
        for name, what in (("fence-answers", self._listen), ("fence-ping", self._ping)):
            threading.Thread(target=what, name=name, daemon=True).start()

    def claim(self, number: str) -> Claimed | Held:
        """Take a number, or say who has it. Raises ``Unavailable`` where the database does not answer."""
        told = self._ask("claim", number=number)
        if "refused" in told:
            return Held(told["refused"]["host"], told["refused"]["seconds"])
        one = told["claim"]
        return Claimed(number, one["epoch"], one["previousHost"], one["adopted"])

    def release(self, number: str, epoch: int) -> bool:
        """Let a number go; what is left of its browser is ended before."""
        return bool(self._ask("release", number=number, epoch=epoch)["released"])

    def enclose(self, number: str) -> Path | None:
        """The file that its browser writes its pid to before it begins, None where it need not."""
        procs = self._ask("enclose", number=number)["procs"]
        return Path(procs) if procs is not None else None

    def state(self) -> Mapping[str, Any]:
        """What the fence holds, and its host and incarnation."""
        return self._ask("state")

    def end(self) -> None:
        """Release everything and end the fence. Browsers that are left are ended."""
        with contextlib.suppress(Unavailable):  # it may be gone before it has answered
            self._ask("end")
        self._closed.set()

    def detach(self) -> None:
        """Leave the fence to the next member, which has a minute to come."""
        self._closed.set()
        with contextlib.suppress(OSError):  # it may have closed first
            self._connection.shutdown(socket.SHUT_RDWR)

    def _ask(self, what: str, **more: Any) -> Mapping[str, Any]:
        id_, answer = next(self._ids), Future[Mapping[str, Any]]()
        with self._lock:
            self._waiting[id_] = answer
            try:
                self._connection.sendall(json.dumps({"id": id_, "ask": what, **more}).encode() + b"\n")
            except OSError as problem:
                self._waiting.pop(id_, None)
                raise _gone() from problem
        try:
            told = answer.result(_ANSWER_WITHIN)
        except (FutureTimeout, ConnectionError) as problem:
            raise _gone() from problem
        finally:
            with self._lock:
                self._waiting.pop(id_, None)
        if "error" in told:
            raise Unavailable(str(told["error"]), "linda fleet status", retryAfter=5)
        return told

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._connection.makefile("rb") as lines:  # told by on_gone below
            while line := lines.readline(64_000):
                told = json.loads(line)
                if "fenced" in told:
                    self._on_fenced(Fenced(**told["fenced"]))
                    continue
                with self._lock:
                    waiting = self._waiting.pop(told.get("id"), None)
                if waiting is not None:
                    waiting.set_result(told)
        with self._lock:
            lost = list(self._waiting.values())
        for one in lost:
            if not one.done():
                one.set_exception(ConnectionError("the fence hung up"))
        if not self._closed.is_set():
            self._on_gone()

    def _ping(self) -> None:
        while not self._closed.wait(_PING_EVERY):
            with contextlib.suppress(Unavailable):  # whoever listens hears that it has gone
                self._ask("state")


def _gone() -> Unavailable:
    return Unavailable("the fence of this host does not answer", "linda fleet hosts", retryAfter=5)


def find_fence(home: Path) -> tuple[socket.socket, Mapping[str, Any]] | None:
    """The fence that a member before this one has left, with what it says of itself; None where there is none."""
    try:
        told = json.loads((home / ".session-cache" / "fence.json").read_bytes()[:4096])
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5.0)
        connection.connect(told["socket"])
        connection.settimeout(None)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return connection, told


def start_fence(settings: FenceSettings) -> subprocess.Popen[bytes]:
    """Start a fence and wait until it answers. Raises ``Failed``."""
    log = os.open(
        Path(settings.home) / "logs" / "fence.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
    )
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "linda_cli.fleet.fence_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(spelled(settings))
    child.stdin.close()
    line = child.stdout.readline()
    try:
        told = json.loads(line)
    except ValueError:
        told = {"error": "it ended without a word"}
    if "error" in told:
        raise Failed(f"the fence did not start: {told['error']}", f"cat {settings.home}/logs/fence.log")
    return child
