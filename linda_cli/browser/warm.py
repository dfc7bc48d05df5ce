"""Slow imports, made while Chromium starts: they take longer than anything else of ours, and Chromium longer still."""

from __future__ import annotations

from importlib import import_module


def up() -> None:
    """Import what a run is going to need."""
    for name in ("websocket", "psutil", "http.client"):
        import_module(name)


def up_selenium() -> None:
    """Import what a bot is going to need."""
    for name in ("selenium.webdriver.chrome.webdriver", "selenium.webdriver.chrome.service"):
        import_module(name)
