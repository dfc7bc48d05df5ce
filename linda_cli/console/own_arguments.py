"""Passwords in this process's own command line: taken out of what is shown, kept, and seen by ``ps``."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Sequence

_WHO = re.compile(r"(?<=://)[^\s]*(?=@)")
_HIDDEN = "***"
_ARGUMENTS_BEGIN, _ARGUMENTS_END = 45, 46
"""Where ``/proc/self/stat`` has them, counted after the name."""


def without_passwords(words: Sequence[str]) -> list[str]:
    """The words of a command line, with ``***`` for the user and the password of every URL, and of ``--proxy``."""
    shown: list[str] = []
    for word in words:
        is_proxy = word.startswith("--proxy=") or (shown[-1:] == ["--proxy"])
        shown.append(_replaced(word, is_proxy, lambda _secret: _HIDDEN))
    return shown


def _replaced(word: str, is_proxy: bool, by: Callable[[str], str]) -> str:
    if _WHO.search(word):
        return _WHO.sub(lambda match: by(match[0]), word)
    if is_proxy and "@" in word:
        # No URL, and yet it may be meant as one.
        name, equals, value = word.partition("=") if word.startswith("--proxy=") else ("", "", word)
        secret, _, rest = value.rpartition("@")
        return f"{name}{equals}{by(secret)}@{rest}"
    return word


def hide_own_passwords() -> list[str]:
    """Put ``*`` in the place of passwords in what the system shows of this process, and ``***`` in ``sys.argv``.
    Returns the words after the program's name as they were typed.

    Only the first moments of the process, and whatever typed the command, show them: ``LINDA_PROXY`` shows nothing.
    """
    given = list(sys.argv)
    shown = without_passwords(given)
    if shown == given:
        return given[1:]
    sys.argv[:] = shown
    # A kernel that does not allow it, or shows no command line: then there is nothing more that can be done.
    with contextlib.suppress(OSError, ValueError, IndexError):
        _overwrite(
            [one.encode("utf-8", "surrogateescape") for one, seen in zip(given, shown, strict=True) if one != seen]
        )
    return given[1:]


def _overwrite(words: Sequence[bytes]) -> None:
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    begin, end = int(fields[_ARGUMENTS_BEGIN]), int(fields[_ARGUMENTS_END])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(begin)
        there = memory.read(end - begin)
        for word in words:
            at = there.find(b"\0" + word + b"\0")
            text = word.decode("utf-8", "surrogateescape")
            # As long as it was, so that every other word stays where it is.
            stars = _replaced(text, True, lambda secret: "*" * len(secret.encode("utf-8", "surrogateescape")))
            if at >= 0:
                memory.seek(begin + at + 1)
                memory.write(stars.encode("utf-8", "surrogateescape"))
