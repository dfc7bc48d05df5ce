"""Names as the state file and JSON spell them."""

from __future__ import annotations


def camel(name: str) -> str:
    """``created_at`` is ``createdAt``."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
