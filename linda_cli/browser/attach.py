"""Connecting to a browser that is already running, once it has been proven to be the one on this profile."""

from __future__ import annotations

from pathlib import Path

from linda_cli.browser.devtools import DevTools, DevToolsError
from linda_cli.browser.launch import Running
from linda_cli.browser.processes import occupant, read_port


def find(profile: Path) -> Running | None:
    """Our browser on this profile, None where there is none: the process named by ``SingletonLock`` must be alive
    and name this profile, and the port file must be younger than it."""
    found = occupant(profile)
    if found is None or not found.proven:
        return None
    port = read_port(profile)
    if port is None:
        return None
    try:
        written = (profile / "DevToolsActivePort").stat().st_mtime
    except OSError:
        return None
    # A port file from an earlier browser is older than the process; a second covers the clocks' grain.
    if written < found.started - 1:
        return None
    return Running(profile, found.pid, found.started, port)


def connect(running: Running, timeout: float = 10.0) -> DevTools | None:
    """A connection to it, None where nothing with its uuid answers on the port."""
    try:
        return DevTools(running.port.socket_url, timeout)
    except DevToolsError:
        return None
