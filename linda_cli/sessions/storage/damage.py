"""What is wrong with a file, in one line that is safe on a terminal."""

from __future__ import annotations

import errno

# What is there instead of the file (a link, a folder, a device): that is damage. Every other refusal of the system says
# nothing of the bytes.
_SOMETHING_ELSE = frozenset(
    {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EINVAL, errno.ENAMETOOLONG}
)


class Damage(Exception):
    """A store does not read as Chromium left it. ``detail`` is one line without control characters or contents."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unreadable(Damage):
    """The system did not let us read: a wrong owner, a disk that fails, a lock. Whether it is sound is not known."""


class Unknown(Damage):
    """Whole as far as can be told, and in a format that this linda does not know: no damage either."""


def refused(detail: str, error: Exception) -> Damage:
    """What an error of the system means: :class:`Unreadable`, unless it tells that something else lies there."""
    something_else = not isinstance(error, OSError) or error.errno in _SOMETHING_ELSE
    return Damage(detail) if something_else else Unreadable(detail)


def spelled(name: str, limit: int = 80) -> str:
    """A file's name as it may be shown: control characters and undecodable bytes escaped, long names cut."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
