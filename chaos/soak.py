"""``linda serve`` with ten accounts, hurt at random: browsers, pages, network, refusals, and the server itself.

What must hold after each fault: every account ready again, no code, one browser for each account and no process more.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator

import psutil

from chaos.alive import empty
from chaos.figures import Figures
from chaos.pieces import Piece
from linda_cli.browser.attach import find
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.browser.strays import drivers, strays
from tests.linda import World
from tests.server.served import Served

ACCOUNTS = 10
FAULTS = 25
_PIECES = 14
"""350 faults in about 30 minutes."""

_SERVE = """
import json, sys
from pathlib import Path
from linda_cli.console import Console
from linda_cli.console.service import Service
from linda_cli.lifecycle.options import Pace
from linda_cli.server.serve import serve
from linda_cli.server.settings import Settings
from linda_cli.sessions.home import find_home

pace = Pace(blip=0.6, own_recovery=6.0, first_retry=0.5, cap=4.0, stable=5.0, heartbeat=2.0)
settings = Settings(port=0, restore_after=0.0, pace=pace, keep_browsers="keep" in sys.argv, timeout=60.0,
                    browser_args=tuple(json.loads(sys.argv[2])))
serve(find_home(Path(sys.argv[1])).home, settings, Service(Console(json=True)))
"""


class _Quick(Served):
    """A server that is as patient as the stand-in needs, so that a day takes minutes."""

    def __init__(self, world: World, *words: str) -> None:
        args = json.dumps(world.sandbox.chrome_args)
        super().__init__(world, command=[sys.executable, "-c", _SERVE, str(world.inner), args, *words])


class Soak:
    """A server, its accounts, and what is done to them."""

    def __init__(self, world: World, chosen: random.Random, numbers: list[str]) -> None:
        self.world = world
        self.random = chosen
        self.numbers = numbers
        self.server = _Quick(world).__enter__()
        self.kinds: dict[str, Callable[[], None]] = {
            "browser killed": self._browser,
            "page crashed": self._page,
            "network away": self._network,
            "401": lambda: self.world.phone.refuse(self.random.uniform(0.2, 3.0), self._one()),
            "page reloads itself": lambda: self.world.phone.reload_page(
                boot=self.random.uniform(0, 6), number=self._one()
            ),
            "keys renamed": self._rename,
            "dialog": self._dialog,
            "server killed": self._kill_server,
            "server restarted": self._restart_server,
            "server restarted, browsers kept": self._restart_keeping,
        }
        self.kept = False

    def _rename(self) -> None:
        number = self._one()
        self.world.phone.rename_keys("both", number)
        time.sleep(self.random.uniform(0.5, 3.0))
        self.world.phone.rename_keys("back", number)

    def _dialog(self) -> None:
        self.world.phone.dialog(self.random.choice(["log-out", "delete-chat", "database-error"]), self._one())
        time.sleep(self.random.uniform(0.2, 2.0))
        self.world.phone.dialog(None)

    def end(self) -> list[str]:
        """Stop the server; what is left then is a complaint."""
        code = self.server.stop()
        wrong = [f"the server ended with {code}: {self.server.errors[-3:]}"] if code else []
        return wrong + self._left(0)

    def fault(self) -> tuple[str, list[str]]:
        """One fault and the way back: (which, complaints)."""
        name = self.random.choice(list(self.kinds))
        self.kinds[name]()
        time.sleep(self.random.uniform(0.1, 1.0))
        wrong = self.wait(120) or self._left(len(self.numbers))
        if self.server.all("qr"):
            wrong.append("a code was shown")
        return name, wrong

    def wait(self, seconds: float) -> list[str]:
        """Complaints about accounts that are not ready in time, by linda's word and by the stand-in's."""
        deadline = time.monotonic() + seconds
        while True:
            told = {one["clientId"]: one for one in self.server.get("sessions")["sessions"]}
            online = {one["number"] for one in self.world.phone.status()["devices"] if one["online"]}
            away = [number for number in self.numbers if not told[number]["isReady"] or number not in online]
            if not away:
                return []
            if time.monotonic() > deadline:
                return [
                    f"{number} is not ready: {told[number]['status']}, {told[number]['problem']}" for number in away
                ]
            time.sleep(0.1)

    def _left(self, wanted: int) -> list[str]:
        deadline = time.monotonic() + 10
        # While a server runs it may drive a page that had to be acted on; what nobody drives with is a leak.
        left = strays if wanted else drivers
        while True:
            browsers = [str(one.pid) for one in self.world.browsers()]
            leaked = [str(one.pid) for one in left(self.world.inner / "sessions")]
            if len(browsers) == wanted and not leaked:
                return []
            if time.monotonic() > deadline:
                return [f"{len(browsers)} browsers for {wanted} accounts, drivers {leaked}"]
            time.sleep(0.1)

    def _one(self) -> str:
        return self.random.choice(self.numbers)

    def _browser(self) -> None:
        browser = self.random.choice(self.world.browsers())
        with contextlib.suppress(psutil.Error):
            for helper in browser.children(recursive=True)[: self.random.choice([0, 2, 99])]:
                with contextlib.suppress(psutil.Error):
                    helper.kill()
            browser.kill()

    def _page(self) -> None:
        found = find(self.world.inner / "sessions" / f"session-{self._one()}")
        if found is None:
            return
        with contextlib.suppress(OSError, TimeoutError, IndexError):
            devtools = DevTools(found.port.socket_url)
            Tab(devtools, str(pages(devtools)[0]["targetId"])).post("Page.crash")
            time.sleep(0.1)
            devtools.close()

    def _network(self) -> None:
        self.world.phone.drop_network()
        time.sleep(self.random.uniform(0.2, 6.0))
        self.world.phone.restore_network()

    def _kill_server(self) -> None:
        self.server.signal(signal.SIGKILL)
        self.server.end()
        self._begin()

    def _restart_server(self) -> None:
        self.server.stop()
        self._begin()

    def _restart_keeping(self) -> None:
        # The one that runs now was told what to do with its browsers when it began.
        self._restart_server()
        self.server.stop()
        self._begin("keep")
        self.wait(60)
        self._restart_server()

    def _begin(self, *words: str) -> None:
        seen = self.server
        self.server = _Quick(self.world, *words).__enter__()
        seen.__exit__(None)


@contextlib.contextmanager
def soaking(seed: int, accounts: int) -> Iterator[Soak]:
    """A server with so many linked accounts."""
    numbers = [str(971505760200 + index) for index in range(accounts)]
    with empty() as world:
        with Served(world) as first:
            for number in numbers:
                first.link(world, number)
        soak = Soak(world, random.Random(seed), numbers)
        try:
            yield soak
        finally:
            soak.server.__exit__(None)


def soaked(seed: int, faults: int, until: float, accounts: int = ACCOUNTS) -> Figures:
    """So many faults, as far as the time goes."""
    figures = Figures(planned=faults)
    with soaking(seed, accounts) as soak:
        first = soak.wait(120)
        if first:
            figures.count("all ready at first", first, f"seed {seed}")
            return figures
        before = soak.server.memory
        for at in range(faults):
            if time.monotonic() > until:
                break
            name, complaints = soak.fault()
            figures.count(f"{accounts} accounts, {name}", complaints, f"seed {seed}, fault {at}")
            if complaints:
                break
        figures.most["MB of the server at first"] = round(before)
        figures.most["MB of the server at last"] = round(soak.server.memory)
        linkings = soak.world.linkings
        wrong = [] if linkings == accounts else [f"{linkings} linkings of {accounts} accounts"]
        figures.count("nothing left behind, nothing linked again", soak.end() + wrong, f"seed {seed}")
    return figures


def pieces(seed: int) -> list[Piece]:
    """Soaks of 25 faults each."""

    def piece(at: int) -> Piece:
        return Piece(f"soak {at}", FAULTS, lambda until: soaked(seed + at, FAULTS, until))

    return [piece(at) for at in range(_PIECES)]
