"""A scripted day: random faults on one running session, one logout at the end.

What must hold: no code before the logout, exactly one linking after it, every outage ends, processes and memory flat.
The run goes at a faster pace than the real page's (``Pace``), so that a day takes minutes.

``python -m chaos.day SEED SECONDS [FAULTS]`` runs one and tells its figures, memory every ten minutes among them.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.browser.strays import drivers
from linda_cli.sandbox.faults import DIALOGS, LANGUAGES
from linda_cli.sandbox.server import Sandbox
from linda_cli.whatsapp.page import URL

NUMBER = "971505760056"

_FAULTS = 200

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


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` seconds after the first fault: MB resident of linda's own process, processes alive below it."""

    at: float
    memory: float
    processes: int


@dataclass(slots=True)
class Record:
    """What a day was like."""

    faults: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    disconnected: int = 0
    reconnected: int = 0
    codes_before: int = 0
    linkings_after: int = 0
    slowest_ms: int = 0
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    """After every fault, once the session is back."""
    broken: list[str] = field(default_factory=list)

    @property
    def most_processes(self) -> int:
        return max((one.processes for one in self.samples), default=0)

    def memory(self, after: float = float("inf")) -> float:
        """What linda took ``after`` so many seconds, or at the last look."""
        until = [one for one in self.samples if one.at <= after] or self.samples[:1]
        # The middle of a few looks: one of them may fall into a backup, which takes some megabytes for a moment.
        few = sorted(one.memory for one in until[-9:])
        return few[len(few) // 2] if few else 0.0

    def story(self) -> Iterator[str]:
        """The figures, a line each."""
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.kinds.items(), key=lambda one: -one[1]))
        yield f"{self.faults} faults in {self.seconds / 60:.0f} minutes: {kinds}"
        yield f"outages told {self.disconnected}, ended {self.reconnected}; slowest way back {self.slowest_ms / 1000} s"
        yield f"codes before the logout {self.codes_before}, linkings after it {self.linkings_after}"
        last = self.samples[-1].processes if self.samples else 0
        yield f"most processes at once {self.most_processes}, at the last look {last}"
        moments = [0.0, *(600.0 * tens for tens in range(1, round(self.seconds / 600))), self.seconds]
        yield "MB: " + ", ".join(f"{self.memory(at):.1f} after {at / 60:.0f} min" for at in moments)
        yield from (f"BROKEN {one}" for one in self.broken)


