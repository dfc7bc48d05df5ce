"""One browser that is up on a profile, its WhatsApp tab observed, its driver attached."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser import attach, close, launch, warm
from linda_cli.browser.binaries import find_driver
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.browser.driver import Driver
from linda_cli.browser.driver import attach as attach_driver
from linda_cli.browser.launch import Running
from linda_cli.errors import BrowserFailed, BrowserSilent, LindaError
from linda_cli.sessions.login import login_digest
from linda_cli.whatsapp.observer import NewDocument, PageObserver, Pulse
from linda_cli.whatsapp.page import ORIGIN, URL
from linda_cli.whatsapp.selectors import PageDescription
from linda_cli.whatsapp.status import PageReading

if TYPE_CHECKING:
    from linda_cli.browser.driver import WebDriver


@dataclass(frozen=True, slots=True)
class Gone:
    """The browser's process, or the connection to it, has ended."""


PageEvent = PageReading | NewDocument | Gone
Tell = Callable[["BrowserSession", PageEvent], None]

_PROBE = ORIGIN + "/robots.txt"
"""Small, and answered by any server of the origin: that there is an answer is all that counts."""

_PROBE_TIMEOUT = 3.0

_ENTRIES = """(() => {
  const found = {};
  let room = 2 << 20;
  for (let at = 0; at < localStorage.length && at < 1000; at++) {
    const name = localStorage.key(at);
    const text = localStorage.getItem(name);
    if (text === null || text.length > 65536 || (room -= text.length) < 0) continue;
    found[name] = text;
  }
  return found;
})()"""


class BrowserSession:
    """A running browser. ``tell`` hears every change of the page, from another thread, together with this object."""

    def __init__(
        self,
        running: Running,
        devtools: DevTools,
        page: PageDescription,
        tell: Tell,
        undetected: Path | None = None,
        driver_at_once: bool = True,
    ) -> None:
        self.running = running
        self.page = page
        self._devtools = devtools
        self._tell = tell
        # Where the other engine keeps its patched driver; None is plain Selenium.
        self._undetected = undetected
        self._driver: Driver | None = None
        self._starting: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        self._closing = False
        devtools.listen(self._heard)
        self._problem: LindaError | None = None
        self.tab = _whatsapp_tab(devtools)
        # Held while a driver is attached: a run and its bot may ask for the first one at once.
        self._attaching = threading.Lock()
        if driver_at_once:
            begun = threading.Event()
            threading.Thread(target=self._attach_beside, args=(begun,), name="driver", daemon=True).start()
            begun.wait()
        self._tabs: dict[str, bool] = {}
        self.observer = PageObserver(self.tab, page, login_digest, lambda event: tell(self, event))

    def observe(self) -> None:
        """Begin to observe the page. What it says is told together with this object, which its owner knows by now.

        Raises ``OSError`` and ``TimeoutError`` where the browser went away meanwhile.
        """
        self.observer.start()
        self._devtools.post("Target.setDiscoverTargets", discover=True)

    @property
    def address(self) -> str:
        """``127.0.0.1:<port>``."""
        return self.running.port.address

    @property
    def gone(self) -> bool:
        """Whether the browser itself is gone."""
        return self._gone.is_set()

    def _heard(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "closed":
            self._gone.set()
            self._give_up_driver(self._starting)
            self._tell(self, Gone())
        elif method in ("Target.targetCreated", "Target.targetInfoChanged"):
            info = params.get("targetInfo", {})
            target = str(info.get("targetId"))
            of_origin = info.get("type") == "page" and str(info.get("url", "")).startswith(f"{ORIGIN}/")
            self._tabs[target] = of_origin and target != self.tab.target
            self.observer.count_other_tabs(sum(self._tabs.values()))
        elif method == "Target.targetDestroyed":
            self._tabs.pop(str(params.get("targetId")), None)
            self.observer.count_other_tabs(sum(self._tabs.values()))

    def _give_up_driver(self, starting: subprocess.Popen[bytes] | None) -> None:
        """A driver that attaches to a browser which is gone would try for long, and a run waits for it."""
        self._starting = starting
        if starting is not None and self.gone:
            # It may have ended by itself meanwhile.
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
        """Load the page anew; the address goes back to the plain one, a logout's parameters must not stay in it.

        The answer is not waited for: the new document speaks for itself.
        """
        self.tab.post("Page.navigate", url=url)

    def probe_network(self) -> tuple[bool | None, str]:
        """Have the browser make a request: (whether there is a network, else the browser's word for what failed).

        The browser's own resolver rules, proxy and certificates count, which no lookup of ours would see. (None, …)
        where the browser cannot be asked.
        """
        try:
            frame = self.tab.call("Page.getFrameTree", _PROBE_TIMEOUT)["frameTree"]["frame"]["id"]
            answer = self.tab.call(
                "Network.loadNetworkResource",
                _PROBE_TIMEOUT,
                frameId=frame,
                url=_PROBE,
                options={"disableCache": True, "includeCredentials": False},
            )["resource"]
        except TimeoutError:
            return False, f"no answer from web.whatsapp.com within {_PROBE_TIMEOUT:g} s"
        except (OSError, LookupError):
            return None, ""
        stream = answer.get("stream")
        if stream is not None:
            self.tab.post("IO.close", handle=stream)
        # An answer of any kind is a network: what it says is not asked for.
        if answer.get("success") or answer.get("httpStatusCode"):
            return True, ""
        return False, network_error(str(answer.get("netErrorName") or "unknown error"))

    def stored_entries(self) -> Mapping[str, str]:
        """The page's localStorage, entries of more than 64 kB left out, 2 MB at most. Raises ``OSError``,
        ``TimeoutError``."""
        answer = self.tab.call("Runtime.evaluate", 5.0, expression=_ENTRIES, returnByValue=True)
        found = answer.get("result", {}).get("value")
        return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}

    def pulse(self, seconds: float) -> Pulse:
        """Ask the page's observer for a sign of life."""
        return self.observer.pulse(seconds)

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

    def close(self, *, hung: bool = False) -> bool:
        """End the browser and wait until it has gone. True when it flushed everything. ``hung``: it does not answer,
        so it is asked only for a moment."""
        with self._attached_or_not():
            pass
        try:
            return close.close(self.running, self._devtools, kind=1.0 if hung else close.KIND)
        finally:
            self.detach()


