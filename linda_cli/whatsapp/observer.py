"""Having the page announce its state: the observer in every new document, its words read as they come."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from importlib.resources import files
from typing import Any, Protocol

from linda_cli.whatsapp.page import NOISE_KEY, ORIGIN, WID_KEY
from linda_cli.whatsapp.selectors import PageDescription
from linda_cli.whatsapp.status import LoginOf, PageReading, gone, logout_of, read, unreachable

Listener = Callable[[str, Mapping[str, Any]], None]

_LONGEST = 1 << 18
"""Characters of one word of the observer; more is not read, whatever the page made of it."""


class Tab(Protocol):
    """A page target: one connection to Chromium's DevTools."""

    def call(self, method: str, timeout: float = ..., **params: Any) -> Mapping[str, Any]:
        """Call a method of the page's session and give its answer."""

    def post(self, method: str, **params: Any) -> None:
        """Call one whose answer nobody waits for."""

    def listen(self, listener: Listener) -> None:
        """Give every event of the session to this listener."""


class Pulse(Enum):
    """What a look at the page's own thread found."""

    BEATS = "beats"
    UNOBSERVED = "unobserved"
    """The page's thread answers, and the observer is not in its document."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NewDocument:
    """The tab came to another document, of this number, at this address (without its query: that may be private)."""

    document: int
    of_origin: bool
    failed: bool


class PageObserver:
    """Observes one tab and tells every change of what it shows, from the connection's own thread."""

    def __init__(
        self,
        tab: Tab,
        page: PageDescription,
        login_of: LoginOf,
        tell: Callable[[PageReading | NewDocument], None],
    ) -> None:
        self._tab = tab
        self._page = page
        self._login_of = login_of
        self._tell = tell
        # A new name each time: the page cannot know it, and a second linda on the same tab does not collide.
        self._binding = f"_{secrets.token_hex(8)}"
        self._last: PageReading | None = None
        self._document = 1
        self._arrived_with: str | None = None
        self._other_tabs = 0
        self._script = self._observer()

    def _observer(self) -> str:
        source = files("linda_cli.whatsapp").joinpath("observer.js").read_text("utf-8")
        keys = json.dumps({"wid": WID_KEY, "noise": NOISE_KEY})
        return f"{source}({json.dumps(self._page.data)}, {keys}, {json.dumps(self._binding)})"

    def start(self) -> None:
        """Install the observer in the document that is there and in every one to come."""
        self._tab.listen(self._heard)
        self._tab.call("Page.enable")
        self._tab.call("Inspector.enable")
        # Chromium tells of no navigation that was over before we listened: its error page is known by the frame.
        frame = self._tab.call("Page.getFrameTree").get("frameTree", {}).get("frame", {})
        if self._document == 1:
            self._arrived_with = logout_of(str(frame.get("url", "")), self._page)
            if frame.get("unreachableUrl"):
                self._say(unreachable(self._document))
        self.install()

    def install(self) -> None:
        """Put the observer into the document that is there now; it stays out where it is there already."""
        # Measured: without Runtime.enable (which would send us all that the page writes to its console, and which
        # pages can notice) a binding lives in the documents that are there when it is added, not in later ones. So
        # it is added again at each navigation; observing begins some milliseconds after the document does.
        self._tab.post("Runtime.addBinding", name=self._binding)
        self._tab.post("Runtime.evaluate", expression=self._script)

    def pulse(self, timeout: float) -> Pulse:
        """Ask the observer itself for a sign of life, for ``timeout`` seconds at most."""
        ask = f'typeof window["{self._binding}_pulse"] === "function" ? window["{self._binding}_pulse"]() : -1'
        try:
            answer = self._tab.call("Runtime.evaluate", timeout, expression=ask, returnByValue=True)
        except (OSError, TimeoutError):
            return Pulse.NONE
        turns = answer.get("result", {}).get("value")
        return Pulse.BEATS if isinstance(turns, int) and turns > 0 else Pulse.UNOBSERVED

    def quiet(self, timeout: float = 2.0) -> float | None:
        """Seconds for which the page has seen no message and no input; None where it cannot say."""
        ask = f'typeof window["{self._binding}_quiet"] === "function" ? window["{self._binding}_quiet"]() : -1'
        try:
            answer = self._tab.call("Runtime.evaluate", timeout, expression=ask, returnByValue=True)
        except (OSError, TimeoutError):
            return None
        milliseconds = answer.get("result", {}).get("value")
        return milliseconds / 1000 if isinstance(milliseconds, int) and milliseconds >= 0 else None

    def count_other_tabs(self, others: int) -> None:
        """How many other tabs of the origin this browser has now."""
        if others != self._other_tabs:
            self._other_tabs = others
            # The same facts mean something else beside another tab: the page is asked to say them again.
            self._last = None
            ask = f'window["{self._binding}_pulse"]?.()'
            self._again()
            self._tab.post("Runtime.evaluate", expression=ask)

    def _heard(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Runtime.bindingCalled" and params.get("name") == self._binding:
            self._read(str(params["payload"]))
        elif method == "Page.frameNavigated":
            self._navigated(params.get("frame", {}))
        elif method == "Inspector.targetCrashed":
            self._say(gone("the page crashed", self._document))
        elif method in ("Inspector.detached", "closed"):
            self._say(gone("the tab is gone", self._document))

    def _navigated(self, frame: Mapping[str, Any]) -> None:
        if "parentId" in frame:
            return
        url = str(frame.get("url", ""))
        failed = bool(frame.get("unreachableUrl")) or url.startswith("chrome-error:")
        self._document += 1
        self._last = None
        self._told = ""
        # The page takes this out of its address some moments after it has arrived.
        self._arrived_with = logout_of(url, self._page)
        self._tell(NewDocument(self._document, url.startswith(f"{ORIGIN}/"), failed))
        if failed:
            # Chromium's own error page runs no script of ours: it is known by its address.
            self._say(unreachable(self._document))
        else:
            # A new document speaks for itself, even where it shows what the one before it showed.
            self.install()

    _told = ""

    def _read(self, told: str) -> None:
        if len(told) > _LONGEST:
            return
        self._told = told
        self._again()

    def _again(self) -> None:
        if self._told:
            self._say(
                read(
                    self._told,
                    self._page,
                    self._login_of,
                    document=self._document,
                    arrived_with=self._arrived_with,
                    other_tabs=self._other_tabs,
                )
            )

    def _say(self, reading: PageReading) -> None:
        if reading != self._last:
            self._last = reading
            self._tell(replace(reading, document=self._document))
