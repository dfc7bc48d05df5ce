"""How a host ends its browsers so that nothing of them is left, also where they are frozen.

A Chromium that was stopped by a signal leaves its children behind when its main process is killed. The kernel ends all
of them at once by one of two ways: ``cgroup.kill`` of a cgroup (version 2) for each number, or the end of the first
process of a pid namespace that the whole member lives in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

_PREFIX = "linda-"
_WITHIN = 4.0
"""Seconds that the kernel has to end processes, before the fence says that it did not."""


class EnclosureKind(StrEnum):
    """What this host can do."""

    CGROUP = "cgroup"
    PID_NAMESPACE = "pid-namespace"
    NONE = "none"


class Cgroups:
    """A cgroup below ``root`` for each number. The browser moves itself in before it starts anything."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def enclose(self, number: str) -> Path:
        """Make the number's cgroup; gives the file that a process writes its pid to. Raises ``OSError``."""
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "cgroup.procs"

    def kill(self, number: str) -> bool:
        """End everything of a number, whatever state it is in. True once nothing is left."""
        return self._kill(self._folder(number))

    def kill_all(self) -> bool:
        """End everything of every number."""
        done = [self._kill(folder) for folder in self._folders()]
        return all(done)

    def close(self) -> None:
        """Remove cgroups that are empty; one that is in use stays."""
        for folder in (*self._folders(), self.root):
            # Busy or gone already: nothing is lost by a folder that stays.
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _folder(self, number: str) -> Path:
        return self.root / f"{_PREFIX}{number}"

    def _folders(self) -> list[Path]:
        try:
            return sorted(one for one in self.root.iterdir() if one.name.startswith(_PREFIX))
        except OSError:
            return []

    def _kill(self, folder: Path) -> bool:
        deadline = time.monotonic() + _WITHIN
        try:
            (folder / "cgroup.kill").write_text("1")
            # Killed is not yet gone: what is stuck in the kernel still holds its connection.
            while (folder / "cgroup.procs").read_text().strip():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.005)
        except FileNotFoundError:
            return True  # no browser of this number was ever in it
        except OSError:
            return False
        return True


class PidNamespace:
    """The member itself, with every browser, lives in a namespace whose first process is ``pid``."""

    def __init__(self, pid: int) -> None:
        self._handle = os.pidfd_open(pid)

    def kill(self, number: str) -> bool:  # noqa: ARG002 - the kernel knows no numbers
        """End the whole namespace: no part of it can be ended alone for sure."""
        return self.kill_all()

    def kill_all(self) -> bool:
        """End the first process; the kernel ends all others before its end is told."""
        import select

        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return bool(select.select([self._handle], [], [], _WITHIN)[0])

    def close(self) -> None:
        """Let go of the namespace, which goes on."""
        os.close(self._handle)


class ProcessTrees:
    """Where the kernel gives neither: every process whose command line names the number's profile, and its children.

    What Chromium started and lost track of may be missed; whoever runs a fleet on such a host is told so.
    """

    def __init__(self, sessions: Path) -> None:
        self._sessions = sessions

    def kill(self, number: str) -> bool:
        """End what can be found of a number."""
        return kill_browser(self._sessions / f"session-{number}")

    def kill_all(self) -> bool:
        """End what can be found of every number."""
        done = [kill_browser(one) for one in self._sessions.glob("session-*")]
        return all(done)

    def close(self) -> None:
        """Nothing is held."""


Enclosure = Cgroups | PidNamespace | ProcessTrees


def kill_browser(profile: Path) -> bool:
    """SIGKILL to the browser on a profile and all its processes; True once none is left."""
    import psutil

    from linda_cli.browser.processes import family, main_process

    found = main_process(profile)
    if found is None:
        return True
    everyone = family(found.pid)
    for process in everyone:
        # One that has gone meanwhile needs no end.
        with contextlib.suppress(psutil.Error):
            process.kill()
    _, alive = psutil.wait_procs(everyone, timeout=_WITHIN)
    return not alive


def cgroup_root(mounts: str, own: str, name: str) -> Path | None:
    """Where this host may make cgroups, from ``/proc/self/mounts`` and ``/proc/self/cgroup``; None without version 2.

    The folder is a sibling of our own cgroup, or lies in it where we are in the root: a cgroup that has processes may
    have no controllers below it, and we ask for none.
    """
    mounted = next((line.split()[1] for line in mounts.splitlines() if line.split()[2:3] == ["cgroup2"]), None)
    path = next((line[3:] for line in own.splitlines() if line.startswith("0::")), None)
    if mounted is None or path is None:
        return None
    return Path(mounted) / path.strip("/") / f"linda-fence-{name}"


def usable_cgroups(name: str) -> Cgroups | None:
    """Cgroups that this process may make and end; tried, not believed."""
    try:
        root = cgroup_root(Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text(), name)
        if root is None:
            return None
        probe = Cgroups(root.with_name(f"{root.name}-probe"))
        procs = probe.enclose("probe")
        there = (procs.parent / "cgroup.kill").exists()
        with subprocess.Popen(entering(procs, ["sleep", "30"]), stderr=subprocess.DEVNULL) as child:
            try:
                moved = _moved(procs, child)
                ended = there and moved and probe.kill("probe") and child.wait(5) == -signal.SIGKILL
            finally:
                child.kill()
        probe.close()
    except (OSError, subprocess.SubprocessError):
        return None
    return Cgroups(root) if ended else None


def _moved(procs: Path, child: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 5
    while str(child.pid) not in procs.read_text().split():
        if child.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def entering(procs: Path, command: Sequence[str]) -> list[str]:
    """The command, moved into a cgroup before it begins; it does not begin where it cannot be moved."""
    return ["/bin/sh", "-c", 'echo 0 > "$1" && shift && exec "$@"', "sh", str(procs), *command]


def namespace_command(command: Sequence[str]) -> list[str] | None:
    """The command in a pid namespace of its own that ends with whoever started it; None where that is not allowed.

    The namespace has a ``/proc`` of its own, so that pids in it mean what they say.
    """
    unshare, setpriv = shutil.which("unshare"), shutil.which("setpriv")
    if unshare is None or setpriv is None:
        return None
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    words = [setpriv, "--pdeathsig", "KILL", unshare, *user, "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return [*words, *command]


def first_process(unshare: int) -> int | None:
    """The first process of the namespace that ``unshare`` has made, None where it is not there yet, or any more."""
    try:
        told = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
    except OSError:
        return None
    return int(told[0]) if told else None


def choose(name: str) -> EnclosureKind:
    """What this host can do, the better first."""
    if usable_cgroups(name) is not None:
        return EnclosureKind.CGROUP
    return EnclosureKind.PID_NAMESPACE if namespace_command(["true"]) is not None else EnclosureKind.NONE