class Day:
    """One session that is run, hurt and watched."""

    def __init__(self, home: Path, sandbox: Sandbox, seed: int) -> None:
        self.home = home
        self.sandbox = sandbox
        self.phone = sandbox.phone
        self.random = random.Random(seed)
        self.profile = home / "sessions" / f"session-{NUMBER}"
        self.record = Record()
        self.began = time.monotonic()
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
        self._other_tab: str | None = None

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
                self.record.broken.append(f"{what}: {[one['event'] for one in self.events[-12:]]}")
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
            "other window": self._window,
            "storage failure": self._storage,
            "dialog": self._dialog,
            "language": lambda: self.phone.language(self.random.choice(LANGUAGES)),
            "page reloaded itself": lambda: self.phone.reload_page(NUMBER, boot=self.random.uniform(0, 3)),
            "code shown first": self._code_first,
            "keys renamed": self._keys,
            "screen": self._screen,
            "silent network": self._silence,
            "sync": self._sync,
            "storage unreadable": self._unreadable,
        }
        # A storage failure climbs a generation, so it must leave some: it comes seldom.
        weights = [5, 4, 2, 3, 3, 2, 0.5, 2, 1, 2, 1, 1, 2, 1, 1, 2]
        name = self.random.choices(list(kinds), weights)[0]
        self.record.kinds[name] = self.record.kinds.get(name, 0) + 1
        self.record.faults += 1
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

    def _window(self) -> None:
        """Another tab of the origin in the same browser takes the lock; the tab of the time before goes first."""
        found = find(self.profile)
        if found is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            devtools = DevTools(found.port.socket_url)
            if self._other_tab is not None:
                with contextlib.suppress(OSError):
                    devtools.call("Target.closeTarget", targetId=self._other_tab)
            self._other_tab = str(devtools.call("Target.createTarget", url=URL)["targetId"])
            devtools.close()
        time.sleep(2)

    def _code_first(self) -> None:
        self.phone.reload_page(NUMBER, code=self.random.uniform(0.2, 2.5), hide_keys=self.random.random() < 0.5)

    def _unreadable(self) -> None:
        self.phone.break_page("local-storage")
        time.sleep(self.random.uniform(0.5, 3.0))
        self.phone.break_page()
        self.phone.reload_page(number=NUMBER)

    def _dialog(self) -> None:
        self.phone.dialog(self.random.choice(DIALOGS), NUMBER)
        time.sleep(self.random.uniform(0.1, 2.0))
        self.phone.dialog(None, NUMBER)
        if pressed := self.phone.status()["pressed"]:
            # "Use here" of another window is pressed for good reason.
            self.record.broken += [f"pressed {one}" for one in pressed if one["dialog"] != "window"]

    def _keys(self) -> None:
        self.phone.rename_keys(self.random.choice(("noise", "wid", "both", "back")), NUMBER)

    def _screen(self) -> None:
        self.phone.screen(self.random.choice(("app-lock", "service-unavailable", "unknown", "call-takeover")), NUMBER)
        time.sleep(self.random.uniform(0.1, 8.0))
        self.phone.screen(None)

    def _silence(self) -> None:
        self.phone.drop_network("silent")
        time.sleep(self.random.uniform(0.5, 5.0))
        self.phone.restore_network()

    def _sync(self) -> None:
        self.phone.set_timing(resync=self.random.uniform(1, 8), sync_stall=self.random.choice((40, 100)))
        self.phone.reload_page(NUMBER)
        time.sleep(0.5)
        self.phone.set_timing(resync=0, sync_stall=100)

    def _measure(self) -> None:
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self.process.pid)
            alive = [one for one in own.children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
            now = time.monotonic() - self.began
            self.record.samples.append(Sample(now, own.memory_info().rss / 1e6, len(alive)))

    # -- the day

    def live(self, faults: int, seconds: float) -> Record:
        """``faults`` faults or as many as fit, then one logout and one new linking."""
        deadline = time.monotonic() + seconds
        self.until(lambda: self.count("saved") > 0, 60, "never saved")
        self.began = time.monotonic()
        while self.record.faults < faults and time.monotonic() < deadline and not self.record.broken:
            self.fault()
        self.record.seconds = time.monotonic() - self.began
        self.record.codes_before = self.count("qr")
        if not self.record.broken:
            self._log_out()
        self.process.send_signal(signal.SIGTERM)
        self.until(lambda: self.count("stopped") > 0, 60, "never stopped")
        self.process.wait(30)
        if self.record.broken:
            self.record.broken.append(f"ended with {self.process.returncode}: {self._last_words()}")
        self._judge()
        return self.record

    def _last_words(self) -> str:
        return (self.home / "day.err").read_text()[-1500:]

    def _log_out(self) -> None:
        linkings = self.phone.status()["linkings"]
        self.phone.log_out(NUMBER)
        self.until(lambda: self.count("logged_out") > 0, 60, "the logout was not noticed")
        self.until(lambda: self.count("qr") > self.record.codes_before, 60, "no code after the logout")
        saved = self.count("saved")
        self.phone.scan(NUMBER)
        self.until(lambda: self.count("saved") > saved, 60, "not saved after the new linking")
        self.record.linkings_after = self.phone.status()["linkings"] - linkings

    def _judge(self) -> None:
        self.record.disconnected = self.count("disconnected")
        self.record.reconnected = self.count("reconnected")
        downs = [int(str(one["downMs"])) for one in self.events if one["event"] == "reconnected"]
        self.record.slowest_ms = max(downs, default=0)
        away = False
        for one in self.events:
            if one["event"] == "disconnected":
                if away:
                    self.record.broken.append("disconnected twice without an end")
                away = True
            elif one["event"] in ("reconnected", "logged_out", "stopped"):
                away = False
        if self.record.codes_before:
            self.record.broken.append("a code was shown before the logout")
        if self.record.linkings_after != 1 and not self.record.broken:
            self.record.broken.append(f"{self.record.linkings_after} linkings after the logout")
        if strays := [one.pid for one in drivers(self.profile.parent)]:
            self.record.broken.append(f"ChromeDrivers were left behind: {strays}")
        left = [one for one in psutil.process_iter() if str(self.profile) in " ".join(_words(one))]
        if left:
            self.record.broken.append(f"{len(left)} processes were left behind")


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.cmdline()
    return []


def pieces(seed: int) -> list[Piece]:
    """One day of 200 faults, or as many as the time allows."""
    return [Piece("a day", _FAULTS, lambda until: _judged(seed, until))]


def _judged(seed: int, until: float) -> Figures:
    record = a_day(seed, until - time.monotonic())
    figures = Figures(planned=_FAULTS)
    figures.tried["faults of a day, each with a way back"] = figures.ran = record.faults
    figures.seen["outages told"], figures.seen["outages ended"] = record.disconnected, record.reconnected
    figures.tried["days"] = 1
    if record.broken:
        figures.lost["days"] = 1
        figures.stories += [f"seed {seed}: {one}" for one in record.broken]
    return figures


def a_day(seed: int, seconds: float, faults: int = _FAULTS, folder: Path | None = None) -> Record:
    """A whole day from the first scan on, in a temporary home."""
    import shutil
    import tempfile

    home = Path(tempfile.mkdtemp(prefix="linda-day-", dir=folder)) / ".sandbox"
    sandbox = Sandbox(home / "stand-in")
    sandbox.start()
    sandbox.phone.set_timing(notice=0.2, recover=0.2, keepalive=1, silence=2)
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
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 600.0
    for line in a_day(seed, seconds, int(sys.argv[3]) if len(sys.argv) > 3 else 100_000).story():
        print(line)
