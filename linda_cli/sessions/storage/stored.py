"""What the origin has stored in localStorage, as far as linda asks for it: the same value from either format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from linda_cli.whatsapp.page import NOISE_KEY, SANDBOX_KEY, WID_KEY

WANTED = (WID_KEY, NOISE_KEY, SANDBOX_KEY)
# A key's value is some hundred bytes; a number that does not read in this much is none.
MOST_VALUE = 1 << 20


class Stored(NamedTuple):
    """What the origin has stored: the text of the keys that are asked for, and whether there are others."""

    texts: Mapping[str, str]
    others: bool
    """The origin has entries under other keys."""
    anything: bool
    """It has, or had, anything at all."""
