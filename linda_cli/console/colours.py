"""Colours for verdicts, on a terminal alone. Each can be read on a dark background and on a light one."""

from __future__ import annotations

import os

GOOD, WATCH, BAD = 28, 130, 160
"""Of the fixed part of the 256 colours: a theme cannot change these."""

_FEW = {GOOD: "32", WATCH: "35", BAD: "31"}
_OF_VERDICT = {
    "running": GOOD, "restorable": GOOD, "repairable": WATCH, "linking": WATCH, "missing": WATCH, "cleared": WATCH,
    "damaged": BAD, "rejected": BAD, "logged_out": BAD, "too_new": BAD, "unknown_format": BAD,
}  # fmt: skip


def verdict(name: str, *, fancy: bool) -> str:
    """A verdict for a person, coloured where that is welcome."""
    words = name.replace("_", " ")
    colour = _OF_VERDICT.get(name)
    return words if not fancy or colour is None else f"\x1b[{_code(colour)}m{words}\x1b[0m"


def _code(colour: int) -> str:
    many = "256" in os.environ.get("TERM", "") or bool(os.environ.get("COLORTERM"))
    return f"38;5;{colour}" if many else _FEW[colour]
