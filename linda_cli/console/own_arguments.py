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


_WHOLE = "--notify"
"""The option whose whole value is a password: a URL of apprise."""


def without_passwords(words: Sequence[str]) -> list[str]:
    """The words of a command line, with ``***`` for the user and the password of every URL, of ``--proxy``, and for all
    of ``--notify``."""
    return _replaced_in(words, lambda _: _HIDDEN)


def _replaced_in(words: Sequence[str], by: Callable[[str], str]) -> list[str]:
    shown: list[str] = []
    before = ""
    for word in words:
        if before == _WHOLE:
            shown.append(by(word))
        elif word.startswith(f"{_WHOLE}="):
            shown.append(f"{_WHOLE}={by(word.removeprefix(f'{_WHOLE}='))}")
        else:
            shown.append(_replaced(word, word.startswith("--proxy=") or before == "--proxy", by))
        before = word
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
        starred = _replaced_in(given, lambda secret: "*" * len(secret.encode("utf-8", "surrogateescape")))
        _overwrite([(one, stars) for one, stars in zip(given, starred, strict=True) if one != stars])
    return given[1:]


def _overwrite(words: Sequence[tuple[str, str]]) -> None:
    """Put the second of each pair in the place of the first, which is as long, so that every other word stays."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    begin, end = int(fields[_ARGUMENTS_BEGIN]), int(fields[_ARGUMENTS_END])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(begin)
        there = memory.read(end - begin)
        for word, stars in words:
            at = there.find(b"\0" + word.encode("utf-8", "surrogateescape") + b"\0")
            if at >= 0:
                memory.seek(begin + at + 1)
                memory.write(stars.encode("utf-8", "surrogateescape"))
