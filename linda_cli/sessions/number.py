"""The one place where text becomes a WhatsApp number."""

from __future__ import annotations

import re

from linda_cli.errors import BadNumber

# ASCII digits only, after digits of other scripts have been turned into these: nothing else ends up in a path.
_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
_LONGEST = 200

# Marks that a phone or a web page puts around a number so that it reads the right way round, and joiners of no width.
_INVISIBLE = frozenset("\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff") | frozenset(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_FORMATTING = frozenset("\t\n\r.()\u2024\uff0e\uff08\uff09\u2212") | _INVISIBLE
_PLUS = frozenset("+\uff0b\ufe62")


def parse_number(text: str) -> str:
    """Give the number as 7 to 15 digits without a leading zero; ``+971 50 576-0056`` means ``971505760056``.

    A leading ``+``, spaces of any kind, hyphens, dots, parentheses and bidirectional marks are dropped; digits of any
    script are read as digits. Raises ``BadNumber`` for anything else, so that nothing but digits ever reaches a path.
    """
    digits = _digits(text)
    if digits is None or not _NUMBER.fullmatch(digits):
        shown = ascii(text if len(text) <= 40 else text[:37] + "...")
        raise BadNumber(
            f"{shown} is not a WhatsApp number: 7 to 15 digits with the country code, no leading zero",
            "linda start --help",
        )
    return digits


def _digits(text: str) -> str | None:
    """The digits alone; None where something stands there that neither is one nor formats one."""
    if len(text) > _LONGEST:
        return None
    if text.isascii() and text.isdigit():
        return text
    import unicodedata  # a number that is only digits needs no table

    found: list[str] = []
    plus = False
    for letter in text:
        category = unicodedata.category(letter)
        if category == "Nd":
            found.append(str(unicodedata.decimal(letter)))
        elif letter in _PLUS and not found and not plus:
            plus = True
        elif category not in ("Zs", "Pd") and letter not in _FORMATTING:
            return None
    return "".join(found)
