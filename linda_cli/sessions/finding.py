"""Where the profile of a number is, its folder named or not yet."""

from __future__ import annotations

import os
from pathlib import Path

from linda_cli.sessions.home import Home
from linda_cli.sessions.login import read_login


def profile_of(home: Home, number: str) -> Path:
    """Where this number's profile is: ``session-<number>``, else a ``linking-<ms>`` that turned out to be it.

    Killed between the two renames of a restore it is still where it was put aside, and goes back at the next command.
    """
    named = home.named_profile(number)
    if not os.path.lexists(named):
        if (aside := home.aside_of(number)) is not None:
            return aside
        for linking in reversed(home.linkings()):
            if linked_number(linking) == number:
                return linking
    return named


def numbers(home: Home) -> list[str]:
    """Every number with a profile, one still in its ``linking-<ms>`` folder included."""
    linked = {number for linking in home.linkings() if (number := linked_number(linking)) is not None}
    aside = {number for _, kind, number, _ in home.leftovers() if kind == "aside"}
    return sorted({*home.numbers_with_profile(), *linked, *aside})


def linked_number(profile: Path) -> str | None:
    """Whose login a profile holds, None where it holds none that reads."""
    login = read_login(profile)
    return login.number if login is not None else None
