"""What must hold of a home whatever happened to it, looked at from outside and through the next command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from chaos.homes import store_of
from linda_cli.errors import LindaError
from linda_cli.sessions import manifest
from linda_cli.sessions.backups import soundness
from linda_cli.sessions.durable import hash_file
from linda_cli.sessions.home import Home
from linda_cli.sessions.login_files import DATABASE, LOCAL_STORAGE, Entry, fingerprint, login_files

_LEFT_ALONE = re.compile(r"\.run-.*\.lock")


@dataclass(frozen=True)
class Facts:
    """What is known of a home before it is attacked: the verdicts it may have after, the logins that must live."""

    number: str
    verdicts: frozenset[str]
    alive: frozenset[str] = field(default_factory=frozenset)
    """Fingerprints; each must be found whole in a profile, a backup or a quarantine."""


def print_of(folder: Path) -> str:
    """The fingerprint of the login in a folder, read afresh."""
    return fingerprint([Entry(path, *hash_file(folder / path)) for path in login_files(folder)])


def prints(home: Home) -> set[str]:
    """Every login that can be come back to: in profiles, sound backups and quarantines."""
    there = set()
    places = [
        *(home.named_profile(number) for number in home.numbers_with_profile()),
        *home.linkings(),
        *(home.at(one) for one in home.stamped("quarantine")),
    ]
    for place in places:
        if place.is_dir() and not place.is_symlink():
            there.add(print_of(place))
    for backup in manifest.listed(home, thorough=True):
        if backup.valid and soundness(home.at(backup.name))[1] is None:
            there.add(backup.fingerprint)
    return there


def whole_state(home: Home) -> list[str]:
    """Complaints about ``session-state.json``: it is missing or it is JSON, never a part of it."""
    try:
        told = json.loads(home.state_file.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        return ["session-state.json is garbled"]
    return [] if isinstance(told.get("sessions"), dict) else ["session-state.json has no sessions"]


def survey(home: Home, facts: Facts, *, state: bool = True) -> list[str]:
    """Complaints of the next command that looks, and of the next one that writes."""
    complaints = whole_state(home) if state else []
    complaints += _verdict(home, facts, "at once")
    told: list[str] = []
    try:
        cleaned = store_of(home, told).cleanup()
        complaints += [f"cleanup: {one}" for one in cleaned.errors]
    except (LindaError, OSError) as problem:
        complaints.append(f"cleanup: {problem!r}")
    complaints += whole_state(home) if state else []
    complaints += _verdict(home, facts, "after cleanup")
    complaints += [f"left behind: {one}" for one in leftovers(home)]
    complaints += [
        f"{one.name} is a broken backup" for one in manifest.listed(home, thorough=True) if one.valid is False
    ]
    lost = facts.alive - prints(home)
    if lost:
        complaints.append(f"{len(lost)} of {len(facts.alive)} logins are nowhere")
    return complaints


def asked(home: Home, facts: Facts) -> list[str]:
    """Complaints of the command line: ``linda info`` and ``linda cleanup`` as processes."""
    complaints = []
    environ = {**os.environ, "SESSION_PATH": str(home.sessions)}
    command = [sys.executable, "-m", "linda_cli", "--home", str(home.root), "--json"]

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False, env=environ, stdin=subprocess.DEVNULL
        )

    info, cleanup = ask("info", facts.number), ask("cleanup")
    told = json.loads(info.stdout or "{}")
    verdict = told.get("verdict") or told.get("error", {}).get("name") or info.stderr[-300:]
    if verdict not in facts.verdicts:
        complaints.append(f"linda info: {verdict}, expected {' or '.join(sorted(facts.verdicts))}")
    if cleanup.returncode or json.loads(cleanup.stdout)["errors"]:
        complaints.append(f"linda cleanup: {cleanup.stdout[-300:]} {cleanup.stderr[-300:]}")
    return complaints


def _verdict(home: Home, facts: Facts, when: str) -> list[str]:
    try:
        verdict = store_of(home).info(facts.number).verdict
    except LindaError as problem:
        verdict = type(problem).__name__
    except Exception as problem:  # noqa: BLE001 - kept and judged by the caller
        return [f"info {when}: {problem!r}"]
    return [] if verdict in facts.verdicts else [f"{verdict} {when}, expected {' or '.join(sorted(facts.verdicts))}"]


def leftovers(home: Home) -> list[str]:
    """Half-done work that nobody will ever finish."""
    found = []
    for folder in dict.fromkeys((home.root, home.cache, home.sessions)):
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if name.startswith(".") and name != ".session-cache" and not _LEFT_ALONE.fullmatch(name):
                found.append(name)
    for number in home.numbers_with_profile():
        for store in (DATABASE, LOCAL_STORAGE):
            inside = home.named_profile(number) / store
            known = inside.is_dir() and not inside.is_symlink()
            found += [f"{store}/{name}" for name in (os.listdir(inside) if known else ()) if name.startswith(".")]
    for backup in home.stamped("backup"):
        found += [f"{backup.name}/{name}" for name in os.listdir(home.at(backup)) if name.startswith(".")]
    return found
