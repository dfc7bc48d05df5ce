"""The one place where text becomes a WhatsApp number."""

from __future__ import annotations

import re

from linda_cli.errors import BadNumber

# ASCII digits only: \d would let other scripts' digits through, and they would end up in paths.
_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
_WRITTEN = re.compile(r"\+?[0-9]+(?: [0-9]+)*")


def parse_number(text: str) -> str:
    """Give the number as 7 to 15 digits without a leading zero; ``+971 50 576 0056`` means ``971505760056``.

    Raises ``BadNumber`` for anything else, so that nothing but digits ever reaches a path.
    """
    written = text.strip(" ")
    digits = written.removeprefix("+").replace(" ", "")
    if not _WRITTEN.fullmatch(written) or not _NUMBER.fullmatch(digits):
        shown = ascii(text if len(text) <= 40 else text[:37] + "...")
        raise BadNumber(
            f"{shown} is not a WhatsApp number: 7 to 15 digits with the country code, no leading zero",
            "linda info 971505760056",
        )
    return digits
