"""What stands in the body of a request to the phone, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from linda_cli.errors import Failed, Misused
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.state import SandboxState

Body = Mapping[str, object]
Answer = dict[str, object]

EXAMPLE = "971505760056"


def connected(state: SandboxState, body: Body) -> list[Page]:
    """The pages that a verb means; none is ``Failed``."""
    pages = state.online(number_of(body))
    if not pages:
        raise Failed("no linked device is connected")
    return pages


def number_of(body: Body, key: str = "number") -> str | None:
    """The number under this key, if there is one."""
    number = text_of(body, key)
    if number is not None and not re.fullmatch(r"[1-9][0-9]{6,14}", number):
        raise Misused(f"not a WhatsApp number: {number}", f'{{"{key}": "{EXAMPLE}"}}')
    return number


def text_of(body: Body, key: str) -> str | None:
    """What stands under this key, as text."""
    value = body.get(key)
    return None if value is None else str(value)


def seconds_of(body: Body, key: str, default: float) -> float:
    """A time from 0 up."""
    try:
        value = body.get(key)
        return default if value is None else max(0.0, float(str(value)))
    except ValueError:
        raise Misused(f"{key} is no number of seconds", f'{{"{key}": {default}}}') from None


def choice_of(body: Body, key: str, choices: tuple[str, ...]) -> str | None:
    """One of these words, or None where there is none or "none"."""
    chosen = text_of(body, key)
    if chosen in (None, "none"):
        return None
    if chosen not in choices:
        raise Misused(f"no such {key}: {chosen}", "one of: none, " + ", ".join(choices))
    return chosen
