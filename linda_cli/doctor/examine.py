"""All the looks at once, each in a thread of its own: a disk or a network that hangs holds nobody up."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from linda_cli.doctor import cron, files, logins, machine, network, programs
from linda_cli.doctor.models import Checked, Finding, Look, Patient, Report, Topic
from linda_cli.errors import ConfigurationInvalid, ConfigurationUnsafe, LindaError
from linda_cli.lifecycle.program import short_command
from linda_cli.sessions.configuration import GENERAL, ConfigurationFile, read
from linda_cli.sessions.home import Home, find_home

WITHIN = 1.6
"""Seconds for all the looks. They go side by side, so this bounds the whole answer."""

_FIX_WITHIN = 120.0

Looking = Callable[[], Look]
Check = Callable[[ConfigurationFile], object]


def patient_of(option: Path | None) -> Patient:
    """This machine, and the home that was named or is found from here."""
    try:
        found = find_home(option).home
    except (ConfigurationInvalid, ConfigurationUnsafe):
        # Where the file cannot be read, sessions are where they are without one.
        root = find_home(option, {**os.environ, "SESSION_PATH": os.devnull}).home.root
        found = Home(root, root / "sessions")
    try:
        there = found.is_there()
    except PermissionError:
        # Somebody else's: that is what is to be told of it.
        there = True
    return Patient(found if there else None, short_command(), set_by_file=_set_by_file(found.root))


def _set_by_file(root: Path) -> dict[str, str]:
    try:
        file = read(root)
    except LindaError:
        # look_at_configuration says so.
        return {}
    variables = {one.key: one.variable for one in GENERAL}
    return {
        variables[key]: file.wrong(key, "").hint
        for key, value in file.general.items()
        if os.environ.get(variables[key]) == value
    }


def look_at_configuration(root: Path, check: Check) -> Look:
    """Is ``linda.toml`` safe, and does every key of it mean something? ``check`` raises where one does not."""
    try:
        file = read(root)
        if file.exists:
            check(file)
    except (ConfigurationInvalid, ConfigurationUnsafe) as problem:
        wrong = Finding(Topic.CONFIGURATION, problem.message, problem.hint)
        return Look(Topic.CONFIGURATION, problem.message, (wrong,))
    return Look(Topic.CONFIGURATION, str(file.path) if file.exists else "no linda.toml")


def examine(patient: Patient, check: Check, within: float = WITHIN) -> Report:
    """Look at everything. Changes nothing. ``check`` raises for a ``linda.toml`` with an unknown key."""
    began = time.monotonic()
    looks = _all_at_once(_looks(patient, check, within), patient, within)
    findings = tuple(finding for look in looks for finding in look.findings)
    return Report(
        healthy=not findings,
        home=str(patient.home.root) if patient.home is not None else None,
        checks=tuple(Checked(look.topic, look.ok, look.detail) for look in looks),
        findings=findings,
        seconds=round(time.monotonic() - began, 3),
    )


def _looks(patient: Patient, check: Check, within: float) -> dict[Topic, Looking]:
    looks: dict[Topic, Looking] = {
        Topic.BROWSER: partial(programs.look_at_browser, patient),
        Topic.DRIVER: partial(programs.look_at_driver, patient),
        Topic.SANDBOX: partial(programs.look_at_sandbox, patient),
        Topic.FONTS: partial(machine.look_at_fonts, patient),
        Topic.SHARED_MEMORY: partial(machine.look_at_shared_memory, patient),
        Topic.OPEN_FILES: partial(machine.look_at_open_files, patient),
        Topic.TEMPORARY_FOLDER: partial(machine.look_at_temporary_folder, patient),
        Topic.INOTIFY: partial(machine.look_at_inotify, patient),
        Topic.NETWORK: partial(network.look_at_network, patient, within * 0.9),
        Topic.CRON: partial(cron.look_at_cron, patient),
    }
    if patient.home is not None:
        home = patient.home
        looks[Topic.RIGHTS] = partial(files.look_at_rights, patient, home)
        if not os.access(home.root, os.R_OK | os.X_OK):
            # Nothing in it can be looked at; the rights are what is wrong.
            return looks
        looks |= {
            Topic.CONFIGURATION: partial(look_at_configuration, home.root, check),
            Topic.DISK: partial(files.look_at_disk, patient, home),
            Topic.FILESYSTEM: partial(files.look_at_filesystem, patient, home),
            Topic.LOCKS: partial(logins.look_at_locks, home),
            Topic.STORAGE_FORMAT: partial(logins.look_at_storage_format, patient, home),
            Topic.LOGINS: partial(logins.look_at_logins, patient, home),
            Topic.LEFTOVERS: partial(files.look_at_leftovers, patient, home),
        }
    return looks


def _all_at_once(looks: dict[Topic, Looking], patient: Patient, within: float) -> list[Look]:
    deadline = time.monotonic() + within
    done: dict[Topic, Look] = {}

    def look_at(topic: Topic, looking: Looking) -> None:
        try:
            done[topic] = looking()
        except (LindaError, OSError, subprocess.SubprocessError) as problem:
            done[topic] = _failed(topic, problem, patient)

    threads = {
        topic: threading.Thread(target=look_at, args=(topic, looking), name=f"look-{topic}", daemon=True)
        for topic, looking in looks.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    return [done.get(topic) or _late(topic, patient, within) for topic in looks]


def _failed(topic: Topic, problem: Exception, patient: Patient) -> Look:
    """What cannot even be looked at is itself something to fix."""
    said = problem.message if isinstance(problem, LindaError) else str(problem)
    hint = problem.hint if isinstance(problem, LindaError) and problem.hint else patient.linda("info")
    return Look(topic, said, (Finding(topic, f"cannot be looked at: {said}", hint),))


def _late(topic: Topic, patient: Patient, within: float) -> Look:
    message = f"looking at {topic} takes longer than {within:g} s"
    return Look(topic, message, (Finding(Topic.TIME, message, patient.linda("doctor --timeout 20")),))


def fix(patient: Patient, report: Report, check: Check, within: float = WITHIN) -> Report:
    """Run the commands of what is safe, and look again. What they did is in ``fixed``."""
    chosen = [finding for finding in report.findings if finding.safe]
    for command in dict.fromkeys(finding.command for finding in chosen):
        # As a person would: the very line that is printed. Its own failure is seen by the second look.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_FIX_WITHIN,
                env=dict(patient.environ),
            )
    again = examine(patient, check, within)
    left = {(finding.topic, finding.command) for finding in again.findings}
    return replace(again, fixed=tuple(one for one in chosen if (one.topic, one.command) not in left))
