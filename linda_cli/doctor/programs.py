"""The browser and its driver: there, of fitting versions, and able to use Chromium's own sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from linda_cli.browser.binaries import browser_version, find_browser, find_driver
from linda_cli.browser.flags import extra_arguments
from linda_cli.doctor.commands import install, kernel_setting, quoted
from linda_cli.doctor.models import Finding, Look, Patient, Topic
from linda_cli.errors import BrowserFailed, Misused

_DRIVER_NAMES = ("chromedriver", "chromium.chromedriver")
_MORE_PLACES = ("/usr/bin", "/usr/lib/chromium", "/usr/lib/chromium-browser", "/usr/local/bin", "/snap/bin")
# Chromium's own order: a user namespace, and in it a process namespace.
_NAMESPACES = (
    "import ctypes, sys\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "sys.exit(1 if libc.unshare(0x10000000) or libc.unshare(0x20000000) else 0)\n"
)
_USERNS_CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MOST_USERNS = Path("/proc/sys/user/max_user_namespaces")
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


def look_at_browser(patient: Patient) -> Look:
    """Is there a Chromium that says its version?"""
    try:
        binary = find_browser(patient.environ)
        version = browser_version(binary, patient.memory)
    except BrowserFailed as problem:
        return Look(Topic.BROWSER, problem.message, (_no_browser(patient, problem),))
    try:
        extra_arguments(patient.environ.get("LINDA_CHROME_ARGS", ""))
    except Misused as problem:
        wrong = Finding(Topic.BROWSER, problem.message, patient.unset("LINDA_CHROME_ARGS"))
        return Look(Topic.BROWSER, f"Chromium {version}, {binary}", (wrong,))
    return Look(Topic.BROWSER, f"Chromium {version}, {binary}")


def _no_browser(patient: Patient, problem: BrowserFailed) -> Finding:
    if patient.environ.get("LINDA_CHROME") and _speaks_without(patient, "LINDA_CHROME"):
        return Finding(Topic.BROWSER, problem.message, patient.unset("LINDA_CHROME"))
    return Finding(Topic.BROWSER, problem.message, install(patient, "chromium", "chromium-driver"))


def _speaks_without(patient: Patient, variable: str) -> bool:
    """Whether a browser would be found if this variable were not there."""
    try:
        browser_version(find_browser({k: v for k, v in patient.environ.items() if k != variable}))
    except BrowserFailed:
        return False
    return True


def look_at_driver(patient: Patient) -> Look:
    """Is there a ChromeDriver of the browser's major version?"""
    try:
        driver = find_driver(patient.environ)
        version = browser_version(driver, patient.driver_memory)
    except BrowserFailed as problem:
        return Look(Topic.DRIVER, problem.message, (_no_driver(patient, problem.message),))
    detail = f"ChromeDriver {version}, {driver}"
    try:
        browser = browser_version(find_browser(patient.environ), patient.memory)
    except BrowserFailed:
        return Look(Topic.DRIVER, detail)
    if _major(version) != _major(browser):
        return Look(Topic.DRIVER, detail, (_no_driver(patient, f"{detail}, does not drive Chromium {browser}"),))
    return Look(Topic.DRIVER, detail)


def _no_driver(patient: Patient, message: str) -> Finding:
    """Another driver that is here already is the shortest way."""
    packages = "chromium", "chromium-driver"
    try:
        wanted = _major(browser_version(find_browser(patient.environ), patient.memory))
    except BrowserFailed:
        return Finding(Topic.DRIVER, message, install(patient, *packages))
    for place in _drivers(patient):
        try:
            fits = _major(browser_version(place)) == wanted
        except (BrowserFailed, OSError):
            continue
        if fits:
            return Finding(Topic.DRIVER, message, quoted("export", f"LINDA_CHROMEDRIVER={place}"))
    if patient.environ.get("LINDA_CHROMEDRIVER") and _speaks_without_driver(patient, wanted):
        return Finding(Topic.DRIVER, message, patient.unset("LINDA_CHROMEDRIVER"))
    return Finding(Topic.DRIVER, message, install(patient, *packages))


def _speaks_without_driver(patient: Patient, wanted: str) -> bool:
    environ = {name: value for name, value in patient.environ.items() if name != "LINDA_CHROMEDRIVER"}
    try:
        return _major(browser_version(find_driver(environ))) == wanted
    except BrowserFailed:
        return False


def _drivers(patient: Patient) -> Iterator[Path]:
    folders = [one for one in patient.environ.get("PATH", os.defpath).split(os.pathsep) if one]
    for folder in dict.fromkeys((*folders, *_MORE_PLACES)):
        for name in _DRIVER_NAMES:
            place = Path(folder, name)
            if place.is_file() and os.access(place, os.X_OK):
                yield place


def _major(version: str) -> str:
    return version.partition(".")[0]


def look_at_sandbox(patient: Patient) -> Look:
    """Can Chromium shut a page into its own sandbox?"""
    if patient.is_root:
        return Look(Topic.SANDBOX, "as root Chromium runs without its own sandbox; run linda as a user")
    if "--no-sandbox" in patient.environ.get("LINDA_CHROME_ARGS", ""):
        return Look(Topic.SANDBOX, "switched off by LINDA_CHROME_ARGS")
    if _has_setuid_helper(patient):
        return Look(Topic.SANDBOX, "by the setuid program beside the browser")
    made = subprocess.run([sys.executable, "-I", "-S", "-c", _NAMESPACES], capture_output=True, check=False, timeout=10)
    if made.returncode == 0:
        return Look(Topic.SANDBOX, "by user namespaces")
    return Look(Topic.SANDBOX, "not possible", (_no_sandbox(patient),))


def _has_setuid_helper(patient: Patient) -> bool:
    try:
        binary = find_browser(patient.environ).resolve()
    except BrowserFailed:
        return False
    for folder in (binary.parent, Path("/usr/lib/chromium"), Path("/opt/google/chrome")):
        try:
            status = (folder / "chrome-sandbox").stat()
        except OSError:
            continue
        if status.st_uid == 0 and status.st_mode & 0o4001 == 0o4001:
            return True
    return False


def _no_sandbox(patient: Patient) -> Finding:
    message = "Chromium cannot start its own sandbox and will not start: user namespaces are refused"
    if _number(_USERNS_CLONE) == 0:
        return Finding(Topic.SANDBOX, message, kernel_setting(patient, "kernel.unprivileged_userns_clone", 1))
    if _number(_MOST_USERNS) == 0:
        return Finding(Topic.SANDBOX, message, kernel_setting(patient, "user.max_user_namespaces", 15000))
    if _number(_APPARMOR) == 1:
        key = "kernel.apparmor_restrict_unprivileged_userns"
        return Finding(Topic.SANDBOX, message, kernel_setting(patient, key, 0))
    # A container's own filter of system calls: docs/production.md has the profile that lets Chromium's sandbox work.
    given = patient.environ.get("LINDA_CHROME_ARGS", "")
    return Finding(Topic.SANDBOX, message, quoted("export", f"LINDA_CHROME_ARGS={f'{given} --no-sandbox'.strip()}"))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None
