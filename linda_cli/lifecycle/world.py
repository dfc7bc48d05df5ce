"""What the store must be told about the machine: the installed browser and who is on a profile. Looked up late."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from linda_cli.browser.binaries import ask_version, browser_version, find_browser, remember_version, version_key
from linda_cli.errors import BrowserFailed
from linda_cli.sessions.checks import Holder, Surroundings
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import holder_of
from linda_cli.sessions.values import Running, Stray

if TYPE_CHECKING:
    from linda_cli.browser.processes import Occupant


class Machine:
    """This machine, as the store and the checks want to know it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._memory = home.browser_facts
        self._version: str | None = None

    def around(self, profile: Path) -> Surroundings:
        """The installed browser's version, and the process or host that has the profile open."""
        version = self._known_version(profile)
        if not os.path.lexists(profile / "SingletonLock"):
            return Surroundings(browser_version=version)
        from linda_cli.browser.processes import occupant

        found = occupant(profile)
        if found is None:
            return Surroundings(browser_version=version)
        if self._is_stale(profile, found):
            return Surroundings(browser_version=version, stale_lock=True)
        holder = Holder(found.pid, found.host, found.proven, found.command)
        return Surroundings(browser_version=version, holder=holder)

    def _is_stale(self, profile: Path, found: Occupant) -> bool:
        """A lock that names nobody alive.

        Another host's cannot be asked for: it is dead where no run of another host was heard of lately, so that a
        container that was made anew under another name starts. A pid that now is no browser was given away again.
        """
        if found.here:
            return not found.alive or (
                not found.proven and bool(found.command) and "chrom" not in found.command.lower()
            )
        kind, _, number = profile.name.partition("-")
        holder = holder_of(self._home.run_lock(number if kind == "session" else kind))
        return holder is None or not holder.lives_elsewhere

    def running(self, profile: Path, *, memory: bool = False) -> Running | None:
        """A browser of ours on the profile."""
        if not os.path.lexists(profile / "SingletonLock"):
            return None
        from linda_cli.browser.attach import find
        from linda_cli.browser.processes import memory_mb, occupant

        found = find(profile)
        if found is not None:
            return Running(found.pid, found.port.address, None, memory_mb(found.pid) if memory else 0)
        holder = occupant(profile)
        if holder is not None and holder.proven:
            return Running(holder.pid, None, None, memory_mb(holder.pid) if memory else 0)
        return None

    def strays(self, sessions: Path) -> list[Stray]:
        """Drivers that killed lindas left on profiles in this folder."""
        from linda_cli.browser import strays

        return [Stray(one.pid, one.profile) for one in strays.strays(sessions)]

    def end(self, stray: Stray) -> bool:
        """End one of them."""
        from linda_cli.browser import strays

        found = next((one for one in strays.strays(stray.profile.parent) if one.pid == stray.pid), None)
        return found is not None and strays.end(found)

    def _known_version(self, profile: Path) -> str | None:
        if self._version is None:
            try:
                self._version = browser_version(find_browser(), self._memory)
            except BrowserFailed:
                return None
        # Before a profile is called too new, the browser is asked again: a wrapper may hide that it was upgraded.
        try:
            written_by = (profile / "Last Version").read_text("ascii", "replace").strip()[:40]
        except OSError:
            return self._version
        if version_key(written_by) > version_key(self._version):
            try:
                self._version = ask_version(find_browser())
                remember_version(find_browser(), self._version, self._memory)
            except BrowserFailed:
                return None
        return self._version
