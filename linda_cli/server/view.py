"""What is known of an account that is up, as its events tell it: a pure function from one view to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from linda_cli.lifecycle.events import Event

ACTIVE, AUTHENTICATING, READY, DISCONNECTED = "active", "authenticating", "ready", "disconnected"
"""An account's status. ``active``: on record, and never up since."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code on show. ``until`` by the monotonic clock."""

    told: Event
    until: float

    @property
    def text(self) -> str:
        """What a camera reads, or what is typed into the phone."""
        return str(self.told.facts["qr" if self.told.event == "qr" else "code"])

    @property
    def left(self) -> int:
        """Whole seconds until it expires."""
        return max(0, round(self.until - time.monotonic()))


@dataclass(frozen=True, slots=True)
class View:
    """``up``: linda is at work on it. ``ready``: the event that said so, with the browser's present address.

    ``problem``: why it is not up, in words. ``retry_at``: seconds since 1970.
    """

    up: bool = False
    status: str | None = None
    ready: Event | None = None
    code: Code | None = None
    passkey: bool = False
    restored_at: str | None = None
    problem: str | None = None
    retry_at: float | None = None
    reconnects: int = 0
    codes_shown: int = 0

    @property
    def is_restored(self) -> bool:
        """Whether it became ready without a code."""
        return self.ready is not None and bool(self.ready.facts.get("isRestored"))


def after(view: View, told: Event) -> View:
    """The view once this event was heard."""
    name = told.event
    if name in ("qr", "pairing_code"):
        code = Code(told, time.monotonic() + float(told.facts["expiresIn"]))
        return replace(view, status=AUTHENTICATING, code=code, passkey=False, codes_shown=view.codes_shown + 1)
    if name == "passkey_required":
        return replace(view, code=None, passkey=True)
    if name == "authenticated":
        return replace(view, status=AUTHENTICATING, code=None, passkey=False)
    if name == "ready":
        restored_at = told.at if told.facts.get("isRestored") else None
        return replace(
            view, status=READY, ready=told, code=None, passkey=False,
            restored_at=restored_at, problem=None, retry_at=None,
        )  # fmt: skip
    if name == "disconnected":
        return replace(view, status=DISCONNECTED, problem=str(told.facts.get("reason")))
    if name == "reconnected":
        ready = view.ready
        if ready is not None and told.facts.get("debuggerAddress"):
            ready = replace(ready, facts={**ready.facts, "debuggerAddress": told.facts["debuggerAddress"]})
        return replace(view, status=READY, ready=ready, problem=None, reconnects=view.reconnects + 1)
    if name in ("logged_out", "stopped", "session_restoration_failed", "error"):
        problem = told.facts.get("reason") or told.facts.get("message")
        return replace(
            view, status=DISCONNECTED, ready=None, code=None, passkey=False, restored_at=None,
            problem=str(problem) if problem else None,
        )  # fmt: skip
    return view


_INVALID = ("LoggedOut", "ProfileDamaged", "BackupUnusable")


def columns(told: Event) -> Mapping[str, Any]:
    """What an event changes in the account's row; empty where nothing."""
    name = told.event
    if name in ("qr", "pairing_code"):
        return {"status": AUTHENTICATING, "auth_state": "qr", "is_authenticated": False}
    if name == "authenticated":
        return {"status": AUTHENTICATING, "auth_state": "authenticated", "is_authenticated": True}
    if name in ("ready", "reconnected"):
        return {
            "status": READY,
            "auth_state": "ready",
            "is_authenticated": True,
            "session_valid": True,
            "last_connected": datetime.now(UTC),
        }
    if name == "disconnected":
        return {"status": DISCONNECTED, "auth_state": "disconnected"}
    if name == "logged_out":
        return {
            "status": DISCONNECTED, "auth_state": "logged_out", "is_authenticated": False, "session_valid": False
        }  # fmt: skip
    if name == "stopped":
        return {"status": DISCONNECTED, "auth_state": "stopped"}
    if name in ("session_restoration_failed", "error"):
        gone = told.facts.get("name") in _INVALID
        return {"status": DISCONNECTED, **({"session_valid": False, "is_authenticated": False} if gone else {})}
    return {}
