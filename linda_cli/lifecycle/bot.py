"""A bot beside a run: started when the session is ready, started anew when its sources or its browser change.

One thread decides everything about the bot; the run, the watcher and the bot's end only put messages into its inbox.
The bot has a process group of its own, and that group is always ended as a whole: SIGTERM, and SIGKILL after 5 s.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Protocol

from linda_cli.browser.binaries import find_driver
from linda_cli.browser.environment import scrubbed_environment
from linda_cli.errors import LindaError, Misused
from linda_cli.lifecycle.backoff import Backoff
from linda_cli.lifecycle.changes import Changes, watchable
from linda_cli.lifecycle.event_socket import EventSocket, Spell
from linda_cli.lifecycle.events import Event, OnEvent, event
from linda_cli.lifecycle.options import Pace

GRACE = 5.0
"""Seconds that a bot has to end after SIGTERM."""

STABLE = 60.0
"""Seconds that a bot must have run for the pauses between its restarts to start small again."""

_FIRST_PAUSE = 1.0
# A bot that was started while its file was being written may have read an empty one, which ends with 0. The change is
# known this much later at the latest.
_SETTLE = 0.25
_LONGEST_LINE = 1 << 16

Show = Callable[[str, bool], None]
"""Shows one line of the bot; True: it is from its stderr."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run beside a session, what to watch, and the voice that speaks for it."""

    command: tuple[str, ...]
    watch: tuple[Path, ...]
    spell: Spell
    show: Show

    @classmethod
    def checked(cls, command: Sequence[str] | None, watch: Sequence[Path], spell: Spell, show: Show) -> Wanted:
        """Raises ``Misused`` for half of it, and for what cannot be run or watched."""
        hint = "linda start --watch bot.py -- python bot.py"
        if not watch:
            raise Misused("a command after -- needs --watch PATH", hint)
        if not command:
            raise Misused("--watch needs the bot's command after --", hint)
        if shutil.which(command[0]) is None:
            raise Misused(f"{command[0]} is no command that can be run", hint)
        return cls(tuple(command), watchable(watch), spell, show)


class Side(Protocol):
    """The run, as far as a bot needs it."""

    number: str | None

    def stop(self, reason: str) -> None:
        """End the run."""

    def wake(self) -> None:
        """Let the run look at its bot."""

    def keep(self, told: Event) -> None:
        """Write an event to the session's log."""


class Word(Enum):
    """What the bot's own thread is told, besides addresses and ends."""

    DOWN = "down"
    END = "end"


