"""``linda serve`` under load: a database that hangs, stops under way, and the page with two hundred accounts."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks.rows import Row
from benchmarks.serving import NUMBERS, Server, Serving
from tests.server import postgres

ALLOWED_LIVEZ = 0.1
ALLOWED_PAINT = 0.1
ALLOWED_DELAY = 1.0


def rows(serving: Serving) -> list[Row]:
    """Every figure; those whose tools are missing are left out."""
    made = [_livez(serving)]
    if postgres.binaries() is not None:
        made.append(_hanging_database(serving))
    made.append(_page())
    return made


def _livez(serving: Serving) -> Row:
    """The slowest of a hundred ``livez`` while eighty stops are under way."""
    took: list[float] = []
    with serving.server() as server:
        for number in NUMBERS:
            server.until("saved", number)
        with ThreadPoolExecutor(80) as pool:
            for at in range(80):
                pool.submit(server.ask, "POST", f"/whatsapp/accounts/{NUMBERS[at % len(NUMBERS)]}/stop")
            for _ in range(100):
                began = time.perf_counter()
                server.ask("GET", "/livez")
                took.append(time.perf_counter() - began)
                time.sleep(0.02)
    return Row(
        "the median of 100 `livez` while 80 stops are under way", "the 0.1 s that are allowed", 1.0,
        statistics.median(took), ALLOWED_LIVEZ, f"{min(took):.3f}-{max(took):.3f}",
    )  # fmt: skip


def _hanging_database(serving: Serving) -> Row:
    """Twenty accounts brought up while the database hangs, beside the same while it answers."""
    hung, answering = [], []
    with postgres.cluster() as url:
        os.environ["LINDA_DATABASE_URL"] = url
        try:
            with serving.server() as server:
                for number in NUMBERS:
                    server.until("saved", number)
                for _ in range(3):
                    answering.append(_again(server))
                    for process in _processes(url):
                        process.send_signal(signal.SIGSTOP)
                    try:
                        hung.append(_again(server))
                    finally:
                        for process in _processes(url):
                            process.send_signal(signal.SIGCONT)
                    time.sleep(2.0)
        finally:
            del os.environ["LINDA_DATABASE_URL"]
    delay = max(0.0, statistics.median(hung) - statistics.median(answering))
    return Row(
        "what a database that hangs adds until 20 accounts were stopped and are up again", "the second that is allowed",
        1.0, delay, ALLOWED_DELAY, f"{min(hung):.3f}-{max(hung):.3f} / {min(answering):.3f}-{max(answering):.3f}",
    )  # fmt: skip


def _again(server: Server) -> float:
    """Seconds to stop every account and bring it up again."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(NUMBERS)) as pool:
        list(pool.map(lambda number: server.ask("POST", f"/whatsapp/accounts/{number}/stop"), NUMBERS))
        list(pool.map(lambda number: server.ask("POST", f"/whatsapp/restore-session/{number}"), NUMBERS))
    left = set(NUMBERS)
    while left:
        left = {one for one in left if not server.ask("GET", f"/whatsapp/session-status/{one}")["isReady"]}
        time.sleep(0.02)
    return time.perf_counter() - began


def _processes(url: str) -> Iterator[psutil.Process]:
    postmaster = psutil.Process(int(Path(url.rpartition("host=")[2], "data", "postmaster.pid").read_text().split()[0]))
    yield postmaster
    yield from postmaster.children(recursive=True)


def _page() -> Row:
    """From the data of two hundred accounts to the last row painted, in a real Chromium."""
    from linda_cli.sandbox.server import Sandbox
    from tests.linda import World
    from tests.server.served import Served
    from tests.server.test_page import Page

    folder = Path(tempfile.mkdtemp(prefix="linda-bench-page-"))
    sandbox = Sandbox(folder / "home" / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(folder / "home", sandbox)
    took: list[float] = []
    try:
        with Served(world) as server:
            for at in range(200):
                server.post("accounts", {"number": str(971505770000 + at), "label": f"Branch {at}"})
            page = Page(folder / "person")
            try:
                for _ in range(8):
                    page.driver.get("about:blank")
                    page.open(server)
                    page.until("#rows a", "Branch 199")
                    took.append(float(page.driver.execute_script(
                        "const [data, painted] = ['linda-data', 'linda-painted'].map((name) =>"
                        " performance.getEntriesByName(name)[0].startTime); return (painted - data) / 1000;"
                    )))  # fmt: skip
            finally:
                page.driver.quit()
    finally:
        world.end()
        shutil.rmtree(folder, ignore_errors=True)
    return Row(
        "the page with 200 accounts, from its data to the last row painted", "the 0.1 s that are allowed", 1.0,
        statistics.median(took[1:]), ALLOWED_PAINT, f"{min(took[1:]):.3f}-{max(took[1:]):.3f}",
    )  # fmt: skip
