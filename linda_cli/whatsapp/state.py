"""What the page shows, in one word, from the facts that the observer gathered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from linda_cli.whatsapp.identity import number_of
from linda_cli.whatsapp.page import ORIGIN
from linda_cli.whatsapp.signals import Signals


class Shows(StrEnum):
    """The states of the page that linda tells apart."""

    NOTHING = "nothing"
    LOADING = "loading"
    QR_LOADING = "qr loading"
    QR = "qr"
    QR_EXPIRED = "qr expired"
    PAIRING_CODE = "pairing code"
    PASSKEY = "passkey"
    SYNCING = "syncing"
    READY = "ready"
    OFFLINE = "offline"
    REFUSED = "refused"
    WINDOW = "open in another window"
    COMPUTER = "open on another computer"
    CLIENT_FATAL = "client fatal"
    LOGGED_OUT = "logged out"
    UNSUPPORTED = "unsupported browser"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class PageState:
    """One reading of the page.

    ``keys``: both login keys are in localStorage. ``number``: whose login that is. ``ref``: the complete text of the
    QR code on show. ``reason``: the page's own word for a logout or a block.
    """

    shows: Shows
    keys: bool = False
    number: str | None = None
    ref: str | None = None
    code: str | None = None
    percent: int | None = None
    reason: str | None = None
    socket: str | None = None
    mode: str | None = None

    def __repr__(self) -> str:
        # A code on show is a secret while it lives: it never gets into a log by way of a repr.
        return f"PageState({self.shows}, keys={self.keys}, socket={self.socket}, mode={self.mode})"


def gone(reason: str) -> PageState:
    """The page's process crashed or its tab was closed."""
    return PageState(Shows.GONE, reason=reason)


def read(told: str, signals: Signals) -> PageState:
    """Read what the observer said (JSON). A fact that is missing counts as not there."""
    facts: Mapping[str, Any] = json.loads(told)
    has: Mapping[str, bool] = facts.get("has", {})
    socket, mode = facts.get("socket"), facts.get("mode")
    url = str(facts.get("url", ""))
    keys = bool(facts.get("wid")) and bool(facts.get("noise"))
    shows, reason = _shows(facts, has, socket, mode, url, keys, signals)
    return PageState(
        shows=shows,
        keys=keys,
        number=number_of(facts.get("wid")),
        ref=facts.get("ref") if shows in (Shows.QR, Shows.REFUSED) else None,
        code=facts.get("code"),
        percent=facts.get("percent"),
        reason=reason,
        socket=socket,
        mode=mode,
    )


def _shows(
    facts: Mapping[str, Any],
    has: Mapping[str, bool],
    socket: str | None,
    mode: str | None,
    url: str,
    keys: bool,
    signals: Signals,
) -> tuple[Shows, str | None]:
    """The states in the order of how sure their signals are, a blocked or taken page before anything it still shows."""
    if url.startswith("chrome-error:"):
        return Shows.UNREACHABLE, "the browser's own error page"
    if not url.startswith(ORIGIN + "/"):
        return Shows.NOTHING, None
    for word, group in ((socket, "socket"), (mode, "mode")):
        if word in signals.listed(group, "blocked"):
            return Shows.BLOCKED, word
    if facts.get("unsupported"):
        return Shows.UNSUPPORTED, None
    if (
        has.get("use_here")
        or socket in signals.listed("socket", "conflict")
        or mode in signals.listed("mode", "conflict")
    ):
        return _conflict(facts, has, signals), None
    connected = socket in signals.listed("socket", "connected")
    # Where the page's modules cannot be read the DOM has to do: a pane, both keys, and nothing that says otherwise.
    blind = socket is None and mode is None and keys and not has.get("loading")
    if has.get("pane") and (connected or blind) and mode not in signals.listed("mode", "syncing"):
        return Shows.READY, None
    logout = _logout(url, signals)
    if logout is not None and not has.get("pane"):
        return logout
    if has.get("passkey"):
        return Shows.PASSKEY, None
    if facts.get("code"):
        return Shows.PAIRING_CODE, None
    unpaired = socket in signals.listed("socket", "unpaired")
    if facts.get("ref") or (unpaired and not has.get("pane")):
        if keys:
            return Shows.REFUSED, None
        if socket in signals.listed("socket", "idle") or (has.get("qr_renew") and not facts.get("canvas")):
            return Shows.QR_EXPIRED, None
        return (Shows.QR if facts.get("ref") else Shows.QR_LOADING), None
    if mode in signals.listed("mode", "syncing"):
        return Shows.SYNCING, None
    if has.get("pane"):
        return Shows.OFFLINE, None
    if has.get("qr_area") or has.get("phone_input"):
        return Shows.QR_LOADING, None
    if has.get("loading"):
        return (Shows.SYNCING if connected else Shows.LOADING), None
    return Shows.NOTHING, None


def _conflict(facts: Mapping[str, Any], has: Mapping[str, bool], signals: Signals) -> Shows:
    # The popup for another computer offers to log out beside "Use here"; the one for another window only closes.
    text = str(facts.get("popup") or "").lower()
    if any(word in text for word in signals.data["texts"]["computer"]):
        return Shows.COMPUTER
    return Shows.WINDOW


def _logout(url: str, signals: Signals) -> tuple[Shows, str | None] | None:
    names = signals.data["logout"]
    query = parse_qs(urlsplit(url).query)
    if query.get(names["parameter"], [""])[-1] != "1":
        return None
    reason = query.get(names["reason"], [None])[-1]
    if reason == names["client_fatal"]:
        return Shows.CLIENT_FATAL, reason
    return Shows.LOGGED_OUT, signals.data["logout_reasons"].get(reason, reason)
