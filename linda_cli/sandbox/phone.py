"""The phone, for whoever tests against the stand-in: the same object from any process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Literal

from linda_cli.errors import Failed, Misused

# Never through a proxy that the environment names: this is loopback.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Phone:
    """Drives a running sandbox. What the phone will not do raises ``Failed``, what makes no sense ``Misused``.

    Where a verb takes a ``number`` and none is given, it means every account on the server.
    """

    def __init__(self, control_url: str) -> None:
        self.control_url = control_url.rstrip("/")

    def scan(self, number: str = "971505760056", *, qr: str | None = None, timeout: float = 30) -> None:
        """Wait until a code is on show, scan it, and return once the page is a device or shows its passkey screen.

        ``qr`` is the exact text that a camera read: a wrong or expired one is refused at once. Without it the code
        of the page opened last is taken.
        """
        self._post("scan", timeout + 20, number=number, qr=qr, timeout=timeout)

    def enter_code(self, code: str, number: str | None = None) -> None:
        """Type a pairing code, with or without its dash, into the phone it was made for."""
        self._post("enter_code", code=code, number=number)

    def log_out(self, number: str | None = None) -> None:
        """Unlink the devices; they stay removed, also when the server is started anew."""
        self._post("log_out", number=number)

    def log_out_with(self, reason: int | None, number: str | None = None) -> None:
        """The same with the reason (1 to 3) that the page then has in its address, or none."""
        self._post("log_out_with", reason=reason, number=number)

    def drop_network(self) -> None:
        """Cut every page off, and let no new one load, until ``restore_network``."""
        self._post("drop_network")

    def restore_network(self) -> None:
        """Let the pages come back."""
        self._post("restore_network")

    def refuse(self, seconds: float, number: str | None = None) -> None:
        """Answer logins with a 401 for a while; pages that were logged in fall back to a QR with their keys kept."""
        self._post("refuse", seconds=seconds, number=number)

    def ask_passkey(self, on: bool = True) -> None:
        """Let the next linking stop at the passkey screen."""
        self._post("ask_passkey", on=on)

    def finish_passkey(self) -> None:
        """Answer the passkey: the linking goes on."""
        self._post("finish_passkey")

    def break_storage(self, number: str | None = None) -> None:
        """Client fatal: the page cannot open its storage; the device stays linked."""
        self._post("break_storage", number=number)

    def open_elsewhere(self, where: Literal["computer", "window"], number: str | None = None) -> None:
        """Take the connection away from the pages, which then show the popup."""
        self._post("open_elsewhere", where=where, number=number)

    def block(self, kind: str | None, number: str | None = None) -> None:
        """Block with one of the kinds the facts name; None lifts it, and pages see that when they load again."""
        self._post("block", kind=kind, number=number)

    def message(self, text: str, number: str | None = None) -> None:
        """Send a message; a device that is away gets it at its next login."""
        self._post("message", text=text, number=number)

    def set_timing(self, **fields: float) -> None:
        """Change how long things take; pages learn of it when they next connect."""
        self._post("set_timing", **fields)

    def status(self) -> dict[str, Any]:
        """Devices, pages, codes on show, and what was counted."""
        return self._ask(urllib.request.Request(f"{self.control_url}/status"), 20)

    def _post(self, verb: str, patience: float = 20, **body: object) -> dict[str, Any]:
        data = json.dumps(body).encode()
        return self._ask(urllib.request.Request(f"{self.control_url}/{verb}", data, method="POST"), patience)

    def _ask(self, request: urllib.request.Request, patience: float) -> dict[str, Any]:
        try:
            with _open(request, timeout=patience) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as refused:
            with refused:
                said: dict[str, str] = json.load(refused)
            kind = Misused if refused.code == 400 else Failed
            raise kind(said.get("error", "the phone refused"), said.get("hint", "")) from None
        except (OSError, ValueError) as gone:
            raise Failed("the sandbox does not answer", "linda sandbox") from gone
