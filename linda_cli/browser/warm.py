"""Slow imports, made while Chromium starts: they take longer than anything else of ours, and Chromium longer still."""

from __future__ import annotations

from importlib import import_module

_SLOW = ("websocket", "psutil", "selenium.webdriver.chrome.webdriver", "selenium.webdriver.chrome.service")


def up() -> None:
    """Import what a run is going to need."""
    for name in _SLOW:
        import_module(name)
