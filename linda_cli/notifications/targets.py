"""The ways a notice goes: a URL of apprise, or a command. Each try is a process that is killed after ten seconds.

A process of its own, because a library that hangs cannot be ended in a thread. What it is to send stands on its stdin:
no URL and no event is in an argument list, in an environment or in a log.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from linda_cli.browser.environment import scrubbed_environment
from linda_cli.errors import Failed, Misused
from linda_cli.installation import install_extra

TRY = 10.0
"""Seconds that one try may take."""


class Target(Protocol):
    """Where notices go."""

    @property
    def name(self) -> str:
        """How it is called in the log: nothing secret."""

    def send(self, event: Mapping[str, Any]) -> str | None:
        """Try once; why it failed, None where it did not."""


@dataclass(frozen=True, slots=True)
class Url:
    """A service that apprise knows. ``at``: which of the URLs it is, from 1."""

    url: str
    at: int

    @property
    def name(self) -> str:
        """Never the URL: it is a password."""
        return f"--notify number {self.at}"

    def send(self, event: Mapping[str, Any]) -> str | None:
        """As the protocol says."""
        return _tried(_SENDER, json.dumps({"url": self.url, "title": title(event), "body": body(event)}))


@dataclass(frozen=True, slots=True)
class Command:
    """A program that gets the event on its stdin."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The program without its arguments."""
        return f"--on-event {os.path.basename(self.words[0])}"

    def send(self, event: Mapping[str, Any]) -> str | None:
        """As the protocol says."""
        return _tried(self.words, f"{json.dumps(event)}\n")


_SENDER = (sys.executable, "-m", "linda_cli.notifications.send")


def title(event: Mapping[str, Any]) -> str:
    """One line: whom and what it is about."""
    who = f"{event['session']}: " if event.get("session") else ""
    what = str(event["kind"]).replace("_", " ")
    return f"linda: {who}{what}{' is over' if event['event'] == 'trouble_over' else ''}"


def body(event: Mapping[str, Any]) -> str:
    """What a person wants to read of it."""
    return f"{event['message']}\n{event['at']}, home {event['home']}"


def targets(urls: Sequence[str], command: str | None) -> tuple[Target, ...]:
    """The targets of ``--notify`` and ``--on-event``.

    Raises ``Failed`` where apprise is missing, ``Misused`` for a URL that it does not know or a command that is not
    there.
    """
    found: list[Target] = []
    if urls and find_spec("apprise") is None:
        raise Failed("--notify needs apprise, which is not installed", install_extra("notify"))
    for at, url in enumerate(urls, 1):
        if (wrong := _tried((*_SENDER, "--check"), json.dumps({"url": url}))) is not None:
            raise Misused(f"--notify number {at} is no URL that apprise knows ({wrong})", "linda help start")
        found.append(Url(url, at))
    if command is not None:
        found.append(Command(_words(command)))
    return tuple(found)


def _words(command: str) -> tuple[str, ...]:
    try:
        words = shlex.split(command)
    except ValueError as problem:
        raise Misused(f"--on-event cannot be taken apart into words: {problem}", "linda help start") from None
    if not words or shutil.which(words[0]) is None:
        missing = repr(os.path.basename(words[0])) if words else "nothing"
        raise Misused(f"--on-event: there is no program {missing}", "linda help start")
    return tuple(words)


def _tried(words: Sequence[str], text: str) -> str | None:
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=scrubbed_environment(for_bot=True), start_new_session=True,
        )  # fmt: skip
    except OSError as problem:
        return str(problem.strerror or "it cannot be started")
    try:
        process.communicate(text.encode(), timeout=TRY)
    except subprocess.TimeoutExpired:
        return f"no answer within {TRY:g} s"
    finally:
        # What it may have started goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None if process.returncode == 0 else f"exit code {process.returncode}"
