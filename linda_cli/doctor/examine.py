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
from linda_cli.errors import LindaError
from linda_cli.lifecycle.program import short_command
from linda_cli.sessions.home import find_home

WITHIN = 1.6
"""Seconds for all the looks. They go side by side, so this bounds the whole answer."""

_FIX_WITHIN = 120.0

Looking = Callable[[], Look]


def patient_of(option: Path | None) -> Patient:
    """This machine, and the home that was named or is found from here."""
    found = find_home(option).home
    try:
        there = found.is_there()
    except PermissionError:
        # Somebody else's: that is what is to be told of it.
        there = True
    return Patient(found if there else None, short_command())


def examine(patient: Patient, within: float = WITHIN) -> Report:
    """Look at everything. Changes nothing."""
    began = time.monotonic()
    looks = _all_at_once(_looks(patient, within), patient, within)
    findings = tuple(finding for look in looks for finding in look.findings)
    return Report(
        healthy=not findings,
        home=str(patient.home.root) if patient.home is not None else None,
        checks=tuple(Checked(look.topic, look.ok, look.detail) for look in looks),
        findings=findings,
        seconds=round(time.monotonic() - began, 3),
    )


def _looks(patient: Patient, within: float) -> dict[Topic, Looking]:
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
            Topic.DISK: partial(files.look_at_disk, patient, home),
            Topic.FILESYSTEM: partial(files.look_at_filesystem, patient, home),
            Topic.LOCKS: partial(logins.look_at_locks, patient, home),
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
    """What cannot even be looked at is itself something to mend."""
    said = problem.message if isinstance(problem, LindaError) else str(problem)
    hint = problem.hint if isinstance(problem, LindaError) and problem.hint else patient.linda("info")
    return Look(topic, said, (Finding(topic, f"cannot be looked at: {said}", hint),))


def _late(topic: Topic, patient: Patient, within: float) -> Look:
    message = f"looking at {topic} takes longer than {within:g} s"
    return Look(topic, message, (Finding(Topic.TIME, message, patient.linda("doctor --timeout 20")),))


def fix(patient: Patient, report: Report, within: float = WITHIN) -> Report:
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
    again = examine(patient, within)
    left = {(finding.topic, finding.command) for finding in again.findings}
    return replace(again, fixed=tuple(one for one in chosen if (one.topic, one.command) not in left))
