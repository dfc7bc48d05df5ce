"""The report of the last bug, kept in the home: one file, whose writer is told where it is."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.home import find_home

NAME = "bug.log"
_MOST = 1 << 20


def write(option: Path | None, command: Sequence[str], bug: BaseException) -> Path | None:
    """Write what is needed to mend a bug; a newer report takes the place of an older one.

    In the home's ``logs/``; where there is none, or it cannot be written, in the temporary folder. None where
    nothing can be written anywhere.
    """
    trace = "".join(traceback.format_exception(bug))
    text = f"linda {' '.join(command)}\nPython {sys.version}\n\n{trace}"
    data = text.encode("utf-8", "replace")[-_MOST:]
    for path in (_in_home(option), Path(tempfile.gettempdir()) / f"linda-{os.getuid()}-{NAME}"):
        try:
            if path is not None:
                write_whole(path, data, durable=False)
                return path
        except OSError:
            # A full or read-only home: the temporary folder is tried.
            continue
    return None


def _in_home(option: Path | None) -> Path | None:
    try:
        home = find_home(option).home
        return home.logs / NAME if home.logs.is_dir() else None
    except (OSError, ValueError):
        return None
