"""Whose a login is: recorded in the state beside the login, and in each backup, so that command line and server agree.

The owner is whoever linked the login: a user of ``linda serve``, or ``local`` for the command line. Nobody else gets it
by naming its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linda_cli.sessions.clock import iso, now_ms

LOCAL = "local"
"""The owner of what the command line has linked, and of everyone on a server without JWT_SECRET."""


def has_login(entry: Mapping[str, Any]) -> bool:
    """Whether a login was ever made under this state entry; a code that nobody scanned makes none."""
    return bool(
        entry.get("isLinked")
        or entry.get("linkedAt")
        or entry.get("backupCount")
        or entry.get("lastState") in ("authenticated", "ready")
    )


def login_owner(entry: Mapping[str, Any]) -> str | None:
    """Whose the login is, None where there was never one."""
    return recorded_owner(entry) if has_login(entry) else None


def recorded_owner(record: Mapping[str, Any]) -> str:
    """The owner that a state entry or a manifest names; before owners were recorded all was ``local``."""
    owner = record.get("owner")
    return owner if isinstance(owner, str) and owner else LOCAL


def owner_fields(entry: Mapping[str, Any], owner: str | None) -> dict[str, str]:
    """What :func:`set_owner` would set."""
    after = dict(entry)
    set_owner(after, owner)
    return {name: after[name] for name in ("owner", "ownedSince") if after.get(name)}


def set_owner(entry: dict[str, Any], owner: str | None) -> None:
    """Record the owner. ``ownedSince`` moves where it is another one: what happened before is not the new owner's."""
    if recorded_owner(entry) != (owner or LOCAL):
        entry["ownedSince"] = iso(now_ms())
    entry["owner"] = owner or LOCAL
