"""How the command line begins that a person has to paste: the same program, home and sandbox as this one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

_LINDA = re.compile(r"((?:^|[;&|(]) *(?:ssh \S+ )?(?:[A-Z_]+=\S+ )*)linda(?= +[a-z-])")
"""Where a command begins, after variables that are set for it; never within a path."""


def program(typed: str | None = None) -> str:
    """``linda``, or its path where a shell would not find this one by its name."""
    name = sys.argv[0] if typed is None else typed
    if os.path.basename(name) != "linda" or os.sep not in name:
        return "linda"
    found = shutil.which("linda")
    same = found is not None and os.path.realpath(found) == os.path.realpath(name)
    return "linda" if same else shlex.quote(os.path.abspath(name))


def begin(home: Path | None, sandbox: bool, name: str | None = None) -> str:
    """``linda --home DIR --sandbox``, as far as that was typed."""
    words = [program(name)]
    if home is not None:
        words += ["--home", shlex.quote(str(home))]
    return " ".join([*words, *(["--sandbox"] if sandbox else [])])


def pasteable(hint: str, linda: str) -> str:
    """A hint whose commands begin with ``linda``, as :func:`begin` gives it.

    A hint that names a home itself means exactly that one. Nothing is said twice.
    """
    first, *options = re.split(r" (?=--)", linda)
    if "--home" in hint:
        options = []
    elif "--sandbox" in hint:
        options = [one for one in options if one != "--sandbox"]
    words = " ".join([first, *options])
    return _LINDA.sub(lambda found: f"{found[1]}{words}", hint)
