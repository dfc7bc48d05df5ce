"""Keeps a WhatsApp Web login alive: scan once, come back without a QR code.

``Store`` looks at, saves and restores sessions without a browser; ``start`` brings one up and stays beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linda_cli.lifecycle.api import Live, Store, start

__all__ = ["Live", "Store", "start"]


def __getattr__(name: str) -> Any:
    # Late, because the command line imports this package too and most commands need neither.
    if name in __all__:
        from linda_cli.lifecycle import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
