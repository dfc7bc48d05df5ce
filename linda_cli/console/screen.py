"""The lower end of the terminal: what was said stays above, the code on show below is redrawn in place."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass

from linda_cli.console import Console, clean, is_terminal, output, put, qr

# The caption and the line on which the cursor stands.
_CAPTIONS = 2


@dataclass(frozen=True, slots=True)
class _Shown:
    """A code and until when it lives."""

    text: str
    until: float
    attempt: int

    @property
    def left(self) -> int:
        """Seconds."""
        return max(0, round(self.until - time.monotonic()))


class Screen:
    """Says lines and shows one code at a time.

    Where it cannot be redrawn, a code is printed once; where it has no room, what it needs is said, and the code comes
    as soon as there is room.
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
            before = self._erased()
            self._code = _Shown(text, time.monotonic() + seconds, attempt)
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
                elif len(self._drawn) > 1:
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
        """What puts the code on the screen again; where it must be printed, it is for this once."""
        code = self._code
        if code is None:
            return ""
        self._size = _size()
        fancy = self._console.fancy
        look = qr.Look(fancy, qr.can_show_blocks(getattr(sys.stderr, "encoding", None)), self._room(fancy))
        drawing = qr.fitting(code.text, look, _CAPTIONS)
        if drawing is None:
            return self._no_room(code, look)
        whole = "\n".join(drawing.lines)
        if not fancy:
            self._code = None
            return f"{whole}\ncode {code.attempt}: scan it with WhatsApp > Linked devices within {code.left} s\n"
        caption = self._caption(code)
        self._drawn = [*(drawing.width for _ in drawing.lines), len(caption)]
        return f"{whole}\n{caption}\n"

    def _room(self, fancy: bool) -> os.terminal_size | None:
        """The size of the terminal; None for a log. What is only printed may scroll: its last half is what is seen."""
        if not is_terminal(sys.stderr):
            return None
        return self._size if fancy else os.terminal_size((self._size.columns, 2 * self._size.lines - _CAPTIONS))

    def _no_room(self, code: _Shown, look: qr.Look) -> str:
        needed = qr.needed(code.text, look, _CAPTIONS)
        if needed is None:
            told = "this terminal's encoding has no characters for it"
        else:
            columns, lines = needed
            lines = lines if look.colour else (lines + _CAPTIONS) // 2
            told = f"needs {columns}x{lines}, has {self._size.columns}x{self._size.lines}: enlarge"
        line = f"code {code.attempt}: {told}, or --qr-file code.png, or --link-with code"
        if self._console.fancy:
            # It stands there as the code would, and gives way for it once the terminal is larger.
            self._drawn = [len(line)]
        else:
            self._code = None
        return f"{line}\n"

    def _caption(self, code: _Shown) -> str:
        told = f"code {code.attempt}: scan it with WhatsApp > Linked devices; a new one in {code.left} s"
        # One line, whatever the width: it is found again by counting lines.
        return told if len(told) < self._size.columns else f"code {code.attempt}: a new one in {code.left} s"


def _size() -> os.terminal_size:
    # Asked of the terminal itself: COLUMNS and LINES of a shell are those of its start.
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size((80, 24))
