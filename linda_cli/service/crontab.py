"""The lines of a crontab, for machines without systemd. What is not ours in it stays, byte for byte."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from linda_cli.errors import Failed, Misused
from linda_cli.service.models import Plan

_LARGEST = 1 << 20
_PATIENCE = 10.0


def _begin(home: Path) -> str:
    return f"# linda service begin {home}"


def _end(home: Path) -> str:
    return f"# linda service end {home}"


def block(plan: Plan) -> str:
    """Our lines, between two marks that name the home. Raises ``Misused`` for a path that no line can hold."""
    if not str(plan.home).isprintable():
        raise Misused("the home's path has a character that a crontab cannot hold", "linda --home ~/linda start")
    settings = [f"{name}={value}" for name, value in sorted(plan.variables.items()) if value.isprintable()]
    words = " ".join(f"{shlex.quote(one)}" for one in ("env", *settings)) + " " if settings else ""
    main = words + shlex.join(plan.command)
    lines = [
        _begin(plan.home),
        # A second start ends at once where the first one still runs: together they are a restart within 5 minutes.
        f"@reboot {_line(main)} > /dev/null 2>&1",
        f"*/5 * * * * {_line(main)} > /dev/null 2>&1",
    ]
    if plan.timers:
        lines += [
            f"30 3 * * * {_line(words + shlex.join(plan.linda('backup', '--all', '--quiet')))} > /dev/null",
            f"0 4 * * * {_line(words + shlex.join(plan.linda('cleanup')))}",
        ]
    return "\n".join([*lines, _end(plan.home), ""])


def _line(command: str) -> str:
    # cron takes a percent sign for the end of the line.
    return command.replace("%", "\\%")


def without(crontab: str, home: Path) -> str:
    """The crontab without our lines for this home."""
    kept, ours = [], False
    for line in crontab.splitlines(keepends=True):
        told = line.rstrip("\n")
        if told == _begin(home):
            ours = True
        elif ours and told == _end(home):
            ours = False
        elif not ours:
            kept.append(line)
    if ours:
        raise Failed(f"the crontab has no line {_end(home)!r}: nothing was changed", "crontab -e")
    return "".join(kept)


def with_block(crontab: str, plan: Plan) -> str:
    """The crontab with our lines at its end, in place of those that were there for this home."""
    kept = without(crontab, plan.home)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + block(plan)


def lines_of(crontab: str, home: Path) -> list[str]:
    """Our lines for this home."""
    found: list[str] = []
    ours = False
    for line in crontab.splitlines():
        if line in (_begin(home), _end(home)):
            ours = line == _begin(home)
        elif ours:
            found.append(line)
    return found


def read() -> str:
    """This user's crontab, empty where there is none. Raises ``Failed`` where cron is missing or refuses."""
    done = _crontab("-l")
    if done.returncode != 0 and b"no crontab" not in done.stderr:
        raise Failed(f"the crontab cannot be read: {_said(done)}", "crontab -l")
    return done.stdout[:_LARGEST].decode("utf-8", "surrogateescape") if done.returncode == 0 else ""


def write(crontab: str) -> None:
    """Put it in place of the one that is there. Raises ``Failed``."""
    done = _crontab("-", crontab.encode("utf-8", "surrogateescape")) if crontab else _crontab("-r")
    if done.returncode != 0:
        raise Failed(f"the crontab cannot be written: {_said(done)}", "crontab -l")


def _crontab(word: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("crontab")
    if program is None:
        raise Failed("there is no cron on this machine", "sudo apt-get install cron")
    try:
        return subprocess.run([program, word], input=given, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Failed(f"crontab cannot be run: {problem}", "crontab -l") from problem


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode("utf-8", "replace").split())[:200] or f"exit code {done.returncode}"
