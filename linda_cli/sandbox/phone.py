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

    def log_out_with(self, reason: int | None, number: str | None = None, *, address: bool = True) -> None:
        """The same with the reason that the page then has in its address, or none.

        Without ``address`` the page does not go there: it shows a code where it is, its keys and databases gone.
        """
        self._post("log_out_with", reason=reason, number=number, address=address)

    def drop_network(self, how: Literal["down", "dns", "silent"] = "down") -> None:
        """Cut every page off, and let no new one load, until ``restore_network``.

        ``dns``: browsers that start meanwhile cannot look the name up, and never will. ``silent``: nothing fails, and
        nothing is answered.
        """
        self._post("drop_network", how=how)

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

    def open_elsewhere(
        self,
        where: Literal["computer", "window"],
        number: str | None = None,
        *,
        pane: bool = False,
        socket: Literal["UNLAUNCHED", "OPENING"] = "UNLAUNCHED",
    ) -> None:
        """Take the connection away from the pages, which then show the popup.

        ``pane``: that of another computer has the pane behind it. ``socket``: the state under that of another window.
        """
        self._post("open_elsewhere", where=where, number=number, pane=pane, socket=socket)

    def block(self, kind: str | None, number: str | None = None) -> None:
        """Block with one of the kinds the facts name; None lifts it, and pages see that when they load again."""
        self._post("block", kind=kind, number=number)

    def message(self, text: str, number: str | None = None) -> None:
        """Send a message; a device that is away gets it at its next login."""
        self._post("message", text=text, number=number)

    def switch_account(self, to: str, number: str | None = None) -> None:
        """Link another account in the profile of a page that is logged in; the first stays linked on its phone."""
        self._post("switch_account", to=to, number=number)

    def change_number(self, to: str, number: str | None = None) -> None:
        """Give the account of the one linked device another number; its keys stay."""
        self._post("change_number", to=to, number=number)

    def dialog(self, kind: str | None, number: str | None = None, *, text: str | None = None) -> None:
        """Lay a dialog over whatever is on show, with other words if wanted; None takes it away."""
        self._post("dialog", kind=kind, number=number, text=text)

    def forget_pressed(self) -> None:
        """Count the buttons of dialogs that are pressed from now on."""
        self._post("forget_pressed")

    def language(self, language: str) -> None:
        """Let pages say everything in another language from now on."""
        self._post("language", language=language)

    def screen(self, screen: str | None, number: str | None = None) -> None:
        """Let pages show a screen that is neither a mode nor a state of the socket; None lifts it at once."""
        self._post("screen", screen=screen, number=number)

    def next_page(
        self, *, boot: float | None = None, code: float = 0, hide_keys: bool = False, documents: int = 1
    ) -> None:
        """Say what the next documents do on their way up: boot slowly, or show a code although they are linked."""
        self._post("next_page", boot=boot, code=code, hide_keys=hide_keys, documents=documents)

    def reload_page(
        self,
        number: str | None = None,
        *,
        boot: float | None = None,
        code: float | None = None,
        hide_keys: bool | None = None,
    ) -> None:
        """Let pages reload themselves, as for an update; the rest as for ``next_page``."""
        self._post("reload_page", number=number, boot=boot, code=code, hide_keys=hide_keys)

    def rename_keys(self, keys: Literal["noise", "wid", "both", "back"] = "both", number: str | None = None) -> None:
        """Let pages that are logged in give their keys other names; they themselves go on with those."""
        self._post("rename_keys", keys=keys, number=number)

    def break_page(self, *what: str) -> None:
        """Let pages override what an injected observer uses, now and in each new document; nothing: no more."""
        self._post("break_page", what=list(what))

    def hide_words(self, on: bool = True) -> None:
        """Put the words for an unsupported browser where nobody sees them: script, style, template, noscript."""
        self._post("hide_words", on=on)

    def clean_address(self, on: bool = True) -> None:
        """Let pages take a logout's parameters out of their address as they start."""
        self._post("clean_address", on=on)

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
