"""Object stores to test on: a folder, rclone's S3 server, moto's S3 server, each on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ACCESS, SECRET = "lindatestaccess", "lindatestsecret"
RCLONE = Path(sys.executable).parent / "rclone"
MOTO = Path(sys.executable).parent / "moto_server"


@dataclass(slots=True)
class Place:
    """An object store. ``environ``: what a client needs to reach it."""

    name: str
    url: str
    environ: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextlib.contextmanager
def served(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on ``port``; it is ended with the block."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):  # it does not listen yet
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def rclone_command(folder: Path, port: int) -> list[str]:
    """An S3 server over a folder, whose folders are its buckets."""
    return [
        str(RCLONE), "serve", "s3", "--auth-key", f"{ACCESS},{SECRET}", "--addr", f"127.0.0.1:{port}",
        "--config", os.devnull, "--vfs-cache-mode", "off", str(folder),
    ]  # fmt: skip


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[Place]:
    """rclone's S3."""
    port = free_port()
    (folder / "bucket").mkdir(parents=True)
    with served(rclone_command(folder, port), port, folder.with_suffix(".log")) as process:
        yield Place("rclone", "s3://bucket/linda", environ(port), process)


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Place]:
    """moto's S3."""
    port = free_port()
    folder.mkdir(parents=True)
    with served([str(MOTO), "-H", "127.0.0.1", "-p", str(port)], port, folder / "moto.log") as process:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(asked, timeout=30).close()
        yield Place("moto", "s3://bucket/linda", environ(port), process)


def environ(port: int) -> dict[str, str]:
    """The variables of an S3 server on loopback."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "NO_PROXY": "127.0.0.1",
    }
