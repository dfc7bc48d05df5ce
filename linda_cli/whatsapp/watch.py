"""Having the page announce its state: the observer in every new document, its words read as they come."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Protocol

from linda_cli.whatsapp.page import NOISE_KEY, WID_KEY
from linda_cli.whatsapp.signals import Signals
from linda_cli.whatsapp.state import PageState, Shows, gone, read

Listener = Callable[[str, Mapping[str, Any]], None]


class Tab(Protocol):
    """A page target: one connection to Chromium's DevTools."""

    def call(self, method: str, timeout: float = ..., **params: Any) -> Mapping[str, Any]: ...

    def post(self, method: str, **params: Any) -> None: ...

    def listen(self, listener: Listener) -> None: ...


class Watch:
    """Watches one tab and tells every change of its state, from the connection's own thread."""

    def __init__(self, tab: Tab, signals: Signals, tell: Callable[[PageState], None]) -> None:
        self._tab = tab
        self._signals = signals
        self._tell = tell
        # A new name each time: the page cannot know it, and a second linda on the same tab does not collide.
        self._binding = f"_{secrets.token_hex(8)}"
        self._last: PageState | None = None
        self._script = self._observer()

    def _observer(self) -> str:
        source = files("linda_cli.whatsapp").joinpath("observe.js").read_text("utf-8")
        keys = json.dumps({"wid": WID_KEY, "noise": NOISE_KEY})
        return f"{source}({json.dumps(self._signals.data)}, {keys}, {json.dumps(self._binding)})"

    def start(self) -> None:
        """Install the observer in the document that is there and in every one to come."""
        self._tab.listen(self._heard)
        self._tab.call("Page.enable")
        self._tab.call("Inspector.enable")
        self._install()

    def _install(self) -> None:
        # Measured: without Runtime.enable (which would send us all that the page writes to its console, and which
        # pages can notice) a binding lives in the documents that are there when it is added, not in later ones. So
        # it is added again at each navigation; observing begins some milliseconds after the document does.
        self._tab.post("Runtime.addBinding", name=self._binding)
        self._tab.post("Runtime.evaluate", expression=self._script)

    def alive(self, timeout: float) -> bool:
        """Whether the page's own thread answers within ``timeout`` seconds."""
        try:
            self._tab.call("Runtime.evaluate", timeout, expression="1")
        except (OSError, TimeoutError):
            return False
        return True

    def _heard(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Runtime.bindingCalled" and params.get("name") == self._binding:
            self._say(read(str(params["payload"]), self._signals))
        elif method == "Page.frameNavigated":
            frame = params.get("frame", {})
            # Chromium's own error page runs no script of ours: it is known by its address.
            if "parentId" not in frame and (
                frame.get("unreachableUrl") or str(frame.get("url", "")).startswith("chrome-error:")
            ):
                self._say(PageState(Shows.UNREACHABLE, reason="the browser could not load the page"))
            elif "parentId" not in frame:
                # A new document speaks for itself, even where it shows what the one before it showed.
                self._last = None
                self._install()
        elif method == "Inspector.targetCrashed":
            self._say(gone("the page crashed"))
        elif method in ("Inspector.detached", "closed"):
            self._say(gone("the tab is gone"))

    def _say(self, state: PageState) -> None:
        if state != self._last:
            self._last = state
            self._tell(state)
