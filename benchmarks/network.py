"""How long after the network's return a session is ready again, beside the page's own recovery in a browser that nobody
helps: both on one stand-in, in the same outage."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.rows import Row
from benchmarks.scene import NUMBER, Scene
from linda_cli.browser import launch
from linda_cli.browser.binaries import browser_version, find_browser
from linda_cli.browser.devtools import DevTools
from linda_cli.browser.flags import Wish, arguments
from linda_cli.whatsapp.page import URL

OTHER = "971505760057"
OUTAGES = (10.0, 180.0, 600.0)
"""Seconds for which the network is away."""

_MORE = 2.0
"""Seconds that linda may take longer than the page itself."""


def rows(outages: tuple[float, ...] = OUTAGES) -> list[Row]:
    """One row for each outage. The target is in the page's own seconds, plus two."""
    there = Scene(Path(tempfile.mkdtemp(prefix="linda-bench-")))
    try:
        with _bare_browser(there), _running(there):
            return [_outage(there, seconds) for seconds in outages]
    finally:
        there.end()
        shutil.rmtree(there.home.parent, ignore_errors=True)


def _outage(there: Scene, seconds: float) -> Row:
    _until_online(there, {NUMBER, OTHER})
    there.sandbox.phone.drop_network()
    time.sleep(seconds)
    there.sandbox.phone.restore_network()
    back = _until_online(there, {NUMBER, OTHER})
    ours, peer = back[NUMBER], back[OTHER]
    row = Row(
        f"the network was away for {seconds:g} s: from its return to connected, under `linda start`",
        "the page's own recovery in a browser that nobody helps, in the same outage",
        (peer + _MORE) / peer,
        ours,
        peer,
        "one outage",
    )
    print(f"{'met   ' if row.met else 'MISSED'} {row.ratio:5.2f} {row.what}: {ours:.1f} s / {peer:.1f} s", flush=True)
    return row


def _until_online(there: Scene, wanted: set[str], patience: float = 120.0) -> dict[str, float]:
    """When each of these numbers was online, in seconds from now."""
    began = time.monotonic()
    seen: dict[str, float] = {}
    while seen.keys() != wanted:
        for device in there.sandbox.phone.status()["devices"]:
            if device["online"] and device["removedAt"] is None:
                seen.setdefault(str(device["number"]), time.monotonic() - began)
        if time.monotonic() - began > patience:
            raise TimeoutError(f"only {sorted(seen)} came back")
        time.sleep(0.02)
    return seen


@contextlib.contextmanager
def _running(there: Scene) -> Iterator[None]:
    """``linda start`` beside it, its events thrown away."""
    with there.run(NUMBER) as events:
        reader = threading.Thread(target=lambda: [None for _ in events], name="events", daemon=True)
        reader.start()
        try:
            yield
        finally:
            _stop(there)
            reader.join(30)


def _stop(there: Scene) -> None:
    command = [sys.executable, "-m", "linda_cli", "--home", str(there.inner), "--quiet", "stop", NUMBER]
    subprocess.run(command, check=True)


@contextlib.contextmanager
def _bare_browser(there: Scene) -> Iterator[None]:
    """A Chromium of the same kind on a linked profile of its own, with nobody who looks at it."""
    folder = Path(tempfile.mkdtemp(prefix="linda-bench-bare-"))
    binary = find_browser()
    wish = Wish(folder, URL, browser_version(binary), False, os.geteuid() == 0, there.sandbox.chrome_args)
    starting = launch.begin(binary, arguments(wish), folder, folder / "browser.log")
    try:
        running = launch.await_port(starting)
        assert running is not None
        there.sandbox.phone.scan(OTHER)
        yield
        DevTools(running.port.socket_url).call("Browser.close")
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(starting.child.pid)], 10)
        launch.end(starting)
        shutil.rmtree(folder, ignore_errors=True)
