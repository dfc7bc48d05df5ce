"""A real terminal for the tests: tmux on a socket of its own, and eyes that read a QR code off it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# A terminal has its own size, whatever the tests run in.
_NOT_INHERITED = ("NO_COLOR", "TMUX", "COLUMNS", "LINES")

# As a dark theme has them: what is black on white on such a screen was made so on purpose.
DARK = (200, 0)
LIGHT = (30, 255)
_BLOCKS = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


class Terminal:
    """One command in a terminal. Leaving the block ends it, and this tmux server with it."""

    def __init__(self, command: list[str], *, columns: int = 100, lines: int = 50, **environ: str) -> None:
        # A socket's path must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="linda-tmux-")
        socket = Path(self._folder.name) / "socket"
        settings = Path(self._folder.name) / "tmux.conf"
        settings.write_text("set -g remain-on-exit on\nset -g history-limit 5000\nset -g status off\n")
        self._tmux = ["tmux", "-u", "-S", str(socket), "-f", str(settings)]
        self._environ = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
        if "PATH" in environ:
            # tmux gives its commands the path of whoever asks for the session, whatever -e says.
            self._environ["PATH"] = environ["PATH"]
        given = [word for key, value in environ.items() for word in ("-e", f"{key}={value}")]
        # tmux does not always learn how its command ended, so a shell writes it down.
        self._status = Path(self._folder.name) / "status"
        script = (
            f"trap : INT; {shlex.join(command)}; echo $? > {self._status}.new; mv {self._status}.new {self._status}"
        )
        self._do("new-session", "-d", "-x", str(columns), "-y", str(lines), *given, f"sh -c {shlex.quote(script)}")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended:
            self._do("send-keys", "C-c")
        deadline = time.monotonic() + 15
        while not self.ended and time.monotonic() < deadline:
            time.sleep(0.05)
        self._do("kill-server")
        self._folder.cleanup()

    def screen(self, *, all_of_it: bool = False) -> str:
        """What stands there now, with its colours; ``all_of_it``: what has scrolled away too."""
        return self._do("capture-pane", "-p", "-e", "-N", *(("-S", "-") if all_of_it else ()))

    def text(self, *, all_of_it: bool = False) -> str:
        """The same without colours."""
        return _SGR.sub("", self.screen(all_of_it=all_of_it))

    def wait_for(self, words: str | Callable[[str], bool], timeout: float = 30) -> str:
        """Wait until the screen has these words, or is as wanted; give its text."""
        deadline = time.monotonic() + timeout
        while True:
            text = self.text()
            if words(text) if callable(words) else words in text:
                return text
            assert time.monotonic() < deadline, f"never came: {words}\n{text}"
            time.sleep(0.05)

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._do("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """Make the window larger or smaller."""
        self._do("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def ended(self) -> bool:
        return self._status.exists()

    def exit_code(self, timeout: float = 30) -> int:
        """Wait for the command's end."""
        deadline = time.monotonic() + timeout
        while not self.ended:
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)
        return int(self._status.read_text())

    def _do(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, check=True, env=self._environ, timeout=20)
        return done.stdout.decode()


@dataclass(frozen=True, slots=True)
class _Cell:
    upper: int
    lower: int


def codes_on(screen: str, folder: Path, *, scale: int = 4, theme: tuple[int, int] = DARK) -> list[str]:
    """The texts of the QR codes that a camera sees on this screen; ``theme``: the greys of its ink and its paper."""
    rows = _cells(screen, theme)
    width = max((len(row) for row in rows), default=0)
    blank = _Cell(theme[1], theme[1])
    picture = bytearray()
    for row in rows:
        row += [blank] * (width - len(row))
        for half in ("upper", "lower"):
            line = b"".join(bytes([getattr(cell, half)]) * scale for cell in row)
            picture += line * scale
    file = folder / "screen.pgm"
    file.write_bytes(f"P5 {width * scale} {len(rows) * 2 * scale} 255\n".encode() + picture)
    return codes_in(file)


def codes_in(picture: Path) -> list[str]:
    """The texts of the QR codes in a picture."""
    done = subprocess.run(
        ["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", str(picture)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout.splitlines()


def _cells(screen: str, theme: tuple[int, int]) -> list[list[_Cell]]:
    """Every half character in its grey; a colour lasts until the next one, beyond the end of a line too."""
    ink, paper = theme
    rows: list[list[_Cell]] = []
    for line in screen.splitlines():
        rows.append([])
        at = 0
        while at < len(line):
            if match := _SGR.match(line, at):
                ink, paper = _coloured(match[1], ink, paper, theme)
                at = match.end()
                continue
            upper, lower = _BLOCKS.get(line[at], (False, False))
            rows[-1].append(_Cell(ink if upper else paper, ink if lower else paper))
            at += 1
    return rows


def _coloured(codes: str, ink: int, paper: int, theme: tuple[int, int]) -> tuple[int, int]:
    """Colours are grey values here; of the 256 only the fixed black and white are known."""
    words = [int(word or 0) for word in codes.split(";")]
    while words:
        word = words.pop(0)
        if word in (38, 48):
            assert words.pop(0) == 5
            grey = {16: 0, 231: 255}[words.pop(0)]
            ink, paper = (grey, paper) if word == 38 else (ink, grey)
        elif word == 0:
            ink, paper = theme
        elif word == 39:
            ink = theme[0]
        elif word == 49:
            paper = theme[1]
    return ink, paper
