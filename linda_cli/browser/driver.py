"""Selenium on a browser that we started: its driver can die and come back without the browser noticing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from linda_cli.browser.processes import DevToolsPort
from linda_cli.browser.strays import marked
from linda_cli.errors import BrowserFailed

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

__all__ = ["WebDriver", "attach", "detach"]


def attach(driver: Path, profile: Path, port: DevToolsPort, target: str | None = None) -> WebDriver:
    """A Selenium driver on the browser that runs on ``profile``, its window the tab ``target``.

    Raises ``BrowserFailed``.
    """
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.chrome.webdriver import WebDriver

    options = Options()
    options.debugger_address = port.address
    try:
        attached = WebDriver(options=options, service=Service(executable_path=str(driver), env=marked(profile)))
        if target is not None:
            with contextlib.suppress(WebDriverException):
                attached.switch_to.window(target)
    except WebDriverException as problem:
        words = (problem.msg or "").strip().splitlines()[:1] or ["no reason given"]
        raise BrowserFailed(f"ChromeDriver could not attach: {words[0][:300]}", f"{driver} --version") from problem
    except OSError as problem:
        raise BrowserFailed(
            f"{driver} cannot be run: {problem.strerror or problem}", f"{driver} --version"
        ) from problem
    return attached


def detach(driver: WebDriver) -> None:
    """End the driver and leave the browser alive.

    ``quit()`` would first send "delete session", which closes nothing for an attached browser but takes a round trip;
    stopping the service alone is enough, and works when the browser is already gone.
    """
    with contextlib.suppress(Exception):
        driver.service.stop()
