"""The fence: a process of its own that claims numbers, renews claims, and ends browsers whose claim it cannot prove.

It is not the member, because a member may hang, be restarted or die while its browsers run on. It reads its settings
from stdin (the database's address has a password), answers on a Unix socket, and does three things at once:

* every five seconds it renews its claims in the database;
* twenty times a second it compares the boot clock with the deadline of each claim, and ends what is overdue. This
  thread waits for nobody: not for the database, not for the member;
* it answers the member. Where no member has been heard for a minute, it ends all browsers, releases all and leaves.

A guard, forked at the start, ends all browsers at once where the fence itself dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from linda_cli.fleet import claims
from linda_cli.fleet.boot_clock import boot_clock
from linda_cli.fleet.claims import Claim, Holder
from linda_cli.fleet.deadlines import Deadlines, Held
from linda_cli.fleet.enclosure import Cgroups, Enclosure, EnclosureKind, PidNamespace, ProcessTrees, kill_browser

WATCH_EVERY = 0.05
GRACE = 60.0
"""Seconds that claims are renewed for a member that is not there: its restart should cost no browser."""
_LONGEST_LINE = 64_000
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class FenceSettings:
    """``enclosure``: a kind and, for cgroups, their root; ``namespace_pid`` for a pid namespace. Times in seconds."""

    database_url: str
    home: str
    sessions: str
    host: str
    incarnation: str
    enclosure: str
    cgroup_root: str | None = None
    namespace_pid: int | None = None
    lease: float = claims.LEASE
    renew_every: float = claims.RENEW_EVERY
    margin: float = claims.MARGIN
    grace: float = GRACE


def enclosure_of(settings: FenceSettings) -> Enclosure:
    """The means that the settings name."""
    kind = EnclosureKind(settings.enclosure)
    if kind is EnclosureKind.CGROUP and settings.cgroup_root is not None:
        return Cgroups(Path(settings.cgroup_root))
    if kind is EnclosureKind.PID_NAMESPACE and settings.namespace_pid is not None:
        return PidNamespace(settings.namespace_pid)
    return ProcessTrees(Path(settings.sessions))


class Fence:
    """The claims of one host and what ends their browsers. ``push`` tells the member, where there is one."""

    def __init__(
        self, settings: FenceSettings, engine: Engine, enclosure: Enclosure, push: Callable[[dict[str, Any]], None]
    ) -> None:
        self.settings = settings
        self.holder = Holder(settings.host, settings.incarnation)
        self._engine = engine
        self._enclosure = enclosure
        self._push = push
        self._lock = threading.Lock()
        self._deadlines = Deadlines(settings.lease, settings.margin, {})
        self._claiming: set[str] = set()
        self._closing = threading.Event()
        self._problem: str | None = None

    # -- for the member

    def claim(self, number: str) -> dict[str, Any]:
        """Take a number, or say who has it; one that is held already is adopted under the same epoch."""
        with self._lock:
            there = self._deadlines.held.get(number)
            if there is not None:
                return {"claim": {"epoch": there.epoch, "previousHost": self.holder.host, "adopted": True}}
            if number in self._claiming:
                return {"refused": {"host": self.holder.host, "seconds": 1.0}}
            self._claiming.add(number)
            steady = self._deadlines.is_steady(boot_clock())
        try:
            # From before the request: the database cannot have begun the lease earlier.
            asked_at = boot_clock()
            with Session(self._engine) as session, session.begin():
                taken = claims.claim(session, number, self.holder, steady=steady, lease=self.settings.lease)
            if not isinstance(taken, Claim):
                return {"refused": {"host": taken.host, "seconds": taken.seconds}}
            with self._lock:
                self._deadlines = self._deadlines.claimed(number, taken.epoch, asked_at)
        except SQLAlchemyError as problem:
            return {"error": f"the database does not answer: {type(problem).__name__}"}
        finally:
            with self._lock:
                self._claiming.discard(number)
        return {"claim": {"epoch": taken.epoch, "previousHost": taken.previous_host, "adopted": False}}

    def release(self, number: str, epoch: int) -> dict[str, Any]:
        """Let a number go, once nothing of its browser is left."""
        if not isinstance(self._enclosure, PidNamespace) and not self._enclosure.kill(number):
            return {"error": f"the browser of {number} could not be ended"}
        with self._lock:
            there = self._deadlines.held.get(number)
            if there is None or there.epoch != epoch:
                return {"released": False}
            # From here on nobody may start it under this claim: it is not renewed any more.
            self._deadlines = self._deadlines.without(number)
        return {"released": self._released(number, epoch)}

    def _released(self, number: str, epoch: int) -> bool:
        try:
            with Session(self._engine) as session, session.begin():
                return claims.release(session, number, epoch, self.holder)
        except SQLAlchemyError:
            return False  # the lease runs out by itself

    def enclose(self, number: str) -> dict[str, Any]:
        """Where a browser of this number is to move itself before it begins; null where it need not."""
        with self._lock:
            if number not in self._deadlines.held:
                return {"error": f"{number} is not claimed"}
        procs = self._enclosure.enclose(number) if isinstance(self._enclosure, Cgroups) else None
        return {"procs": str(procs) if procs is not None else None}

    def state(self) -> dict[str, Any]:
        """What is held, with the seconds to each deadline."""
        now = boot_clock()
        with self._lock:
            held = {one.number: [one.epoch, round(one.deadline - now, 3)] for one in self._deadlines.held.values()}
            steady = self._deadlines.is_steady(now)
        return {
            "held": held, "steady": steady, "problem": self._problem,
            "host": self.holder.host, "incarnation": self.holder.incarnation, "enclosure": self.settings.enclosure,
        }  # fmt: skip

    # -- the threads

    def renew_once(self) -> None:
        """One renewal of all that is held, and a heartbeat of the host's own row."""
        with self._lock:
            asked = {one.number: one.epoch for one in self._deadlines.held.values()}
        asked_at = boot_clock()
        try:
            with Session(self._engine) as session, session.begin():
                answered = claims.renew(session, asked.items(), self.holder, self.settings.lease)
                if not asked:
                    session.connection().exec_driver_sql("SELECT 1")
        except SQLAlchemyError as problem:
            self._problem = f"the database does not answer: {type(problem).__name__}"
            with self._lock:
                self._deadlines = self._deadlines.unanswered()
            return
        self._problem = None
        with self._lock:
            self._deadlines = self._deadlines.renewed(answered, asked, asked_at)

    def end_overdue(self) -> None:
        """End the browsers of every claim whose deadline has passed."""
        with self._lock:
            overdue = self._deadlines.overdue(boot_clock())
        if not overdue:
            return
        if isinstance(self._enclosure, PidNamespace):
            # All of it ends, so all of it is fenced.
            with self._lock:
                overdue = tuple(self._deadlines.held.values())
        threads = [threading.Thread(target=self._end, args=(one,), daemon=True) for one in overdue]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def _end(self, overdue: Held) -> None:
        ended = self._enclosure.kill(overdue.number)
        if not isinstance(self._enclosure, PidNamespace):
            # A browser that was started without us is in no cgroup.
            ended = kill_browser(Path(self.settings.sessions) / f"session-{overdue.number}") and ended
        with self._lock:
            there = self._deadlines.held.get(overdue.number)
            if there is not None and there.epoch == overdue.epoch and ended:
                self._deadlines = self._deadlines.without(overdue.number)
        self._push(
            {"fenced": {"number": overdue.number, "epoch": overdue.epoch, "ended": ended, "problem": self._problem}}
        )

    def run(self) -> None:
        """Start both threads."""
        for name, what, every in (
            ("fence-watch", self.end_overdue, WATCH_EVERY), ("fence-renew", self.renew_once, self.settings.renew_every)
        ):  # fmt: skip
            threading.Thread(target=self._every, args=(what, every), name=name, daemon=True).start()

    def _every(self, what: Callable[[], None], every: float) -> None:
        while not self._closing.is_set():
            try:
                what()
            except Exception as bug:  # noqa: BLE001 - a fence that has a bug must go on watching; its log says it
                print(f"a bug in the fence: {bug!r}", file=sys.stderr, flush=True)
            self._closing.wait(every)

    def close(self) -> None:
        """End every browser that is left and release every number."""
        self._closing.set()
        with self._lock:
            held = tuple(self._deadlines.held.values())
        ended = self._enclosure.kill_all() if held else True
        if ended:
            for one in held:
                self._released(one.number, one.epoch)
        self._enclosure.close()


