"""Selenium on a ChromeDriver that runs and has its session already."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver


class Driver(Protocol):
    """A ChromeDriver that runs and has a session."""

    binary: Path
    child: subprocess.Popen[bytes]
    port: int
    session: str
    capabilities: Mapping[str, Any]


def selenium_on(driver: Driver) -> WebDriver:
    """All that Selenium can do, on this driver's session."""
    return _Attached(driver)


class _Running(Service):
    """A ChromeDriver that somebody else has started."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(executable_path=str(driver.binary), port=driver.port)
        self.process = driver.child

    def start(self) -> None:
        """It runs."""

    def send_remote_shutdown_command(self) -> None:
        """It is ended by SIGTERM, which follows: this request would go to the proxy that the environment names."""


class _Attached(WebDriver):
    """On a session that somebody else has made."""

    def __init__(self, driver: Driver) -> None:
        self._made = driver
        options = Options()
        # The driver is on loopback: never asked for through the proxy that the environment names. Selenium's public
        # way to say so warns that it is deprecated, and what it names instead cannot be given to a Chrome driver.
        options._ignore_local_proxy = True
        super().__init__(options=options, service=_Running(driver))

    def start_session(self, capabilities: dict[str, Any]) -> None:  # noqa: ARG002 - Selenium's signature
        """Take the one that is there."""
        self.session_id = self._made.session
        self.caps = dict(self._made.capabilities)
