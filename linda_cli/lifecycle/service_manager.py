"""What systemd is told of a service of ``Type=notify``: that it is ready, how it is, that it is alive.

The protocol is ``sd_notify(3)``: lines in one datagram to the socket that ``NOTIFY_SOCKET`` names. Not being able to
say something is no failure: whoever listens may be away.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

from linda_cli.lifecycle.events import Event, OnEvent

_LONGEST_STATUS = 200
_STATUS: dict[str, Callable[[Event], str]] = {
    "qr": lambda _: "waits for a QR code to be scanned",
    "pairing_code": lambda _: "waits for a pairing code to be typed",
    "passkey_required": lambda _: "WhatsApp asks for a passkey",
    "loading": lambda _: "WhatsApp Web is loading",
    "syncing": lambda told: f"syncing, {told.facts.get('percent', 0)} %",
    "disconnected": lambda told: f"disconnected: {told.facts.get('reason', '')}",
    "waiting": lambda told: f"waits: {told.facts.get('reason', '')}",
    "logged_out": lambda told: f"logged out: {told.facts.get('reason', '')}",
}


@dataclass(slots=True)
class ServiceManager:
    """One that listens. ``every``: seconds between two signs of life, None where none are wanted."""

    address: str
    every: float | None = None
    _last: float = field(default=float("-inf"))

    @classmethod
    def of_environment(cls, environ: MutableMapping[str, str] = os.environ) -> ServiceManager | None:
        """The one that started this process, None where there is none.

        The variables are taken away: what we start is not the service, and must not speak for it.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        if not address.startswith(("/", "@")):
            return None
        mine = not pid or pid == str(os.getpid())
        # Half of the time that is given, as sd_watchdog_enabled(3) asks for.
        every = int(interval) / 2e6 if mine and interval.isdigit() and int(interval) > 0 else None
        return cls(address, every)

    def ready(self, status: str = "") -> None:
        """The service is up."""
        self._tell("READY=1", *self._status(status))

    def status(self, status: str) -> None:
        """How it is, in words for ``systemctl status``."""
        self._tell(*self._status(status))

    def stopping(self) -> None:
        """It ends by itself or as it was asked to."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, as often as is wanted and no more. To be called by the loop that must not hang."""
        if self.every is None or time.monotonic() - self._last < self.every / 2:
            return
        self._last = time.monotonic()
        self._tell("WATCHDOG=1")

    def hearing(self, on_event: OnEvent) -> OnEvent:
        """A callback for a run's events that tells systemd what they mean, then passes them on."""

        def heard(told: Event) -> None:
            if told.event in ("ready", "reconnected"):
                self.ready(f"{told.session} is ready")
            elif told.event == "stopped":
                self.stopping()
            elif told.event in _STATUS:
                self.status(_STATUS[told.event](told))
            on_event(told)

        return heard

    @staticmethod
    def _status(status: str) -> tuple[str, ...]:
        plain = " ".join(status.split())[:_LONGEST_STATUS]
        return (f"STATUS={plain}",) if plain else ()

    def _tell(self, *lines: str) -> None:
        if not lines:
            return
        # An address with an @ is of Linux's abstract namespace, which begins with a zero byte.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:  # see above
            made.setblocking(False)
            made.sendto("\n".join(lines).encode(), address)
