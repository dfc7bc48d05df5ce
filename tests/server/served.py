"""A ``linda serve`` in a process of its own, and the clients that ask it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.linda import COMMAND, NUMBER, Started, World

PINNED = "socket.io-client@4.8.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


class Served(Started):
    """A running server on the world's stand-in. Its log, as JSON, are its events."""

    def __init__(self, world: World, *words: str, command: list[str] | None = None, **environ: str) -> None:
        if command is None:
            command = [*COMMAND, "--home", str(world.home), "--json", "serve", "--sandbox", "--port", "0"]
            if "--restore-after" not in words:
                command += ["--restore-after", "0"]
            command += words
        super().__init__(command, {**os.environ, **environ})
        self.token: str | None = None
        self.url = ""

    def __enter__(self) -> Served:
        super().__enter__()
        self.url = self.wait_for("serving", timeout=40)["url"]
        return self

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Answer:
        """One request below ``/whatsapp/``, or from the root where the path begins with a slash."""
        url = self.url.rstrip("/") + (path if path.startswith("/") else f"/whatsapp/{path}")
        asked = urllib.request.Request(url, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        if body is not None:
            asked.data = json.dumps(body).encode()
            asked.add_header("Content-Type", "application/json")
        if token or self.token:
            asked.add_header("Authorization", f"Bearer {token or self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=90) as answered:
                return Answer(answered.status, dict(answered.headers), answered.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, dict(refused.headers), refused.read())

    def get(self, path: str, **more: Any) -> dict[str, Any]:
        """The answer of a GET that must do well."""
        answered = self.ask("GET", path, **more)
        assert answered.status == 200, answered
        return answered.json

    def post(self, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """The answer of a POST that must do well."""
        answered = self.ask("POST", path, body, **more)
        assert answered.status in (200, 201, 202), answered
        return answered.json

    def status(self, number: str = NUMBER, **more: Any) -> dict[str, Any]:
        return self.get(f"session-status/{number}", **more)

    def until(self, wanted: Callable[[dict[str, Any]], object], number: str = NUMBER, timeout: float = 30) -> Any:
        """The session's status once it is as wanted."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self.status(number)
            if wanted(seen):
                return seen
            assert time.monotonic() < deadline, (seen, self.story()[-10:])
            time.sleep(0.05)

    def link(self, world: World, number: str = NUMBER) -> None:
        """Put a number on record and link it with the phone."""
        self.post("accounts", {"number": number})
        self.post(f"accounts/{number}/start")
        shown = self.until(lambda one: one["code"] == "qr", number)
        assert shown["status"] == "authenticating"
        world.phone.scan(number, qr=self.ask("GET", f"accounts/{number}/qr").body.decode())
        self.until(lambda one: one["isReady"], number)
        self.wait_for("saved", session=number)

    @property
    def memory(self) -> float:
        """Megabytes resident of the server's own process."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def browsers(self) -> list[psutil.Process]:
        """The browsers that this server has started."""
        there = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in there if "--type=" not in " ".join(_words(one)) and "chrom" in one.name()]


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


class Client(Started):
    """The real ``socket.io-client`` in node."""

    def __init__(self, modules: Path, url: str, transport: str = "") -> None:
        script = str(Path(__file__).with_name("client.mjs"))
        super().__init__(["node", script, str(modules), url, transport], dict(os.environ), stdin=subprocess.PIPE)

    def __enter__(self) -> Client:
        super().__enter__()
        self.wait_for("connect")
        return self

    def init(self, **data: Any) -> dict[str, Any]:
        """Emit ``init`` and give its acknowledgement."""
        before = len(self.all("ack"))
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"emit": "init", "data": data}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = self.wait_for("ack", count=before + 1)["answer"]
        return answer


def install(folder: Path, *packages: str) -> Path:
    """Packages from their registry, at pinned versions; socket.io-client where none is named."""
    if shutil.which("npm") is None:
        raise FileNotFoundError("npm")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    subprocess.run([*command, *(packages or (PINNED,))], check=True, timeout=300)
    return folder
