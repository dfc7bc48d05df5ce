"""Slow imports, made while Chromium starts: they take longer than anything else of ours, and Chromium longer still."""

from __future__ import annotations

from importlib import import_module

_SLOW = ("websocket", "psutil")
_OF_THE_DRIVER = ("selenium.webdriver.chrome.webdriver", "selenium.webdriver.chrome.service")


def up(driver: bool = True) -> None:
    """Import what a run is going to need. ``driver``: it attaches one at once."""
    for name in (*_SLOW, *(_OF_THE_DRIVER if driver else ())):
        import_module(name)
