"""Moments for people: in their own time zone, and how long ago. JSON has ISO 8601 in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def parse(text: object) -> datetime | None:
    """A moment as the files spell it, in local time; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def local(text: object) -> str:
    """``2026-11-21 13:47:42``; what is no moment stays as it is."""
    moment = parse(text)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment is not None else str(text)


def clock(text: str) -> str:
    """``13:47:42``."""
    moment = parse(text)
    return f"{moment:%H:%M:%S}" if moment is not None else text[11:19]


def ago(text: object, now: float | None = None) -> str:
    """``2 minutes ago``; empty for what is no moment."""
    moment = parse(text)
    if moment is None:
        return ""
    seconds = (time.time() if now is None else now) - moment.timestamp()
    if seconds < -1:
        return "in the future: look at the clock"
    for length, name in _UNITS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def with_age(text: object, now: float | None = None) -> str:
    """``2026-11-21 13:47:42 (2 minutes ago)``."""
    since = ago(text, now)
    return f"{local(text)} ({since})" if since else str(text)
