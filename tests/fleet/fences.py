"""Fences in processes of their own, and browsers in their enclosures."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from linda_cli.browser.binaries import find_browser
from linda_cli.fleet.enclosure import EnclosureKind, entering, usable_cgroups
from linda_cli.fleet.fence_client import FenceClient, Fenced, find_fence, start_fence
from linda_cli.fleet.fence_process import FenceSettings
from linda_cli.sessions.home import Home


class Fenceable:
    """One host: its fence, and what it heard of it."""

    def __init__(self, url: str, home: Home, name: str = "alpha", life: str = "1", **more: float | int | None) -> None:
        cgroups = usable_cgroups(f"{os.getpid()}-{name}") if "namespace_pid" not in more else None
        kind = EnclosureKind.CGROUP if cgroups is not None else EnclosureKind.PID_NAMESPACE
        self.cgroups = cgroups
        self.settings = FenceSettings(
            url, str(home.root), str(home.sessions), name, life, kind,
            cgroup_root=str(cgroups.root) if cgroups is not None else None, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.home = home
        self.fenced: list[Fenced] = []
        self.gone = 0
        self.child = start_fence(self.settings)
        self.client = self.connect()

    def connect(self) -> FenceClient:
        found = find_fence(self.home.root)
        assert found is not None
        return FenceClient(found[0], self.fenced.append, self._went)

    def _went(self) -> None:
        self.gone += 1

    @property
    def processes(self) -> list[psutil.Process]:
        """The fence and its guard."""
        fence = psutil.Process(self.child.pid)
        return [fence, *fence.children()]

    def close(self) -> None:
        for one in self.processes if self.child.poll() is None else ():
            one.resume()
        if self.child.poll() is None:
            self.client.end()
            self.child.wait(15)
        for pipe in (self.child.stdout,):
            if pipe is not None:
                pipe.close()


@contextmanager
def fence(
    url: str, home: Home, name: str = "alpha", life: str = "1", **more: float | int | None
) -> Iterator[Fenceable]:
    made = Fenceable(url, home, name, life, **more)
    try:
        yield made
    finally:
        made.close()


def start_chromium(profile: Path, cgroup: Path | None) -> subprocess.Popen[bytes]:
    """A real Chromium on a profile, in a cgroup where one is given, once it listens and its page has a process."""
    profile.mkdir(parents=True, exist_ok=True)
    command = [
        str(find_browser()), f"--user-data-dir={profile}", "--headless=new", "--no-sandbox", "--no-first-run",
        "--remote-debugging-port=0", "--disable-gpu", "about:blank",
    ]  # fmt: skip
    child = subprocess.Popen(
        entering(cgroup, command) if cgroup is not None else command, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:
        if b"DevTools listening" in line:
            break
    else:
        raise AssertionError("no Chromium")
    deadline = time.monotonic() + 60
    while not any("--type=renderer" in words for words in map(_words, psutil.Process(child.pid).children(True))):
        assert time.monotonic() < deadline, "no process of the page"
        time.sleep(0.05)
    return child


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended since it was listed
        return ""


def frozen(child: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Stop a browser and all its processes by SIGSTOP, and give them."""
    everyone = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    for one in everyone:
        one.suspend()
    return everyone


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
