"""``linda serve`` with twenty accounts: cold, with kept browsers, under five hundred clients, and what it weighs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.rows import Row
from benchmarks.scene import LINDA
from linda_cli.sandbox.server import Sandbox

ACCOUNTS = 20
CLIENTS = 500
NUMBERS = [str(971505760100 + index) for index in range(ACCOUNTS)]
COLD_TURNS = 3
"""One turn takes most of a minute; the others seven as everywhere."""


class Serving:
    """A home with twenty linked sessions and the stand-in they are linked with."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.sandbox = Sandbox(self.home / ".sandbox" / "stand-in")
        self.sandbox.start()
        with self.server() as server:
            for number in NUMBERS:
                server.ask("POST", "/whatsapp/accounts", {"number": number})
                server.ask("POST", f"/whatsapp/accounts/{number}/start")
                self.sandbox.phone.scan(number)
                server.until("saved", number)
                server.ask("POST", f"/whatsapp/accounts/{number}/stop")

    @contextlib.contextmanager
    def server(self, *words: str) -> Iterator[Server]:
        """A server that restores at once; SIGTERM ends it."""
        began = time.perf_counter()
        command = [*LINDA, "--home", str(self.home), "--json", "serve", "--sandbox", "--port", "0"]
        command += ["--restore-after", "0", "--linkings", "0"]
        with subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        ) as process:
            server = Server(process, began)
            try:
                server.until("serving")
                yield server
            finally:
                process.send_signal(signal.SIGTERM)
                server.drain()
                process.wait(120)

    def once(self, number: str) -> float:
        """Seconds of one ``linda start --once``, exec to its end."""
        began = time.perf_counter()
        subprocess.run(
            [*LINDA, "--home", str(self.home), "--quiet", "start", number, "--sandbox", "--once"],
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        return time.perf_counter() - began

    def all_ready(self, *words: str) -> float:
        """Seconds from exec of a server until its twentieth account is ready."""
        with self.server(*words) as server:
            for number in NUMBERS:
                server.until("ready", number)
            taken = max(server.seen["ready", number] for number in NUMBERS)
            for number in NUMBERS:
                server.until("saved", number)
        return taken


class Server:
    """A running server: its events as they come, and questions to it."""

    def __init__(self, process: subprocess.Popen[str], began: float) -> None:
        self.process = process
        self.began = began
        self.seen: dict[tuple[str, str | None], float] = {}
        self.port = 0

    def until(self, event: str, number: str | None = None) -> None:
        """Read on until this was told."""
        assert self.process.stdout is not None
        while (event, number) not in self.seen:
            line = self.process.stdout.readline()
            assert line, f"the server ended before {event} of {number}"
            told = json.loads(line)
            self.seen.setdefault((told["event"], told["session"]), time.perf_counter() - self.began)
            if told["event"] == "serving":
                self.port = int(told["url"].rsplit(":", 1)[1].strip("/"))

    def drain(self) -> None:
        """Read to the end."""
        assert self.process.stdout is not None
        self.process.stdout.read()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer of a request that must do well."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        line.request(method, path, json.dumps(body) if body is not None else None, headers)
        answered = line.getresponse()
        told = answered.read()
        line.close()
        assert answered.status < 300, told
        return json.loads(told) if told else None

    def p99(self, asked: int = 2000) -> float:
        """The 99th percentile of ``session-status``, in milliseconds, on one connection that is kept."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        taken = []
        for index in range(asked + 100):
            began = time.perf_counter()
            line.request("GET", f"/whatsapp/session-status/{NUMBERS[index % ACCOUNTS]}")
            line.getresponse().read()
            taken.append((time.perf_counter() - began) * 1000)
        line.close()
        return statistics.quantiles(taken[100:], n=100)[98]

    @property
    def memory(self) -> float:
        """Megabytes that the server's own process has to itself or shares in fair parts."""
        return float(psutil.Process(self.process.pid).memory_full_info().pss) / 1e6


@contextlib.contextmanager
def _clients(modules: Path, port: int, count: int) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("peers") / "clients.js"
    with subprocess.Popen(
        ["node", str(script), f"http://127.0.0.1:{port}/", str(count)],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, "NODE_PATH": str(modules / "node_modules")},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["joined"] == count
        try:
            yield process
        finally:
            process.terminate()


def rows(peers: Path | None) -> list[Row]:
    """Every figure of a server."""
    folder = Path(tempfile.mkdtemp(prefix="linda-bench-"))
    serving = Serving(folder)
    try:
        made = [*_restoring(serving)]
        if peers is not None:
            made += _clients_rows(serving, peers)
        from benchmarks import serving_load

        made += [_said(row) for row in serving_load.rows(serving)]
        return made
    finally:
        serving.sandbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _said(row: Row) -> Row:
    print(
        f"{'met   ' if row.met else 'MISSED'} {row.ratio:5.2f} (at most {row.target}) {row.what} | {row.beside}",
        flush=True,
    )
    return row


def _restoring(serving: Serving) -> Iterator[Row]:
    cold, single, kept = [], [], []
    serving.all_ready()
    for _ in range(COLD_TURNS):
        single.append(sum(serving.once(number) for number in NUMBERS))
        cold.append(serving.all_ready())
    yield _said(Row(
        "twenty accounts, exec of `linda serve` to the last one ready", "the sum of twenty `linda start --once`", 0.7,
        statistics.median(cold), statistics.median(single), _spread(cold, single),
    ))  # fmt: skip
    serving.all_ready("--keep-browsers")
    for _ in range(7):
        kept.append(serving.all_ready("--keep-browsers"))
    yield _said(Row(
        "all twenty again with kept browsers", "the same cold", 0.15,
        statistics.median(kept), statistics.median(cold), _spread(kept, cold),
    ))  # fmt: skip
    serving.all_ready()


def _spread(mine: list[float], theirs: list[float]) -> str:
    return f"{min(mine):.3f}-{max(mine):.3f} / {min(theirs):.3f}-{max(theirs):.3f}"


def _clients_rows(serving: Serving, peers: Path) -> Iterator[Row]:
    with serving.server() as server:
        alone = server.memory
        for number in NUMBERS:
            server.until("saved", number)
        loaded = server.memory
        driver = _driver_memory()
        yield _said(Row(
            "memory of linda's own process for each account that is ready", "a ChromeDriver, which is not started",
            float("inf"), (loaded - alone) / ACCOUNTS, driver, "", "MB",
        ))  # fmt: skip
        quiet, busy, one, many, one_told, many_told = [], [], [], [], [], []
        for _ in range(7):
            quiet.append(server.p99())
            with _clients(peers, server.port, 1) as client:
                _collect(serving, client, one, one_told)
            with _clients(peers, server.port, CLIENTS) as client:
                busy.append(server.p99())
                _collect(serving, client, many, many_told)
    yield _said(Row(
        f"p99 of `session-status` with {CLIENTS} connected Socket.IO clients", "with none", 3.0,
        statistics.median(busy), statistics.median(quiet), _spread(busy, quiet), "ms",
    ))  # fmt: skip
    yield _said(Row(
        f"an event at the last of {CLIENTS} clients, from what happened on the phone", "at the only one", 5.0,
        statistics.median(many), statistics.median(one), _spread(many, one), "ms",
    ))  # fmt: skip
    yield _said(Row(
        f"the same from linda's own moment (`at`) to the last of {CLIENTS}", "to the only one", float("inf"),
        statistics.median(many_told), statistics.median(one_told), _spread(many_told, one_told), "ms",
    ))  # fmt: skip


def _collect(serving: Serving, client: subprocess.Popen[str], happened: list[float], told: list[float]) -> None:
    assert client.stdout is not None
    began = time.time() * 1000
    serving.sandbox.phone.reload_page(number=NUMBERS[0])
    line = json.loads(client.stdout.readline())
    happened.append(line["last"] - began)
    told.append(line["last"] - line["at"])
    # The page is ready again before the next one.
    time.sleep(1.0)


def _driver_memory() -> float:
    """Megabytes of a ChromeDriver that has just begun: the least that one takes."""
    with subprocess.Popen(
        [shutil.which("chromedriver") or "chromedriver", "--port=0"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        time.sleep(0.5)
        taken = float(psutil.Process(driver.pid).memory_full_info().pss) / 1e6
        driver.terminate()
    return taken
