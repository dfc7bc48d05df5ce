"""Whose login it is, from the page's own words."""

from __future__ import annotations

import json
import re

_WID = re.compile(r"([1-9][0-9]{6,14})(?:[:.][0-9:.]+)?@[a-z.]+")


def number_of(wid: str | None) -> str | None:
    """The number in ``last-wid-md``'s value, ``"<number>:<device>@c.us"`` with or without its JSON quotes."""
    if not wid:
        return None
    text = wid
    if wid.startswith('"'):
        try:
            text = str(json.loads(wid))
        except ValueError:
            return None
    match = _WID.fullmatch(text)
    return match[1] if match else None