_NETWORK_ERRORS = {
    "ERR_NAME_NOT_RESOLVED": "DNS lookup of web.whatsapp.com failed",
    "ERR_NAME_RESOLUTION_FAILED": "DNS lookup of web.whatsapp.com failed",
    "ERR_DNS_TIMED_OUT": "DNS lookup of web.whatsapp.com got no answer",
    "ERR_INTERNET_DISCONNECTED": "this machine has no network",
    "ERR_NETWORK_CHANGED": "the network of this machine has just changed",
    "ERR_CONNECTION_REFUSED": "the connection to web.whatsapp.com was refused",
    "ERR_CONNECTION_RESET": "the connection to web.whatsapp.com was cut",
    "ERR_CONNECTION_CLOSED": "the connection to web.whatsapp.com was cut",
    "ERR_EMPTY_RESPONSE": "the connection to web.whatsapp.com was cut",
    "ERR_ADDRESS_UNREACHABLE": "there is no way to web.whatsapp.com from here",
    "ERR_CONNECTION_TIMED_OUT": "no answer from web.whatsapp.com",
    "ERR_TIMED_OUT": "no answer from web.whatsapp.com",
    "ERR_PROXY_CONNECTION_FAILED": "the proxy cannot be reached",
    "ERR_TUNNEL_CONNECTION_FAILED": "the proxy refused the way to web.whatsapp.com",
    "ERR_SOCKS_CONNECTION_FAILED": "the SOCKS proxy refused the way to web.whatsapp.com",
    "ERR_CERT_AUTHORITY_INVALID": "the certificate of web.whatsapp.com is not trusted here",
    "ERR_CERT_DATE_INVALID": "the certificate of web.whatsapp.com is not valid now: is the clock right?",
}


def network_error(name: str) -> str:
    """Chromium's name of a network error in plain words, with the name itself for those who look it up."""
    short = name.removeprefix("net::")
    return _NETWORK_ERRORS.get(short) or f"web.whatsapp.com could not be reached ({short})"


def bring_up(starting: launch.Starting, interrupted: Callable[[], bool], **rest: Any) -> BrowserSession | None:
    """Wait for a browser that was started and connect to it; None where ``interrupted``."""
    warm.up()
    running = launch.await_port(starting, interrupted=interrupted)
    if running is None:
        return None
    devtools = attach.connect(running)
    if devtools is None:
        close.close(running)
        # No death: what cannot be spoken to says nothing of the profile it runs on.
        raise BrowserSilent(
            "the browser started and its debugging port does not answer", f"cat {shlex.quote(str(starting.log))}"
        )
    return BrowserSession(running, devtools, **rest)


def take_up(profile: Path, **rest: Any) -> BrowserSession | None:
    """Attach to the browser of ours that runs on the profile; None where there is none that answers."""
    running = attach.find(profile)
    devtools = attach.connect(running, 5.0) if running is not None else None
    if running is None or devtools is None:
        return None
    try:
        return BrowserSession(running, devtools, **rest)
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
        # A tab that closed by itself meanwhile is closed.
        with contextlib.suppress(OSError, TimeoutError):
            devtools.call("Target.closeTarget", targetId=str(extra["targetId"]))
    return Tab(devtools, target)
