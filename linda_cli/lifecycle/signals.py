"""Ctrl-C, SIGTERM and SIGHUP end a run by closing its browser cleanly; a second Ctrl-C ends the process at once.

What was ignored when linda began stays ignored: SIGHUP under ``nohup``, SIGINT behind a script's ``&``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    """A run."""

    def stop(self, reason: str) -> None:
        """End it cleanly, with this reason."""


@contextlib.contextmanager
def stopping_on_signals(run: Stoppable) -> Iterator[None]:
    """While inside, signals stop the run; afterwards the handlers are as they were. For the main thread.

    The kernel may give a signal to any thread, and Python's handlers run in the main one only when it next wakes, which
    may be in minutes. So the number is taken from the descriptor that Python writes it to at once, by a thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers: dict[signal.Signals, Any] = {name: signal.signal(name, lambda *_: None) for name in heard_signals()}
    descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    thread = threading.Thread(target=_listen, args=(reading, run), name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for name, handler in handlers.items():
            signal.signal(name, handler)
        os.close(writing)
        thread.join(2)
        os.close(reading)


def heard_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a run here. SIGTERM always does: it is what ``linda stop`` sends."""
    ignored = {name for name in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(name) is signal.SIG_IGN}
    return tuple(name for name in _HEARD if name not in ignored)


def _listen(reading: int, run: Stoppable) -> None:
    interrupts = 0
    while numbers := os.read(reading, 64):
        for number in numbers:
            if number == signal.SIGINT:
                interrupts += 1
                if interrupts > 1:
                    # At once means at once: no way out is walked, the next start finds what the last backup holds.
                    os._exit(130)
            if number in _HEARD:
                run.stop(signal.Signals(number).name)
