"""Why linda will not touch a login: what it says instead of calling it damaged."""

from __future__ import annotations

from linda_cli.errors import LindaError, StoreUnreadable, UnknownFormat
from linda_cli.installation import upgrade
from linda_cli.sessions.checks import Look
from linda_cli.sessions.storage import ownership


def unknown_format(what: str, seen: Look) -> LindaError:
    """The error for a look whose verdict is ``unknown_format``; nothing was moved."""
    if seen.foreign is not None:
        where = ascii(str(seen.foreign))[1:-1]
        return StoreUnreadable(
            f"{what} cannot be read: {where} {ownership.whose(seen.foreign)}; nothing was moved",
            ownership.giving_back(seen.foreign),
            path=str(seen.foreign),
        )
    why = next(
        (one.detail for one in seen.checks if not one.ok and one.key not in ("browser", "folder", "default")),
        "its stores cannot be read",
    )
    if seen.unreadable:
        return StoreUnreadable(f"{what} cannot be read, nothing was moved: {why}", "dmesg | tail; df -h; ulimit -n")
    return UnknownFormat(f"{what} cannot be read, nothing was moved: {why}", upgrade())
