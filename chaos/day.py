"""A scripted day: random faults on one running session, one logout at the end.

What must hold: no code before the logout, exactly one linking after it, every outage ends, processes and memory flat.
The run goes at a faster pace than the real page's (``Pace``), so that a day takes minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.sandbox.server import Sandbox

NUMBER = "971505760056"

_RUN = """
import json, signal, sys
import linda_cli
from linda_cli.lifecycle.options import Pace
from linda_cli.lifecycle.signals import stopping_on_signals
from linda_cli.lifecycle.start import prepare
from linda_cli.console.jsonable import spelled
from linda_cli.sessions.home import find_home
from pathlib import Path

def tell(told):
    facts = {"event": told.event, "elapsedMs": told.elapsed_ms}
    print(spelled({**facts, **told.facts}), flush=True)

pace = Pace(blip=0.6, own_recovery=6.0, first_retry=0.5, cap=4.0, stable=5.0, heartbeat=2.0)
run = prepare(find_home(Path(sys.argv[1])).home, sys.argv[2], tell, browser_args=json.loads(sys.argv[3]), pace=pace,
              timeout=20.0, hung_after=3.0, max_generations=5)
with stopping_on_signals(run):
    run.execute()
"""


@dataclass(slots=True)
class Figures:
    """What a day was like. Memory in MB of linda's own process, processes below it included in the count only."""

    faults: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    disconnected: int = 0
    reconnected: int = 0
    codes_before: int = 0
    linkings_after: int = 0
    most_processes: int = 0
    memory_first: float = 0.0
    memory_last: float = 0.0
    slowest_ms: int = 0
    broken: list[str] = field(default_factory=list)


