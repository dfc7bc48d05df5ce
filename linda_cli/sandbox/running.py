"""Is a sandbox serving this folder, and where: asked by a process that did not start it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """What the serving process left in the folder."""

    pid: int
    port: int
    control_url: str
    chrome_args: list[str]


def card(folder: Path) -> Path:
    """The file that says so; a killed server leaves it behind, so it proves nothing by itself."""
    return folder / "server.json"


def running(folder: Path) -> Running | None:
    """The sandbox on this folder, once its control address has answered with the folder's own id."""
    try:
        told = json.loads(card(folder).read_bytes())
        found = Running(
            int(told["pid"]), int(told["port"]), str(told["controlUrl"]), [str(arg) for arg in told["chromeArgs"]]
        )
        if not found.control_url.startswith("http://127.0.0.1:"):
            return None
        open_directly = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        with open_directly(f"{found.control_url}/id", timeout=_PATIENCE) as response:
            return found if json.load(response).get("id") == told["id"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def left_ports(folder: Path) -> tuple[int, int] | None:
    """The ports of page and phone that a killed server has left behind in its file, if it has."""
    try:
        told = json.loads(card(folder).read_bytes())
        port, control = int(told["port"]), urlsplit(str(told["controlUrl"])).port
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (port, control) if 0 < port < 65536 and control is not None else None
