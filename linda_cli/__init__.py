"""Keeps a WhatsApp Web login alive: scan once, come back without a QR code.

``Store`` looks at, saves and restores sessions without a browser; ``start`` brings one up and stays beside it, as a
``Session`` whose changes are ``Event`` values. Every failure is a ``LindaError`` of ``linda_cli.errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linda_cli import errors
    from linda_cli.errors import LindaError
    from linda_cli.lifecycle.api import Live, Session, Store, start
    from linda_cli.lifecycle.events import Event
    from linda_cli.sessions.results import BackedUp, BackedUpAll, Cleaned, Cleared, Restored
    from linda_cli.sessions.values import Backup, Info, Overview

    __version__: str

# Where each public name lives. Late, because the command line imports this package too and most commands need none.
_HOMES = {
    "errors": "linda_cli.errors",
    "LindaError": "linda_cli.errors",
    "Live": "linda_cli.lifecycle.api",
    "Session": "linda_cli.lifecycle.api",
    "Store": "linda_cli.lifecycle.api",
    "start": "linda_cli.lifecycle.api",
    "Event": "linda_cli.lifecycle.events",
    "BackedUp": "linda_cli.sessions.results",
    "BackedUpAll": "linda_cli.sessions.results",
    "Cleaned": "linda_cli.sessions.results",
    "Cleared": "linda_cli.sessions.results",
    "Restored": "linda_cli.sessions.results",
    "Backup": "linda_cli.sessions.values",
    "Info": "linda_cli.sessions.values",
    "Overview": "linda_cli.sessions.values",
}

__all__ = [
    "BackedUp",
    "BackedUpAll",
    "Backup",
    "Cleaned",
    "Cleared",
    "Event",
    "Info",
    "LindaError",
    "Live",
    "Overview",
    "Restored",
    "Session",
    "Store",
    "__version__",
    "errors",
    "start",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("linda-cli")
    if name in _HOMES:
        from importlib import import_module

        module = import_module(_HOMES[name])
        return module if name == "errors" else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
