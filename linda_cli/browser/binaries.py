"""Where Chromium and ChromeDriver are, and which version the browser is."""

from __future__ import annotations

import contextlib
import json
import os
import re
from _thread import get_native_id
from collections.abc import Mapping
from pathlib import Path

from linda_cli.browser.environment import scrubbed_environment
from linda_cli.errors import BrowserMissing, BrowserSilent, DriverMismatch

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_DRIVERS = ("chromedriver", "chromium.chromedriver")
# Chromium says four numbers; a wrapper may say others before it, of itself.
_VERSION = re.compile(r"(?<![0-9.])([0-9]{1,5}(?:\.[0-9]{1,6}){3})(?![0-9.])")
_SHORTER = re.compile(r"(?:Chromium|Chrome|Chrome for Testing)\s+([0-9]{1,5}(?:\.[0-9]{1,6}){1,2})\b")
_MOST_SAID = 1 << 16
_INSTALL = "sudo apt-get install chromium chromium-driver"
_UPGRADE = "sudo apt-get install --only-upgrade chromium chromium-driver"


def find_browser(environ: Mapping[str, str] = os.environ) -> Path:
    """``LINDA_CHROME``, else the first Chromium or Chrome on the PATH. Raises ``BrowserMissing``."""
    return _find("LINDA_CHROME", _BROWSERS, "Chromium", environ)


def find_driver(environ: Mapping[str, str] = os.environ) -> Path:
    """``LINDA_CHROMEDRIVER``, else ChromeDriver on the PATH. Raises ``BrowserMissing``."""
    return _find("LINDA_CHROMEDRIVER", _DRIVERS, "ChromeDriver", environ)


def _find(variable: str, names: tuple[str, ...], what: str, environ: Mapping[str, str]) -> Path:
    named = environ.get(variable)
    for name in (named,) if named else names:
        found = _which(name, environ.get("PATH") or os.defpath)
        if found is not None:
            return found
    if named:
        raise BrowserMissing(f"{variable} names {named}, which is no program that can be run", f"unset {variable}")
    raise BrowserMissing(f"{what} was not found", _INSTALL)


def _which(name: str, path: str) -> Path | None:
    """As ``shutil.which``, whose import takes longer than all the rest of a look."""
    places = [name] if os.sep in name else [os.path.join(folder, name) for folder in path.split(os.pathsep) if folder]
    for place in places:
        if os.access(place, os.X_OK) and os.path.isfile(place):
            return Path(place)
    return None


def browser_version(binary: Path, memory: Path | None = None) -> str:
    """The version of a browser or a ChromeDriver, as in ``156.0.8078.79``.

    Raises ``BrowserSilent`` or ``BrowserMissing``.

    Asking takes 50 ms, so the answer is remembered in the file ``memory`` for as long as the binary stays the same.
    """
    status = binary.stat()
    key = [str(binary), status.st_ino, status.st_size, status.st_mtime_ns]
    if memory is not None:
        # Only a shortcut: a memory that is missing or unreadable means asking the browser itself.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(memory.read_text())
            if told["binary"] == key:
                return str(told["version"])
    version = ask_version(binary)
    if memory is not None:
        remember_version(binary, version, memory)
    return version


def remember_version(binary: Path, version: str, memory: Path) -> None:
    """Keep a version that the browser itself said. Only a shortcut: not being able to write it is no failure."""
    # The next command asks the browser again.
    with contextlib.suppress(OSError):
        status = binary.stat()
        key = [str(binary), status.st_ino, status.st_size, status.st_mtime_ns]
        if not memory.parent.is_dir():
            return
        fresh = memory.with_name(f".{memory.name}.{get_native_id()}.{os.getpid()}.new")
        fresh.write_text(json.dumps({"binary": key, "version": version}))
        fresh.replace(memory)


def ask_version(binary: Path) -> str:
    """Ask the browser itself."""
    import subprocess

    try:
        told = subprocess.run(
            [binary, "--version"],
            capture_output=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
            env=scrubbed_environment(),
        )
    except subprocess.TimeoutExpired:
        raise BrowserSilent(f"{binary} does not answer to --version", f"{binary} --version") from None
    except OSError as problem:
        raise BrowserMissing(f"{binary} cannot be run: {problem.strerror}", _INSTALL) from problem
    said, complained = (one[:_MOST_SAID].decode("utf-8", "replace") for one in (told.stdout, told.stderr))
    version = version_in(said)
    if version is None:
        last = (complained or said).strip().splitlines()[-1:] or ["nothing"]
        raise BrowserMissing(f"{binary} --version says {last[0][:200]!a}", _INSTALL)
    return version


def require_fitting_driver(driver: Path, browser: str, memory: Path | None = None) -> None:
    """Raises ``DriverMismatch`` where this ChromeDriver is of another major version than the browser, ``BrowserSilent``
    or ``BrowserMissing`` where it does not say which it is."""
    version = browser_version(driver, memory)
    if version.partition(".")[0] != browser.partition(".")[0]:
        raise DriverMismatch(
            f"{driver} is ChromeDriver {version}, and the browser is Chromium {browser}: "
            "it drives only a browser of its own major version",
            _UPGRADE,
        )


def version_in(said: str) -> str | None:
    """The browser's version in what ``--version`` said, whatever a wrapper said around it."""
    named = [line for line in said.splitlines() if "chrom" in line.lower()]
    for lines in (named, said.splitlines()):
        # The browser speaks last: a wrapper ends by becoming it.
        for line in reversed(lines):
            if match := _VERSION.search(line):
                return match[1]
    match = _SHORTER.search(said)
    return match[1] if match else None


def version_key(version: str) -> tuple[int, ...]:
    """For comparing: 99.0 before 156.0."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
