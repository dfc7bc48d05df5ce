"""linda's side of the way from a browser to its proxy: starting ``forward.py``, asking it, starting it again."""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linda_cli.browser.environment import scrubbed_environment
from linda_cli.browser.proxy import Proxy
from linda_cli.errors import BrowserFailed

# Never imported here: asyncio takes 30 ms and 5 MB, which no linda needs.
_PROGRAM = Path(__file__).with_name("forward.py")
_PATIENCE = 3.0
_LONGEST_ANSWER = 1000
_PROXY_SWITCHES = ("proxy-server", "proxy-bypass-list", "proxy-pac-url", "proxy-auto-detect", "no-proxy-server")


@dataclass(frozen=True, slots=True)
class Way:
    """Where to, and by which names: all that the forwarding program is told. Never shown: it holds the password."""

    proxy: Proxy
    names: Mapping[str, str | None]

    def told(self) -> bytes:
        """The line that it gets; equal ways give equal lines."""
        proxy = self.proxy
        wanted = {
            "scheme": proxy.scheme.value, "host": proxy.host, "port": proxy.port,
            "user": proxy.user, "password": proxy.password, "names": dict(self.names),
        }  # fmt: skip
        return json.dumps(wanted, sort_keys=True).encode()


@dataclass(slots=True)
class Forwarding:
    """One browser's way to its proxy, by a port on loopback."""

    way: Way
    port: int
    child: subprocess.Popen[bytes] | None = None
    pid: int = 0

    @classmethod
    def begin(cls, way: Way, port: int = 0) -> Forwarding:
        """Start it; it ends again unless it is told which browser to stay with. Raises ``BrowserFailed``."""
        with socket.socket() as listening:
            # The port of one that has died, for a browser that still goes by it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind(("127.0.0.1", port))
                listening.listen(128)
                child = subprocess.Popen(
                    # By its path and without site: it needs nothing of linda, and takes 60 ms less to start.
                    [sys.executable, "-I", "-S", _PROGRAM, str(listening.fileno())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    pass_fds=(listening.fileno(),),
                    cwd="/",
                    env=scrubbed_environment(),
                )
            except OSError as problem:
                raise BrowserFailed(
                    f"the way to the proxy {way.proxy} could not be made: {problem.strerror or problem}",
                    "linda start --verbose",
                ) from problem
            made = cls(way, int(listening.getsockname()[1]), child)
        made._tell(way.told())
        return made

    def stay_with(self, pid: int) -> None:
        """Have it live as long as this browser."""
        self.pid = pid
        self._tell(str(pid).encode())
        if self.child is not None and self.child.stdin is not None:
            self.child.stdin.close()

    def end(self) -> None:
        """End it: there is no browser that needs it."""
        if self.child is None:
            return
        if self.child.stdin is not None:
            self.child.stdin.close()
        self.child.kill()
        self.child.wait(5)

    def reap(self) -> None:
        """After its browser has gone, when it ends by itself."""
        if self.child is None:
            return
        # It did not end by itself: it is ended below.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(2)
            return
        self.end()

    def problem(self) -> str:
        """Why the way is not there, in words that follow the proxy's name; "" where it is. Started again where it had
        ended."""
        answer = ask(self.way, self.port)
        if answer is not None:
            return answer
        if self.child is not None and self.child.poll() is None:
            return "is reached by a program of linda's that does not answer"
        again = Forwarding.begin(self.way, self.port)
        again.stay_with(self.pid)
        self.child = again.child
        return "was reached by a program of linda's that had ended; it was started again"

    def _tell(self, line: bytes) -> None:
        if self.child is None or self.child.stdin is None:
            return
        # One that has died already is noticed by whoever asks it.
        with contextlib.suppress(OSError):
            self.child.stdin.write(line + b"\n")
            self.child.stdin.flush()


def ask(way: Way, port: int) -> str | None:
    """What the program on this port says is wrong; None where none is there that goes this very way."""
    nonce = secrets.token_hex(16).encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as made:
            made.sendall(b"?" + nonce + b"\n")
            with made.makefile("rb") as file:
                proof, _, problem = (
                    file.readline(_LONGEST_ANSWER).decode("utf-8", "replace").rstrip("\n").partition(" ")
                )
    except OSError:
        return None
    expected = hmac.new(way.told(), nonce, "sha256").hexdigest()
    return problem if hmac.compare_digest(proof.encode(), expected.encode()) else None


def through(arguments: Sequence[str], port: int) -> list[str]:
    """A browser's arguments, with this way and no other to the network."""
    return [
        *(one for one in arguments if _name(one) not in _PROXY_SWITCHES),
        f"--proxy-server=socks5://127.0.0.1:{port}",
        # Calls would else show this machine's own address beside the proxy.
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    ]


def port_of(arguments: Sequence[str]) -> int | None:
    """The port on loopback by which a browser with these arguments goes, None where it goes by none of ours."""
    start = "--proxy-server=socks5://127.0.0.1:"
    for argument in reversed(arguments):
        if argument.startswith(start) and argument.removeprefix(start).isdigit():
            return int(argument.removeprefix(start))
    return None


def proxy_switches(arguments: Sequence[str]) -> list[str]:
    """Those of a browser's arguments that say by which proxy it goes."""
    return sorted(one for one in arguments if _name(one) in _PROXY_SWITCHES)


def names_of(arguments: Sequence[str]) -> dict[str, str | None]:
    """``--host-resolver-rules``, which Chromium leaves to its proxy: ``host:port`` to where that is, ``*`` for all
    others; None is nowhere."""
    names: dict[str, str | None] = {}
    for argument in arguments:
        name, _, rules = argument.partition("=")
        if name != "--host-resolver-rules":
            continue
        names = {}
        for rule in rules.split(","):
            match rule.split():
                case ["MAP", "*", "~NOTFOUND"]:
                    names["*"] = None
                case ["MAP", host, "~NOTFOUND"]:
                    names[host.lower()] = None
                case ["MAP", host, target] if ":" in host and ":" in target:
                    names[host.lower()] = target
    return names


def _name(argument: str) -> str:
    return argument.lstrip("-").partition("=")[0]
