"""What is known of an account that is up, as its events tell it: a pure function from one state to the next."""

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
    """A code on display. ``until`` by the monotonic clock."""

    event: Event
    until: float

    @property
    def text(self) -> str:
        """What a camera reads, or what is typed into the phone."""
        return str(self.event.facts["qr" if self.event.event == "qr" else "code"])

    @property
    def left(self) -> int:
        """Whole seconds until it expires."""
        return max(0, round(self.until - time.monotonic()))


@dataclass(frozen=True, slots=True)
class AccountState:
    """``up``: linda is at work on it. ``ready``: the event that said so, with the browser's present address.

    ``problem``: why it is not up, in words, since ``problem_at`` (ISO 8601); ``problem_name``: an error's name, or the
    event that said it. ``retry_at``: seconds since 1970.
    """

    up: bool = False
    status: str | None = None
    ready: Event | None = None
    code: Code | None = None
    passkey: bool = False
    restored_at: str | None = None
    problem: str | None = None
    problem_name: str | None = None
    problem_at: str | None = None
    retry_at: float | None = None
    reconnects: int = 0
    codes_shown: int = 0

    @property
    def is_restored(self) -> bool:
        """Whether it became ready without a code."""
        return self.ready is not None and bool(self.ready.facts.get("isRestored"))


def reduce(state: AccountState, event: Event) -> AccountState:
    """The state after this event."""
    name = event.event
    if name in ("qr", "pairing_code"):
        code = Code(event, time.monotonic() + float(event.facts["expiresIn"]))
        return replace(_well(state), status=AUTHENTICATING, code=code, passkey=False, codes_shown=state.codes_shown + 1)
    if name == "passkey_required":
        return replace(state, code=None, passkey=True)
    if name == "authenticated":
        return replace(_well(state), status=AUTHENTICATING, code=None, passkey=False)
    if name == "ready":
        restored_at = event.at if event.facts.get("isRestored") else None
        return replace(_well(state), status=READY, ready=event, code=None, passkey=False, restored_at=restored_at)
    if name == "disconnected":
        return _problem(replace(state, status=DISCONNECTED), event, name, event.facts.get("reason"))
    if name == "waiting":
        # Before the first ready, or while it is away: the true cause, for whoever looks.
        return _problem(state, event, f"waiting_{event.facts.get('for')}", event.facts.get("reason"))
    if name == "reconnected":
        ready = state.ready
        if ready is not None and event.facts.get("debuggerAddress"):
            ready = replace(ready, facts={**ready.facts, "debuggerAddress": event.facts["debuggerAddress"]})
        return replace(_well(state), status=READY, ready=ready, reconnects=state.reconnects + 1)
    if name in ("logged_out", "stopped", "session_restoration_failed", "error"):
        down = replace(state, status=DISCONNECTED, ready=None, code=None, passkey=False, restored_at=None)
        why = event.facts.get("reason") or event.facts.get("message")
        return _problem(down, event, str(event.facts.get("name") or name), why)
    if name == "removal_failed":
        return _problem(state, event, name, event.facts.get("message"))
    return state


def _well(state: AccountState) -> AccountState:
    return replace(state, problem=None, problem_name=None, problem_at=None, retry_at=None)


def _problem(state: AccountState, event: Event, name: str, why: object) -> AccountState:
    return replace(state, problem=str(why) if why else None, problem_name=name, problem_at=event.at)


_INVALID = ("LoggedOut", "ProfileDamaged", "BackupUnusable")


def columns(event: Event) -> Mapping[str, Any]:
    """What an event changes in the account's row; empty where nothing."""
    name = event.event
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
        gone = event.facts.get("name") in _INVALID
        return {"status": DISCONNECTED, **({"session_valid": False, "is_authenticated": False} if gone else {})}
    return {}
