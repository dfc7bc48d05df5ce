"""ChromeDriver beside a browser that we started: it can die and come back without the browser noticing.

That it attaches is proven by the two requests of the WebDriver protocol which that takes. Selenium comes when somebody
asks for it, on the session that is there: its import takes 0.1 s and 8 MB, and most runs never speak to the page.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser.processes import DevToolsPort
from linda_cli.browser.strays import marked
from linda_cli.errors import BrowserFailed

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

__all__ = ["Driver", "WebDriver", "attach"]

PATIENCE = 20.0
"""Seconds that ChromeDriver has to listen, and to attach."""

_LISTENS = re.compile(rb"started successfully on port (\d+)")


@dataclass(slots=True)
class Driver:
    """A ChromeDriver that is attached. ``capabilities``: what it said of the browser."""

    binary: Path
    child: subprocess.Popen[bytes]
    port: int
    session: str
    capabilities: Mapping[str, Any]
    _selenium: WebDriver | None = None

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return self.child.poll() is None

    def selenium(self) -> WebDriver:
        """Selenium on this session."""
        if self._selenium is None:
            from linda_cli.browser.selenium_on import selenium_on

            self._selenium = selenium_on(self)
        return self._selenium

    def detach(self) -> None:
        """End the driver and leave the browser alive, which it does not close as it did not start it."""
        _end(self.child)


def attach(
    binary: Path,
    profile: Path,
    port: DevToolsPort,
    target: str | None = None,
    began: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
) -> Driver:
    """A ChromeDriver on the browser of this profile, its window the tab ``target``. Raises ``BrowserFailed``.

    ``began`` gets its process before it attaches: a driver whose browser has gone meanwhile tries on until it is ended.
    """
    deadline = time.monotonic() + PATIENCE
    try:
        child = subprocess.Popen(
            [binary, "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=marked(profile),
        )
    except OSError as problem:
        raise BrowserFailed(
            f"{binary} cannot be run: {problem.strerror or problem}", f"{binary} --version"
        ) from problem
    try:
        began(child)
        listens = _port_of(child, deadline)
        capabilities = {"browserName": "chrome", "goog:chromeOptions": {"debuggerAddress": port.address}}
        made = _ask(listens, "/session", {"capabilities": {"alwaysMatch": capabilities}}, deadline)
        session = str(made["sessionId"])
        if target is not None:
            # A tab that closed meanwhile: the driver then works on the tab that it chose itself.
            with contextlib.suppress(OSError, ValueError):
                _ask(listens, f"/session/{session}/window", {"handle": target}, deadline)
    except (OSError, ValueError, LookupError, TypeError) as problem:
        _end(child)
        raise BrowserFailed(f"ChromeDriver could not attach: {problem}", f"{binary} --version") from problem
    except BaseException:
        _end(child)
        raise
    return Driver(binary, child, listens, session, made["capabilities"])


def _port_of(child: subprocess.Popen[bytes], deadline: float) -> int:
    """The port that ChromeDriver chose, as it says itself. It says nothing more on stdout, so nobody reads on."""
    assert child.stdout is not None
    said = b""
    while (match := _LISTENS.search(said)) is None:
        if not select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"no sign of life for {PATIENCE:g} s")
        more = os.read(child.stdout.fileno(), 4096)
        if not more:
            raise OSError(f"it ended with code {child.wait()}")
        said += more
    return int(match[1])


def _ask(port: int, path: str, body: Mapping[str, Any], deadline: float) -> Any:
    """The value that one request is answered with. Raises ``OSError`` or ``ValueError`` with the reason."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", port, timeout=max(0.1, deadline - time.monotonic()))
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
    except HTTPException as problem:
        raise OSError(f"no answer: {problem!r}") from problem
    finally:
        connection.close()
    if isinstance(value, Mapping) and "error" in value:
        words = str(value.get("message") or value["error"]).strip().splitlines()[:1] or ["no reason given"]
        raise OSError(words[0][:300])
    return value


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        child.terminate()
        # Ctrl-Z stops it with linda, whose group it is in.
        child.send_signal(signal.SIGCONT)
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(5)
    if child.stdout is not None:
        child.stdout.close()
