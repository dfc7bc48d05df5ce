"""The lower end of the terminal: what was said stays above, the code on show below is redrawn in place."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass

from linda_cli.console import Console, clean, output, put, qr


@dataclass(frozen=True, slots=True)
class _Shown:
    """A code and until when it lives."""

    lines: list[str]
    width: int
    until: float
    attempt: int


class Screen:
    """Says lines and shows one code at a time.

    Where the terminal has no room for the code, or cannot redraw, each code is printed once, whole.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._code: _Shown | None = None
        self._drawn: list[int] = []
        """The widths of the lines that stand on the screen now, the caption's last."""
        self._size = os.terminal_size((80, 24))
        self._ticker: threading.Thread | None = None

    def say(self, line: str) -> None:
        """A line above the code. An empty one only takes the code out of the way."""
        with self._lock:
            put(sys.stderr, self._erased() + (f"{clean(line)}\n" if line else "") + self._redrawn())

    def show(self, text: str, seconds: float, attempt: int) -> None:
        """Show a code in the place of the one before it."""
        with self._lock:
            plain = qr.lines(text, colour=False)
            drawn = qr.lines(text, colour=True) if self._console.fancy else plain
            before = self._erased()
            self._code = _Shown(drawn, len(plain[0]), time.monotonic() + seconds, attempt)
            put(sys.stderr, before + self._redrawn())
            if self._drawn and self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, name="countdown", daemon=True)
                self._ticker.start()

    def clear(self) -> None:
        """Take the code off the screen: it is a secret while it lives."""
        with self._lock:
            self._code, erased = None, self._erased()
            if erased:
                put(sys.stderr, erased)

    def _tick(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                if not self._drawn or self._code is None or output.begin().is_behind(output.descriptor(sys.stderr)):
                    continue
                if _size() != self._size:
                    put(sys.stderr, self._erased() + self._redrawn())
                else:
                    # Only the last line changes: one up, to its start, cleared, written again.
                    put(sys.stderr, f"\x1b[1A\r\x1b[K{self._caption(self._code)}\n")

    def _erased(self) -> str:
        """What takes the code off the screen; nothing where none stands there."""
        if not self._drawn:
            return ""
        columns = max(1, _size().columns)
        # A terminal that was made narrower has wrapped the lines that stood there.
        rows = sum(-(-width // columns) for width in self._drawn)
        self._drawn = []
        return f"\x1b[{rows}A\r\x1b[J"

    def _redrawn(self) -> str:
        """What puts the code on the screen again; where it must be printed whole, it is for this once."""
        code = self._code
        if code is None:
            return ""
        self._size = _size()
        whole = "\n".join(code.lines)
        if not self._console.fancy or self._size.columns <= code.width or self._size.lines <= len(code.lines) + 2:
            self._code = None
            left = max(0, round(code.until - time.monotonic()))
            return f"{whole}\ncode {code.attempt}: scan it with WhatsApp > Linked devices within {left} s\n"
        caption = self._caption(code)
        self._drawn = [*(code.width for _ in code.lines), len(caption)]
        return f"{whole}\n{caption}\n"

    def _caption(self, code: _Shown) -> str:
        left = max(0, round(code.until - time.monotonic()))
        told = f"code {code.attempt}: scan it with WhatsApp > Linked devices; a new one in {left} s"
        # One line, whatever the width: it is found again by counting lines.
        return told if len(told) < self._size.columns else f"code {code.attempt}: a new one in {left} s"


def _size() -> os.terminal_size:
    # Asked of the terminal itself: COLUMNS and LINES of a shell are those of its start.
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size((80, 24))