class _Members:
    """Answers the member on a Unix socket; one that connects later takes the place of the one before."""

    def __init__(self, path: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        path.chmod(0o600)
        self._listening.listen(4)
        self._lock = threading.Lock()
        self._now: socket.socket | None = None
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="fence-answer")
        self.heard_at = boot_clock()
        self.ended = threading.Event()

    @property
    def has_member(self) -> bool:
        """Whether one is connected."""
        return self._now is not None

    def push(self, told: dict[str, Any]) -> None:
        """Tell the member; where there is none, nobody has to know."""
        with self._lock:
            connection = self._now
        if connection is not None:
            self._send(connection, told)

    def _send(self, connection: socket.socket, told: dict[str, Any]) -> None:
        with self._lock:
            try:
                connection.sendall(json.dumps(told).encode() + b"\n")
            except OSError:
                # It hung up, or has not read for so long that its buffer is full: it connects anew.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def serve(self, fence: Fence) -> None:
        """Accept members for ever."""
        while not self.ended.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(5.0)
            with self._lock:
                before, self._now = self._now, connection
            if before is not None:
                with contextlib.suppress(OSError):  # it may have closed it itself
                    before.shutdown(socket.SHUT_RDWR)
            threading.Thread(target=self._listen, args=(connection, fence), daemon=True).start()

    def _listen(self, connection: socket.socket, fence: Fence) -> None:
        connection.settimeout(None)
        with connection, connection.makefile("rb") as lines:
            try:
                while line := lines.readline(_LONGEST_LINE):
                    self.heard_at = boot_clock()
                    self._pool.submit(self._answer, connection, fence, line)
            except OSError:
                pass  # the member has gone: the next one connects, or the grace runs out
            with self._lock:
                if self._now is connection:
                    self._now = None

    def _answer(self, connection: socket.socket, fence: Fence, line: bytes) -> None:
        try:
            asked = json.loads(line)
            id_, what = asked.get("id"), asked["ask"]
            if what == "claim":
                told = fence.claim(str(asked["number"]))
            elif what == "release":
                told = fence.release(str(asked["number"]), int(asked["epoch"]))
            elif what == "enclose":
                told = fence.enclose(str(asked["number"]))
            elif what == "end":
                self.ended.set()
                told = {"ending": True}
            else:
                told = fence.state()
        except Exception as bug:  # noqa: BLE001 - the member is told, and the fence goes on
            id_, told = None, {"error": f"a bug in the fence: {bug!r}"}
        self._send(connection, {"id": id_, **told})


