"""Where the server of a home listens, told to other commands of the same home."""

from __future__ import annotations

import contextlib
import json
import shlex
from urllib.parse import urlsplit

from linda_cli.sessions.durable import write_whole
from linda_cli.sessions.home import Home
from linda_cli.sessions.state import read_json

_LARGEST = 4096
_USUAL = "http://127.0.0.1:8350"


def note(home: Home, url: str, pid: int, needs_token: bool) -> None:
    """Say where the server of this process listens. ``url``: without a path, as this machine reaches it."""
    told = {"version": 1, "url": url, "pid": pid, "needsToken": needs_token}
    write_whole(home.serving, json.dumps(told).encode() + b"\n")


def forget(home: Home) -> None:
    """The server has ended. One that was killed leaves the note, and nobody believes it: its pid holds no lock."""
    with contextlib.suppress(OSError):  # nothing depends on it
        home.serving.unlink(missing_ok=True)


def request(home: Home, pid: int, path: str) -> str:
    """The command that asks the server, process ``pid``, which holds this home, for something by POST."""
    url, token = _USUAL, ""
    try:
        told = read_json(home.serving, _LARGEST)
        if isinstance(told, dict) and told.get("pid") == pid and urlsplit(str(told["url"])).scheme == "http":
            url = str(told["url"])
            token = ' -H "Authorization: Bearer $(linda token)"' if told.get("needsToken") else ""
    except (OSError, ValueError, KeyError):
        # Of an older version, or unreadable: the usual address is the best guess, as it was before there was a note.
        pass
    address = f"{url}{path}"
    return f"curl -X POST{token} {address if address == shlex.quote(address) else shlex.quote(address)}"