class Day:
    """One session that is run, hurt and watched."""

    def __init__(self, home: Path, sandbox: Sandbox, seed: int) -> None:
        self.home = home
        self.sandbox = sandbox
        self.phone = sandbox.phone
        self.random = random.Random(seed)
        self.profile = home / "sessions" / f"session-{NUMBER}"
        self.figures = Figures()
        self.events: list[dict[str, object]] = []
        log = open(home / "day.err", "w")  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(home), NUMBER, json.dumps(sandbox.chrome_args)],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = ""

    # -- hearing

    def hear(self) -> None:
        """Take in what was said since."""
        assert self.process.stdout is not None
        with contextlib.suppress(BlockingIOError, TypeError):
            self._rest += self.process.stdout.read() or ""
        *lines, self._rest = self._rest.split("\n")
        self.events.extend(json.loads(line) for line in lines)

    def count(self, name: str) -> int:
        return sum(1 for one in self.events if one["event"] == name)

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> bool:
        """Wait for something; what does not come is noted as broken."""
        deadline = time.monotonic() + seconds
        while not done():
            self.hear()
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.figures.broken.append(f"{what}: {[one['event'] for one in self.events[-12:]]}")
                return False
            time.sleep(0.02)
        return True

    def is_ready(self) -> bool:
        """The last word of the run, and the stand-in's own: the device is online."""
        self.hear()
        ends = [one["event"] for one in self.events if one["event"] in ("ready", "disconnected", "reconnected")]
        devices = self.phone.status()["devices"]
        online = any(one["online"] for one in devices if one["removedAt"] is None)
        return bool(ends) and ends[-1] != "disconnected" and online

    # -- faults

    def fault(self) -> None:
        """One random fault, and the way back from it."""
        kinds: dict[str, Callable[[], None]] = {
            "network": self._network,
            "browser killed": self._browser,
            "driver killed": self._driver,
            "page crashed": self._page,
            "401": lambda: self.phone.refuse(self.random.uniform(0.2, 3.0), NUMBER),
            "other window": lambda: self.phone.open_elsewhere("window", NUMBER),
            "storage failure": self._storage,
        }
        # A storage failure climbs a generation, so it must leave some: it comes seldom.
        weights = [5, 4, 2, 3, 3, 2, 0.5]
        name = self.random.choices(list(kinds), weights)[0]
        self.figures.kinds[name] = self.figures.kinds.get(name, 0) + 1
        self.figures.faults += 1
        kinds[name]()
        time.sleep(self.random.uniform(0.1, 1.0))
        self.until(self.is_ready, 90, f"not back after: {name}")
        self._measure()

    def _network(self) -> None:
        self.phone.drop_network()
        time.sleep(self.random.choice([0.2, 1.0, 3.0, self.random.uniform(0.1, 8.0)]))
        self.phone.restore_network()

    def _browser(self) -> None:
        found = find(self.profile)
        if found is not None:
            for one in psutil.Process(found.pid).children(recursive=True)[: self.random.choice([0, 2, 99])]:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            with contextlib.suppress(psutil.Error):
                psutil.Process(found.pid).kill()

    def _driver(self) -> None:
        for one in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if "chromedriver" in one.name():
                    one.kill()

    def _page(self) -> None:
        found = find(self.profile)
        if found is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            devtools = DevTools(found.port.socket_url)
            for page in pages(devtools):
                Tab(devtools, str(page["targetId"])).post("Page.crash")
            time.sleep(0.1)
            devtools.close()

    def _storage(self) -> None:
        subprocess.run(
            [sys.executable, "-m", "linda_cli", "--home", str(self.home), "backup", NUMBER],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        self.phone.break_storage(NUMBER)

    def _measure(self) -> None:
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self.process.pid)
            alive = [one for one in own.children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
            self.figures.most_processes = max(self.figures.most_processes, len(alive))
            memory = own.memory_info().rss / 1e6
            self.figures.memory_first = self.figures.memory_first or memory
            self.figures.memory_last = memory

    # -- the day

    def live(self, faults: int, seconds: float) -> Figures:
        """``faults`` faults or as many as fit, then one logout and one new linking."""
        deadline = time.monotonic() + seconds
        self.until(lambda: self.count("saved") > 0, 60, "never saved")
        while self.figures.faults < faults and time.monotonic() < deadline and not self.figures.broken:
            self.fault()
        self.figures.codes_before = self.count("qr")
        self._log_out()
        self.process.send_signal(signal.SIGTERM)
        self.until(lambda: self.count("stopped") > 0, 60, "never stopped")
        self.process.wait(30)
        self._judge()
        return self.figures

    def _log_out(self) -> None:
        linkings = self.phone.status()["linkings"]
        self.phone.log_out(NUMBER)
        self.until(lambda: self.count("logged_out") > 0, 60, "the logout was not noticed")
        self.until(lambda: self.count("qr") > self.figures.codes_before, 60, "no code after the logout")
        saved = self.count("saved")
        self.phone.scan(NUMBER)
        self.until(lambda: self.count("saved") > saved, 60, "not saved after the new linking")
        self.figures.linkings_after = self.phone.status()["linkings"] - linkings

    def _judge(self) -> None:
        self.figures.disconnected = self.count("disconnected")
        self.figures.reconnected = self.count("reconnected")
        downs = [int(str(one["downMs"])) for one in self.events if one["event"] == "reconnected"]
        self.figures.slowest_ms = max(downs, default=0)
        away = False
        for one in self.events:
            if one["event"] == "disconnected":
                if away:
                    self.figures.broken.append("disconnected twice without an end")
                away = True
            elif one["event"] in ("reconnected", "logged_out", "stopped"):
                away = False
        if self.figures.codes_before:
            self.figures.broken.append("a code was shown before the logout")
        if self.figures.linkings_after != 1:
            self.figures.broken.append(f"{self.figures.linkings_after} linkings after the logout")
        left = [one for one in psutil.process_iter() if str(self.profile) in " ".join(_words(one))]
        if left:
            self.figures.broken.append(f"{len(left)} processes were left behind")


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.cmdline()
    return []


def run(seed: int, seconds: float, faults: int = 200, folder: Path | None = None) -> Figures:
    """A whole day from the first scan on, in a temporary home."""
    import shutil
    import tempfile

    home = Path(tempfile.mkdtemp(prefix="linda-day-", dir=folder)) / ".sandbox"
    sandbox = Sandbox(home / "stand-in")
    sandbox.start()
    sandbox.phone.set_timing(notice=0.2, recover=0.2)
    try:
        link(home)
        return Day(home, sandbox, seed).live(faults, seconds)
    finally:
        sandbox.stop()
        shutil.rmtree(home.parent, ignore_errors=True)


def link(home: Path) -> None:
    """Scan once."""
    from linda_cli.sandbox.running import running

    found = running(home / "stand-in")
    assert found is not None
    from linda_cli.sandbox.phone import Phone

    command = [sys.executable, "-m", "linda_cli", "--home", str(home.parent), "--json", "start", "--sandbox", "--once"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "qr":
                Phone(found.control_url).scan(NUMBER)


if __name__ == "__main__":
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    print(run(seed, float(sys.argv[2]) if len(sys.argv) > 2 else 600.0))
