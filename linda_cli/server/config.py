"""How a server is to behave. Times in seconds."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from linda_cli.errors import Misused
from linda_cli.lifecycle.options import Options, Pace
from linda_cli.object_store.settings import remote_settings

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.IGNORECASE)
SHORTEST_SECRET = 32
"""Bytes: RFC 7518 asks for as many as the hash has."""


def twice_the_cores() -> int:
    """How many accounts come up side by side: a start computes for half its time at most and waits for the rest."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


@dataclass(frozen=True, slots=True)
class Settings:
    """``restore_after``: from the start of the server to the first restoration. ``at_once``: accounts that come up
    side by side; ``turn``: how long one may keep the others waiting. ``timeout``: for an account to become ready.
    ``linkings``: a user's tries to link within ten minutes; ``accounts``: a user's accounts; 0 is any number.
    ``hosts``: Host names to accept beside loopback and ``host``. ``webhook_networks``: private networks webhooks may
    call. ``jwt_secrets``: the first signs, each is accepted. ``root_path``: below which path a proxy serves this;
    ``proxies``: networks whose forwarded headers are believed. ``notify``: URLs of apprise, ``on_event``: a command:
    who is told of troubles. ``remote``: the object store that
    gets the backups, None for that of ``LINDA_REMOTE``.
    """

    host: str = "127.0.0.1"
    port: int = 8350
    database_url: str | None = None
    jwt_secrets: tuple[str, ...] = ()
    restore_after: float = 5.0
    at_once: int = field(default_factory=twice_the_cores)
    turn: float = 20.0
    timeout: float = 120.0
    qr_timeout: float = 300.0
    backup_every: float = 6 * 3600.0
    cleanup_every: float = 600.0
    stop_within: float = 60.0
    keep_browsers: bool = False
    takeover: bool = False
    engine: str = "selenium"
    linkings: int = 10
    accounts: int = 0
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    webhook_networks: tuple[str, ...] = ()
    browser_args: tuple[str, ...] = ()
    root_path: str = ""
    proxies: tuple[str, ...] = ()
    remote: str | None = None
    max_memory: int = 0
    notify: tuple[str, ...] = ()
    on_event: str | None = None
    pace: Pace = field(default_factory=Pace)

    @property
    def secret_is_short(self) -> bool:
        """Whether a secret is shorter than a signature."""
        return any(len(one.encode()) < SHORTEST_SECRET for one in self.jwt_secrets)

    @property
    def base_path(self) -> str:
        """``root_path`` as it stands before a path: ``""`` or ``/linda``."""
        return f"/{self.root_path.strip('/')}" if self.root_path.strip("/") else ""

    def check(self) -> None:
        """Raise ``Misused`` for invalid options, before anything is started."""
        if not is_loopback(self.host):
            self._check_secret()
        # Every run asks for it again; here before anything is started.
        remote_settings(self.remote)
        if not 0 <= self.port <= 65535:
            raise Misused(f"{self.port} is no port", "linda serve --port 8350")
        if self.at_once < 1 or min(self.timeout, self.cleanup_every, self.stop_within) <= 0:
            raise Misused("a time or a count is too small", "linda serve --help")
        Options(max_memory=self.max_memory)
        if min(self.linkings, self.accounts) < 0:
            raise Misused("a time or a count is too small", "linda serve --help")
        for network in (*self.webhook_networks, *self.proxies):
            option = "--webhook-to" if network in self.webhook_networks else "--behind-proxy"
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise Misused(f"{network!r} is no network", f"linda serve {option} 10.0.0.0/8") from None
        for origin in self.origins:
            if not is_origin(origin):
                raise Misused(f"{origin!r} is no origin", "linda serve --origin https://panel.example")
        for name in self.hosts:
            if not is_host(name):
                raise Misused(f"{name!r} is no host name", "linda serve --allowed-host linda.example")
        if not re.fullmatch(r"(/?[A-Za-z0-9._~-]+)*/?", self.root_path) or ".." in self.root_path:
            raise Misused(f"{self.root_path!r} is no path", "linda serve --root-path /linda")

    def _check_secret(self) -> None:
        hint = (
            "openssl rand -hex 32 > linda.secret; chmod 600 linda.secret; "
            f"JWT_SECRET_FILE=linda.secret linda serve --host {self.host}"
        )
        if not self.jwt_secrets:
            raise Misused(
                f"without JWT_SECRET everyone who reaches the server is let in, so it does not listen on {self.host}",
                hint,
            )
        if self.secret_is_short:
            raise Misused(f"JWT_SECRET is shorter than {SHORTEST_SECRET} bytes, which can be guessed", hint)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_host(name: str) -> bool:
    """Whether this is a host name or an address, without a port."""
    try:
        ipaddress.ip_address(name.strip("[]"))
        return True
    except ValueError:
        return len(name) <= 253 and _NAME.fullmatch(name) is not None


def is_origin(origin: str) -> bool:
    """Whether this is a scheme, a host and a port, and nothing more."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    well = parts.scheme in ("http", "https") and bool(parts.hostname) and is_host(parts.hostname or "")
    return well and not (parts.query or parts.fragment or parts.username or parts.path.strip("/")) and port != 0