@dataclass(frozen=True, slots=True)
class Up:
    """The session is ready at ``address``; ``fresh``: in a browser that was not there before."""

    address: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that is watched has changed by this moment of the monotonic clock."""

    at: float
    what: str | None = None


class Bot:
    """The bot of one run."""

    def __init__(
        self, wanted: Wanted, run: Side, tell: OnEvent, *, ignored: Sequence[str] = (), once: bool = False
    ) -> None:
        self.command = wanted.command
        self.ended: int | None = None
        """The exit code of a bot that ended by itself and is not started again."""
        self._wanted = wanted
        self._run = run
        self._told = tell
        self._once = once
        self._ignored = ignored
        # Events come from the run's thread and from ours: one speaks at a time. The bot's lines wait for nobody.
        self._speaking = threading.RLock()
        self._inbox: queue.SimpleQueue[Word | Up | Changed | _Process] = queue.SimpleQueue()
        self._process: _Process | None = None
        self._address: str | None = None
        self._attempt = 0
        self._retry_at: float | None = None
        self._final: int | None = None
        self._backoff = Backoff(Pace(first_retry=_FIRST_PAUSE))
        self._socket = EventSocket(wanted.spell)
        self._changes: Changes | None = None
        self._thread = threading.Thread(target=self._work, name="bot", daemon=True)
        self._thread.start()

    # -- from outside

    def tell(self, told: Event) -> None:
        """Tell an event of the run to its listeners, to the socket and to the bot's own thread."""
        with self._speaking:
            try:
                self._told(told)
            finally:
                # Whatever becomes of the one listener, those on the socket hear it too.
                self._socket.tell(told)
        if told.event in ("ready", "reconnected") and told.facts.get("debuggerAddress"):
            self._inbox.put(Up(told.facts["debuggerAddress"], told.facts.get("via") in ("profile", "backup")))
        elif told.event == "logged_out":
            self._inbox.put(Word.DOWN)

    def end(self) -> None:
        """End the bot with everything it started, and wait for that."""
        self._inbox.put(Word.END)
        self._thread.join()

    def close(self) -> None:
        """Nothing more will be told."""
        self._socket.close()

    # -- our own thread

    def _work(self) -> None:
        self._changes = Changes(self._wanted.watch, self._has_changed, self._ignored, self._note)
        self._changes.wait_until_up()
        try:
            while (message := self._next()) is not Word.END:
                self._hear_safely(message)
        finally:
            self._end_process()
            self._changes.close()

    def _hear_safely(self, message: Word | Up | Changed | _Process | None) -> None:
        """A run waits for this thread at its end, so no bug ends it: it is reported, and the next message is heard."""
        try:
            self._hear(message)
        except Exception as bug:  # noqa: BLE001 - reported as a bug; the bot is looked after all the same
            _report(bug)

    def _next(self) -> Word | Up | Changed | _Process | None:
        """The next message; None when it is time to start the bot again."""
        pause = None if self._retry_at is None else max(0.0, self._retry_at - time.monotonic())
        try:
            return self._inbox.get(timeout=pause)
        except queue.Empty:
            return None

    def _hear(self, message: Word | Up | Changed | _Process | None) -> None:
        if isinstance(message, _Process):
            if message is self._process:
                self._ended_by_itself(message)
        elif message is Word.DOWN:
            self._end_process()
            self._address = self._retry_at = self._final = None
        elif isinstance(message, Up):
            if message.fresh or message.address != self._address:
                self._address = message.address
                self._start_anew()
        elif isinstance(message, Changed):
            # What changed while the one before was being ended is known to the one that was started after that.
            if self._address is not None and (self._process is None or message.at > self._process.began):
                self._backoff.retries = 0
                if message.what is not None:
                    self._note(f"{message.what} changed: restarting the bot")
                self._start_anew()
        elif self._final is not None:
            self._conclude(self._final)
        else:
            self._start_anew()

    def _has_changed(self, what: str | None) -> None:
        self._inbox.put(Changed(time.monotonic(), what))

    def _start_anew(self) -> None:
        self._end_process()
        self._retry_at = self._final = None
        if self.ended is not None or self._address is None:
            return
        self._attempt += 1
        environ = {
            # Its lines are to be seen when it says them.
            "PYTHONUNBUFFERED": "1",
            **_with_driver(),
            **scrubbed_environment(for_bot=True),
            **_past_proxies(),
            "LINDA_DEBUGGER_ADDRESS": self._address,
            "LINDA_SESSION": self._run.number or "",
            "LINDA_EVENTS": str(self._socket.path),
        }
        try:
            self._process = _Process(self._wanted.command, environ, self._show, self._inbox.put)
        except OSError as problem:
            self._show(f"{self._wanted.command[0]}: {problem.strerror or problem}", True)
            # What a shell says of a command that cannot be run.
            self._after(127, 0.0)
            return
        self._say("bot_started", pid=self._process.pid, attempt=self._attempt)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._say("bot_exited", code=process.end())

    def _ended_by_itself(self, process: _Process) -> None:
        self._process = None
        # What it left behind goes with it: the next one must not meet it.
        code = process.end()
        self._say("bot_exited", code=code)
        self._after(code, time.monotonic() - process.began)

    def _after(self, code: int, lasted: float) -> None:
        if code == 0 or self._once:
            self._final = code
            self._retry_at = time.monotonic() + _SETTLE
            return
        if lasted > STABLE:
            self._backoff.retries = 0
        self._retry_at = time.monotonic() + self._backoff.next()

    def _conclude(self, code: int) -> None:
        self.ended = code
        self._retry_at = self._final = None
        if self._once:
            self._run.wake()
        else:
            self._run.stop("the bot ended")

    def _note(self, what: str) -> None:
        self._say("note", what=what)

    def _say(self, name: str, **facts: object) -> None:
        """Tell of the bot itself, from threads of ours: a listener that raises ends none of them."""
        told = event(name, self._run.number, facts)
        try:
            self._run.keep(told)
            self.tell(told)
        except Exception as bug:  # noqa: BLE001 - whoever listens may have any bug; it is reported, and the bot goes on
            _report(bug)

    def _show(self, line: str, is_error: bool) -> None:
        try:
            self._wanted.show(line, is_error)
        except Exception as bug:  # noqa: BLE001 - as above; the bot's next line must not meet a pipe that nobody reads
            _report(bug)