def _guard(enclosure: Enclosure) -> int:
    """Fork a process that ends all browsers where this one dies without a word. Gives the pipe to say "well" into."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)
        return writing
    os.close(writing)
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = b""
    while chunk := os.read(reading, 16):
        told += chunk
    if told != b"well":
        enclosure.kill_all()
    os._exit(0)


def main() -> None:
    """Run the fence; its settings come as one JSON line on stdin."""
    settings = FenceSettings(**json.loads(sys.stdin.readline()))
    home = Path(settings.home)
    lock = os.open(home / ".session-cache" / "locks" / "fence.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(json.dumps({"error": "another fence has this home"}), flush=True)
        raise SystemExit(1) from None
    enclosure = enclosure_of(settings)
    guard = _guard(enclosure)
    from linda_cli.server.db.engine import open_engine

    folder = Path(tempfile.mkdtemp(prefix="linda-fence-", dir="/tmp"))
    path = folder / "fence"
    members = _Members(path)
    fence = Fence(settings, open_engine(settings.database_url), enclosure, members.push)
    told = {"pid": os.getpid(), "socket": str(path), "host": settings.host, "incarnation": settings.incarnation}
    record = home / ".session-cache" / "fence.json"
    record.write_text(json.dumps({"version": 1, **told}))
    for number in (signal.SIGINT, signal.SIGHUP):
        # A Ctrl-C in the terminal is for the member; the fence ends when the member says so, or is long gone.
        signal.signal(number, signal.SIG_IGN)
    # A service manager tells all processes of a unit to end; the member closes its browsers cleanly first.
    signal.signal(signal.SIGTERM, lambda *_: None if members.has_member else members.ended.set())
    fence.run()
    threading.Thread(target=members.serve, args=(fence,), name="fence-members", daemon=True).start()
    print(json.dumps(told), flush=True)
    while not members.ended.wait(0.2):
        if boot_clock() - members.heard_at > settings.grace:
            print(f"no member for {settings.grace:g} s: browsers are ended", file=sys.stderr, flush=True)
            break
    fence.close()
    os.write(guard, b"well")
    record.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody may have put something in; a folder in /tmp is no harm
        folder.rmdir()
    # The last answer is on its way.
    time.sleep(0.05)
    os._exit(0)


def spelled(settings: FenceSettings) -> bytes:
    """The settings as ``main`` reads them."""
    return json.dumps(asdict(settings)).encode() + b"\n"


if __name__ == "__main__":
    main()
