"""One browser that is up on a profile, its WhatsApp tab watched, its driver attached."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser import attach, close, launch, warm
from linda_cli.browser.binaries import find_driver
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.browser.driver import Driver
from linda_cli.browser.driver import attach as attach_driver
from linda_cli.browser.launch import Running
from linda_cli.errors import BrowserFailed, LindaError
from linda_cli.whatsapp.page import ORIGIN, URL
from linda_cli.whatsapp.signals import Signals
from linda_cli.whatsapp.state import PageState
from linda_cli.whatsapp.watch import Watch

if TYPE_CHECKING:
    from linda_cli.browser.driver import WebDriver

Tell = Callable[["Live", PageState], None]


class Live:
    """A running browser. ``tell`` hears every change of the page, from another thread, together with this object."""

    def __init__(
        self,
        running: Running,
        devtools: DevTools,
        signals: Signals,
        tell: Tell,
        undetected: Path | None = None,
        driver_at_once: bool = True,
    ) -> None:
        self.running = running
        self.signals = signals
        self._devtools = devtools
        # Where the other engine keeps its patched driver; None is plain Selenium.
        self._undetected = undetected
        self._driver: Driver | None = None
        self._starting: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        devtools.listen(self._heard)
        self._problem: LindaError | None = None
        self.tab = _whatsapp_tab(devtools)
        # Held while a driver is attached: a run and its bot may ask for the first one at once.
        self._attaching = threading.Lock()
        if driver_at_once:
            begun = threading.Event()
            threading.Thread(target=self._attach_beside, args=(begun,), name="driver", daemon=True).start()
            begun.wait()
        self.watch = Watch(self.tab, signals, lambda state: tell(self, state))
        self.watch.start()

    @property
    def address(self) -> str:
        """``127.0.0.1:<port>``."""
        return self.running.port.address

    @property
    def gone(self) -> bool:
        """Whether the browser itself is gone."""
        return self._gone.is_set()

    def _heard(self, method: str, _: Mapping[str, Any]) -> None:
        if method == "closed":
            self._gone.set()
            self._give_up_driver(self._starting)

    def _give_up_driver(self, starting: subprocess.Popen[bytes] | None) -> None:
        """A driver that attaches to a browser which is gone would try for long, and a run waits for it."""
        self._starting = starting
        if starting is not None and self.gone:
            with contextlib.suppress(OSError):
                starting.kill()

    @property
    def driver(self) -> WebDriver:
        """Selenium on this browser; attached again where its driver has died. Raises ``BrowserFailed``."""
        with self._attaching:
            return self._proven().selenium()

    def prove_driver(self) -> None:
        """Raises ``BrowserFailed`` where no ChromeDriver can attach."""
        with self._attaching:
            self._proven()

    def _proven(self) -> Driver:
        if self._driver is not None and not self._driver.alive:
            self._driver.detach()
            self._driver = None
        if self._driver is None and (self._problem is None or isinstance(self._problem, BrowserFailed)):
            if self.gone:
                raise BrowserFailed("the browser is gone", "linda info")
            self._attach()
        if self._driver is None:
            raise self._problem or BrowserFailed("ChromeDriver could not attach", "chromedriver --version")
        return self._driver

    def _attach_beside(self, begun: threading.Event) -> None:
        with self._attaching:
            begun.set()
            self._attach()

    def _attach(self) -> None:
        self._problem = None
        try:
            binary = find_driver()
            if self._undetected is not None:
                from linda_cli.browser.undetected import patched_driver

                binary = patched_driver(binary, self._undetected)
            where = self.running
            self._driver = attach_driver(binary, where.profile, where.port, self.tab.target, self._give_up_driver)
        except LindaError as problem:
            self._problem = problem

    @contextlib.contextmanager
    def _attached_or_not(self) -> Iterator[None]:
        """Wait until nobody attaches any more; ten seconds of it are enough, a driver may hang."""
        waited = self._attaching.acquire(timeout=10)
        try:
            yield
        finally:
            if waited:
                self._attaching.release()

    def reload(self, url: str = URL) -> None:
        """Load the page anew; the address goes back to the plain one, a logout's parameters must not stay in it."""
        with contextlib.suppress(OSError, TimeoutError):
            self.tab.call("Page.navigate", url=url)

    def version(self) -> str:
        """What the browser says of itself, as in ``156.0.8078.79``."""
        product = str(self._devtools.call("Browser.getVersion")["product"])
        return product.rpartition("/")[2]

    def detach(self) -> None:
        """Let go of the browser; it stays as it is."""
        with self._attached_or_not():
            if self._driver is not None:
                self._driver.detach()
                self._driver = None
        self._devtools.close()

    def close(self) -> bool:
        """End the browser and wait until it has gone. True when it flushed everything."""
        with self._attached_or_not():
            pass
        try:
            return close.close(self.running, self._devtools)
        finally:
            self.detach()


def bring_up(starting: launch.Starting, interrupted: Callable[[], bool], **rest: Any) -> Live | None:
    """Wait for a browser that was started and watch its page; None where ``interrupted``."""
    warm.up()
    running = launch.await_port(starting, interrupted=interrupted)
    if running is None:
        return None
    devtools = attach.connect(running)
    if devtools is None:
        close.close(running)
        raise BrowserFailed("the browser started and its debugging port does not answer", f"cat {starting.log}")
    return Live(running, devtools, **rest)


def take_up(profile: Path, **rest: Any) -> Live | None:
    """Attach to the browser of ours that runs on the profile; None where there is none that answers."""
    running = attach.find(profile)
    devtools = attach.connect(running, 5.0) if running is not None else None
    if running is None or devtools is None:
        return None
    try:
        return Live(running, devtools, **rest)
    except (OSError, TimeoutError):
        devtools.close()
        return None


def _whatsapp_tab(devtools: DevTools) -> Tab:
    """The tab with WhatsApp Web. A second one would starve the first, so the others of its kind are closed."""
    there = pages(devtools)
    deadline = time.monotonic() + 2.0
    while not there and time.monotonic() < deadline:
        # The port opens some milliseconds before the first tab is there.
        time.sleep(0.005)
        there = pages(devtools)
    ours = [one for one in there if str(one.get("url", "")).startswith(ORIGIN)]
    chosen = ours[0] if ours else (there[0] if there else None)
    if chosen is None:
        target = str(devtools.call("Target.createTarget", url=URL)["targetId"])
    else:
        target = str(chosen["targetId"])
    for extra in ours[1:]:
        with contextlib.suppress(OSError, TimeoutError):
            devtools.call("Target.closeTarget", targetId=str(extra["targetId"]))
    return Tab(devtools, target)
