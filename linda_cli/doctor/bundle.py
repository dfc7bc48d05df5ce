"""One file for a bug report: what the doctor saw, the versions, and the logs, without secrets."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from linda_cli.browser.environment import is_secret
from linda_cli.doctor.models import Patient, Report
from linda_cli.doctor.scrub import GONE, Scrubber, scrubber
from linda_cli.errors import HomeUnusable, LindaError
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.durable import open_regular, write_whole
from linda_cli.sessions.home import Home

_MOST_OF_A_LOG = 200_000
_MOST_LOGS = 100
_MOST_NAMES = 5_000

_STATE = (
    "isLinked", "authMethod", "linkedAt", "lastRestored", "restoreCount", "lastState", "lastReady", "lastStopped",
    "lastStopReason", "backupCount", "createdAt", "linkAfter",
)  # fmt: skip

_VARIABLES = (
    "LINDA_HOME", "SESSION_PATH", "LINDA_NUMBER", "LINDA_CHROME", "LINDA_CHROMEDRIVER", "LINDA_CHROME_ARGS",
    "LINDA_URL", "PATH", "LANG", "LC_ALL", "TERM", "TZ", "NO_COLOR", "TMPDIR", "XDG_RUNTIME_DIR", "INVOCATION_ID",
)  # fmt: skip
"""Of the others only the name is told: their values are not ours to send."""


def write_bundle(path: Path, patient: Patient, report: Report) -> Path:
    """Write the file, mode 0600. Raises ``HomeUnusable`` where it cannot be written."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _contents(patient, report):
            archive.writestr(name, text)
    try:
        write_whole(path.absolute(), packed.getvalue(), durable=False)
    except OSError as problem:
        raise HomeUnusable(
            f"{path} cannot be written: {problem.strerror or problem}", "linda doctor --bundle /tmp/linda.zip"
        ) from problem
    return path.absolute()


def _contents(patient: Patient, report: Report) -> Iterator[tuple[str, str]]:
    numbers = _numbers(patient.home) if patient.home is not None else []
    cleaner = scrubber(numbers, patient.environ)
    for name, value in (
        ("report.json", asdict(report)),
        ("machine.json", _machine()),
        ("environment.json", _environment(patient.environ)),
    ):
        yield name, cleaner.clean(_json(value))
    if patient.home is not None:
        yield "sessions.json", cleaner.clean(_json(_sessions(patient.home)))
        yield "files.txt", cleaner.clean("\n".join(_files(patient.home)))
        yield from _logs(patient.home, cleaner)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=str)


def _numbers(home: Home) -> list[str]:
    return [
        *home.numbers_with_profile(),
        *(one.number for kind in ("backup", "quarantine") for one in home.stamped(kind)),
        *home.forgotten_numbers(),
        *(log.stem.removeprefix("session-") for log in home.logs.glob("session-*.log") if log.stem[8:].isdigit()),
    ]


def _machine() -> dict[str, Any]:
    packages = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"]}
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    return {
        "python": sys.version,
        "linda": packages.get("linda-cli"),
        "platform": platform.platform(),
        "system": system.get("PRETTY_NAME"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memoryMb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "user": "root" if os.geteuid() == 0 else "a user",
        "packages": dict(sorted(packages.items())),
    }


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    told = {name: environ[name] for name in _VARIABLES if name in environ and not is_secret(name)}
    return {"values": told, "others": sorted(name for name in environ if name not in told)}


def _sessions(home: Home) -> Any:
    try:
        overview = store_at(home).overview()
    except (LindaError, OSError) as problem:
        return {"error": str(problem)}
    return [
        {
            "session": one.session,
            "verdict": one.verdict,
            "canRestore": one.can_restore,
            "running": asdict(one.running) if one.running else None,
            "state": {name: one.state[name] for name in _STATE if name in one.state},
            "backups": [
                {**asdict(backup), "login": GONE, "fingerprint": GONE, "label": GONE if backup.label else None}
                for backup in one.backups
            ],
        }
        for one in overview.sessions
    ]


def _files(home: Home) -> Iterator[str]:
    """Names, sizes and rights of what lies in the home; nothing is opened."""
    left = _MOST_NAMES
    for here, folders, names in os.walk(home.root):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            yield f"{status.st_mode:o} {status.st_uid} {status.st_size:>12} {path.relative_to(home.root)}"
            left -= 1
            if left <= 0:
                yield "and more"
                return


def _logs(home: Home, cleaner: Scrubber) -> Iterator[tuple[str, str]]:
    for path in sorted(home.logs.glob("*"))[:_MOST_LOGS]:
        try:
            with os.fdopen(open_regular(path), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_OF_A_LOG))
                text = file.read(_MOST_OF_A_LOG).decode("utf-8", "replace")
        except OSError:
            continue
        if path.name.startswith("browser-"):
            # What a page writes to its console may hold anything, a message too.
            text = "\n".join(line for line in text.splitlines() if "CONSOLE" not in line)
        yield cleaner.clean(f"logs/{path.name}"), cleaner.clean(text)
