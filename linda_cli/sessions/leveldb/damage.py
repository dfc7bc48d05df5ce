"""What is wrong with a file, in one line that is safe on a terminal."""

from __future__ import annotations


class Damage(Exception):
    """A store does not read as Chromium left it. ``detail`` is one line without control characters or contents."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def spelled(name: str, limit: int = 80) -> str:
    """A file's name as it may be shown: control characters and undecodable bytes escaped, long names cut."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
