"""How a server is to behave. Times in seconds."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

from linda_cli.errors import Misused
from linda_cli.lifecycle.options import Pace


def twice_the_cores() -> int:
    """How many accounts come up side by side: a start computes for half its time at most and waits for the rest."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


@dataclass(frozen=True, slots=True)
class Settings:
    """``restore_after``: from the start of the server to the first restoration. ``at_once``: accounts that come up
    side by side; ``turn``: how long one may keep the others waiting. ``timeout``: for an account to become ready.
    ``linkings``: a user's tries to link within ten minutes. ``hosts``: names the server may be called by beside
    loopback and ``host``. ``webhook_networks``: where webhooks may go though it is inside.
    """

    host: str = "127.0.0.1"
    port: int = 8350
    database_url: str | None = None
    jwt_secret: str | None = None
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
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    webhook_networks: tuple[str, ...] = ()
    browser_args: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)

    @property
    def secret_is_short(self) -> bool:
        """RFC 7518 asks for as many bytes as the hash has."""
        return self.jwt_secret is not None and len(self.jwt_secret.encode()) < 32

    def check(self) -> None:
        """Raise ``Misused`` for what makes no sense, before anything is started."""
        if self.jwt_secret is None and not is_loopback(self.host):
            raise Misused(
                f"without JWT_SECRET everyone who reaches the server is let in, so it does not listen on {self.host}",
                "JWT_SECRET=$(openssl rand -hex 32) linda serve --host " + self.host,
            )
        if not 0 <= self.port <= 65535:
            raise Misused(f"{self.port} is no port", "linda serve --port 8350")
        if self.at_once < 1 or min(self.timeout, self.cleanup_every, self.stop_within) <= 0 or self.linkings < 0:
            raise Misused("a time or a count is too small", "linda serve --help")
        for network in self.webhook_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise Misused(f"{network!r} is no network", "linda serve --webhook-to 10.0.0.0/8") from None


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
