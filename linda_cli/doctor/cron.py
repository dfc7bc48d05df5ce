"""What cron would do with the lines of this user's crontab: it knows no shell profile and no PATH of ours."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linda_cli.doctor.models import Finding, Look, Patient, Topic
from linda_cli.lifecycle.program import absolute_command
from linda_cli.sessions.home import find_home

CRON_PATH = "/usr/bin:/bin"
_LARGEST = 1 << 20
_LINE = re.compile(r"^\s*((?:@\w+|(?:\S+\s+){4}\S+)\s+)(.*)$")
_SETTING = re.compile(r"^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
# A word of its own at the beginning of a command, with or without a folder before it.
_LINDA = re.compile(r"(?:^|(?<=[\s;&|(]))((?:\S*/)?linda)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a crontab that calls linda, and the variables that were set above it."""

    line: str
    when: str
    command: str
    program: str
    environ: Mapping[str, str]


def entries_in(crontab: str) -> list[Entry]:
    """The lines that call linda."""
    environ: dict[str, str] = {}
    found = []
    for line in crontab.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if setting := _SETTING.match(line):
            environ[setting[1]] = setting[2].strip("\"'")
        elif (match := _LINE.match(line)) and (program := _LINDA.search(match[2])):
            found.append(Entry(line, match[1].rstrip(), match[2], program[1], dict(environ)))
    return found


def wrong_with(entry: Entry, home: Path) -> str | None:
    """Why cron could not run it; None where it could. ``home``: the user's own, where cron starts everything."""
    path = entry.environ.get("PATH", CRON_PATH)
    where = entry.program if "/" in entry.program else shutil.which(entry.program, path=path)
    if where is None or not os.access(where, os.X_OK):
        return f"{entry.program} is not found on cron's PATH ({path})" if where is None else f"{where} cannot be run"
    if "--home" in entry.command or entry.environ.get("LINDA_HOME") or "cd " in entry.command:
        return None
    environ = {**entry.environ, "HOME": str(home)}
    if not find_home(None, environ, home).home.is_there():
        return f"cron starts it in {home}, which is no home of linda's, and it has no --home"
    return None


def corrected(entry: Entry, home: Path) -> str:
    """The same line with what it lacks spelled out."""
    program = shlex.join(absolute_command())
    named = "--home" in entry.command or bool(entry.environ.get("LINDA_HOME"))
    full = program if named else f"{program} --home {shlex.quote(str(home))}"
    return f"{entry.when} {_LINDA.sub(lambda _: full, entry.command, count=1)}"


def look_at_cron(patient: Patient) -> Look:
    """Would the lines that call linda work?"""
    crontab = read_crontab()
    if crontab is None:
        return Look(Topic.CRON, "no crontab here")
    user_home = Path(patient.environ.get("HOME") or "/")
    entries = entries_in(crontab)
    found = []
    for entry in entries:
        wrong = wrong_with(entry, user_home)
        if wrong is None:
            continue
        home = patient.home.root if patient.home is not None else user_home / "linda"
        kept = f"crontab -l | grep -vxF -e {shlex.quote(entry.line)}"
        command = f"({kept}; echo {shlex.quote(corrected(entry, home))}) | crontab -"
        found.append(Finding(Topic.CRON, f"the crontab's line {entry.line!r} cannot work: {wrong}", command))
    return Look(Topic.CRON, f"{len(entries)} lines call linda", tuple(found))


def read_crontab() -> str | None:
    """This user's crontab; None where there is none, or no cron."""
    program = shutil.which("crontab")
    if program is None:
        return None
    try:
        told = subprocess.run([program, "-l"], capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout[:_LARGEST].decode("utf-8", "replace") if told.returncode == 0 else None