def _with_driver() -> dict[str, str]:
    """What lets Selenium in a bot find the driver that linda uses; without it, it would ask the network for one."""
    offline = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
    try:
        driver = str(find_driver())
    except LindaError:
        # A run without Selenium needs none, and says so itself where it does.
        return offline
    return {**offline, "SE_CHROMEDRIVER": driver, "LINDA_CHROMEDRIVER": driver}


def _past_proxies() -> dict[str, str]:
    """The browser and its driver are on loopback, where a bot must not ask the proxies of the environment."""
    told: dict[str, str] = {}
    for name in ("NO_PROXY", "no_proxy"):
        there = [one.strip() for one in os.environ.get(name, "").split(",") if one.strip()]
        told[name] = ",".join(dict.fromkeys([*there, "localhost", "127.0.0.1"]))
    lower, upper = os.environ.get("no_proxy"), os.environ.get("NO_PROXY")
    if lower is None or upper is None:
        # Programs read either; where one is not set the other one counts.
        both = told["NO_PROXY"] if lower is None else told["no_proxy"]
        told = dict.fromkeys(told, both)
    return told


def _report(bug: Exception) -> None:
    threading.excepthook(threading.ExceptHookArgs((type(bug), bug, bug.__traceback__, threading.current_thread())))


class _Process:
    """One bot process and everything in its group."""

    def __init__(
        self, command: Sequence[str], environ: dict[str, str], show: Show, gone: Callable[[_Process], None]
    ) -> None:
        self.began = time.monotonic()
        self._popen = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._readers = [
            threading.Thread(target=_read, args=(stream, is_error, show), name="bot's words", daemon=True)
            for stream, is_error in ((self._popen.stdout, False), (self._popen.stderr, True))
        ]
        for reader in self._readers:
            reader.start()
        threading.Thread(target=self._await, args=(gone,), name="bot's end", daemon=True).start()

    def _await(self, gone: Callable[[_Process], None]) -> None:
        # Not reaped yet: as long as it is a zombie nobody else can get its number, nor its group's.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        gone(self)

    def end(self) -> int:
        """End the whole group, and give the exit code of the bot itself, 128 and more for a signal."""
        for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            # The group has ended already, or what is left of it changed its user and is not ours to signal.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            if _await_group(self.pid, patience):
                break
        code = self._popen.wait()
        for reader in self._readers:
            # What left the group may hold the pipe open; its words are shown as they come.
            reader.join(0.5)
        return 128 - code if code < 0 else code


def _read(stream: IO[bytes], is_error: bool, show: Show) -> None:
    with stream:
        while line := stream.readline(_LONGEST_LINE):
            show(line.decode("utf-8", "replace").rstrip("\r\n"), is_error)


def _await_group(group: int, patience: float) -> bool:
    """Wait until nothing in the group runs any more; False where something still does after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while members := _members(group):
        for pid in members:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                ending = select.poll()
                ending.register(handle, select.POLLIN)
                if not ending.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    return False
            finally:
                os.close(handle)
    return True


def _members(group: int) -> list[int]:
    """Processes of the group that have not ended."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            # pid (command) state parent group …
            state, _, of = Path("/proc", name, "stat").read_text("utf-8", "replace").rpartition(") ")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if of == str(group) and state not in "ZX":
            found.append(int(name))
    return found
