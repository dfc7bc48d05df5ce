"""One word for a session, from what was seen of it and what is remembered of it."""

from __future__ import annotations

from typing import Literal

from linda_cli.sessions.checks import Look

Verdict = Literal[
    "linking",
    "running",
    "cleared",
    "logged_out",
    "too_new",
    "unknown_format",
    "missing",
    "damaged",
    "rejected",
    "repairable",
    "restorable",
]


def verdict(look: Look, *, running: bool, cleared: bool, logged_out: bool, rejected: bool) -> Verdict:
    """The first that applies, in the contract's order. A stranger on the profile is no property of the login."""
    if running:
        # What cannot be read just now may well be a login.
        holds_none = look.login is None and not look.trace and not look.unknown_format
        return "linking" if holds_none else "running"
    if cleared:
        return "cleared"
    if logged_out:
        return "logged_out"
    if look.too_new:
        return "too_new"
    if look.unknown_format:
        return "unknown_format"
    if look.login is None and not look.trace:
        return "missing"
    if any(not check.ok and check.repair is None for check in look.checks if check.key != "browser"):
        return "damaged"
    if rejected:
        return "rejected"
    if any(check.repair is not None for check in look.checks):
        return "repairable"
    return "restorable"


def can_restore(verdict: str) -> bool:
    """Whether a start can come back without a code."""
    return verdict in ("running", "repairable", "restorable")
