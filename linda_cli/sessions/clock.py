"""Time as the files spell it: milliseconds in names, ISO 8601 UTC in JSON."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from linda_cli.errors import Misused

_AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

# Year 9999 in milliseconds: a name with a larger stamp was not made by us and would overflow datetime.
LATEST_MS = 253_402_300_799_999


def now_ms() -> int:
    """Milliseconds since 1970 by the wall clock."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """``2026-01-20T10:30:45.123Z``."""
    ms = max(0, min(ms, LATEST_MS))
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def ms_of(text: object) -> int | None:
    """Milliseconds of an ISO 8601 moment, None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def parse_age(text: str) -> float:
    """Seconds in ``90s``, ``30m``, ``6h``, ``7d``, ``2w``; a bare number counts seconds.

    Raises ``Misused`` for anything else.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise Misused(
            f"{text!r} is not a length of time: write it as 30m, 6h, 7d or 2w",
            "linda cleanup --dry-run --older-than 7d",
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > 100 * 365 * 86400:
        raise Misused(f"{text!r} is more than a hundred years", "linda cleanup --dry-run --older-than 7d")
    return seconds
