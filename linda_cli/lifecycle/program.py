"""How this very linda is called: for a unit of systemd, a line of a crontab, or a command that is to be pasted."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path


def absolute_command() -> tuple[str, ...]:
    """The words that start this linda from any folder and with any PATH."""
    # The script beside this Python, and not what the PATH happens to have: that may be another linda.
    script = Path(sys.executable).with_name("linda")
    if os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "linda_cli")


def short_command() -> str:
    """The same for a person's shell: ``linda`` where that is this one."""
    words = absolute_command()
    if len(words) == 1:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            there = Path(folder or ".", "linda")
            if os.access(there, os.X_OK) and there.is_file():
                if there.resolve() == Path(words[0]).resolve():
                    return "linda"
                break
    return shlex.join(words)
