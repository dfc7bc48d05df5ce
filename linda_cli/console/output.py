"""How text leaves this process: at once for a command, through a bounded queue and one thread for a run.

A run lasts for weeks, and what it says is a courtesy: a terminal that was stopped with Ctrl-S, a full disk or a reader
that has gone keep nobody waiting and end nothing. What a command was asked for is its answer: where that cannot be
written the command has failed, unless nobody wants it (a closed stream, a reader that has seen enough).
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

from linda_cli.console.stream_errors import GONE

if TYPE_CHECKING:
    from linda_cli.console.writer import Writer

_writer: Writer | None = None


def put(stream: TextIO | None, text: str) -> bool:
    """Say something; False where it could not be said. Never raises, and never waits while :func:`begin` holds."""
    try:
        return deliver(stream, text)
    except OSError:
        return False


def deliver(stream: TextIO | None, text: str) -> bool:
    """Give an answer; False where nobody wants it. Raises ``OSError`` where it cannot be written (a full disk)."""
    if stream is None:
        return False
    target = descriptor(stream)
    if target < 0:
        return _without_descriptor(stream, text)
    data = text.encode(stream.encoding or "utf-8", "replace")
    if _writer is not None:
        return _writer.put(target, data)
    try:
        stream.flush()
        _write(target, data)
    except ValueError:
        return False
    except OSError as problem:
        if problem.errno in GONE:
            return False
        raise
    return True


def begin() -> Writer:
    """From now on whoever speaks is never kept waiting. The writer lives until :func:`finish`."""
    global _writer
    if _writer is None:
        from linda_cli.console.writer import Writer

        _writer = Writer()
    return _writer


def finish(patience: float = 2.0) -> None:
    """Write what is left, for as long as somebody reads, and leave nothing for Python's own end to stumble over."""
    global _writer
    writer, _writer = _writer, None
    if writer is not None:
        writer.close(patience)
    for stream in (sys.stdout, sys.stderr):
        _settle(stream)


def descriptor(stream: TextIO | None) -> int:
    """The stream's file descriptor; -1 where it has none."""
    try:
        return -1 if stream is None else stream.fileno()
    except (OSError, ValueError):
        return -1


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person may be looking; a stream that was closed is none."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def reader_has_gone(stream: TextIO | None) -> bool:
    """Whether the other end of a pipe is closed, asked without writing to it."""
    import select

    try:
        if stream is None:
            return True
        asked = select.poll()
        asked.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in asked.poll(0))
    except (OSError, ValueError):
        return True


def fill_descriptors() -> None:
    """Open what was closed of 0, 1 and 2: else the next file to be opened would be taken for a terminal."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, which is this one: those below are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            import select

            waiting = select.poll()
            waiting.register(target, select.POLLOUT)
            waiting.poll()


def _without_descriptor(stream: TextIO, text: str) -> bool:
    """A stream of a program that has put its own in the place of ours."""
    try:
        stream.write(text)
        stream.flush()
    except ValueError:
        return False
    return True


def _settle(stream: TextIO | None) -> None:
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        # Python would try once more at its end, and complain: what it has left goes nowhere instead.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
