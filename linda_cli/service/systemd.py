"""systemd's own programs, and where its units lie."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from linda_cli.errors import Failed
from linda_cli.service.models import Scope

_PATIENCE = 120.0
"""Seconds for a command of systemctl: a stop waits for the browser to be closed."""

_ABOUT = "ActiveState,SubState,StatusText,MainPID,NextElapseUSecRealtime"


def folder(scope: Scope, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the units of this scope are written."""
    if scope is Scope.SYSTEM:
        return Path("/etc/systemd/system")
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".config") / (
        "systemd/user"
    )


def answers(scope: Scope) -> bool:
    """Whether the service manager of this scope runs."""
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        return False
    done = _run([*_systemctl(scope), "show", "--property=Version"], within=5.0)
    return done is not None and done.returncode == 0


def systemctl(scope: Scope, *words: str) -> None:
    """Run it. Raises ``Failed`` with what it said."""
    command = [*_systemctl(scope), *words]
    done = _run(command)
    if done is None or done.returncode != 0:
        said = " ".join((done.stderr if done else "no answer in time").split())[:300]
        raise Failed(f"{' '.join(command)}: {said}", f"{' '.join(_systemctl(scope))} status {' '.join(words[1:])}")


def state_of(scope: Scope, unit: str) -> tuple[str, str]:
    """(state, detail) of a unit, in systemd's words."""
    done = _run([*_systemctl(scope), "show", unit, f"--property={_ABOUT}"], within=10.0)
    if done is None or done.returncode != 0:
        return "unknown", ""
    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    detail = told.get("StatusText") or told.get("NextElapseUSecRealtime") or told.get("SubState", "")
    return told.get("ActiveState", "unknown"), detail


def linger() -> str | None:
    """Let this user's services run without a login; a note where that needs an administrator."""
    if shutil.which("loginctl") is None:
        return "sudo loginctl enable-linger $USER"
    done = _run(["loginctl", "enable-linger"], within=10.0)
    return None if done is not None and done.returncode == 0 else "sudo loginctl enable-linger $USER"


def journal(scope: Scope, unit: str, lines: int, follow: bool) -> int:
    """Show the unit's log on our own stdout; gives the exit code. Raises ``Failed`` where there is none."""
    if shutil.which("journalctl") is None:
        raise Failed("there is no journal on this machine", "linda logs --follow")
    where = ["--user-unit", unit] if scope is Scope.USER else ["--unit", unit]
    words = ["journalctl", *where, f"--lines={lines}", "--no-pager", *(["--follow"] if follow else [])]
    return subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode


def _systemctl(scope: Scope) -> list[str]:
    return ["systemctl", "--user"] if scope is Scope.USER else ["systemctl"]


def _run(command: list[str], within: float = _PATIENCE) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=within, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
