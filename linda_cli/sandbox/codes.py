"""What a phone's camera or a person's thumbs carry over: QR texts and pairing codes."""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
"""No 0, I, O or U: what cannot be told apart, or spells words."""


@dataclass(frozen=True, slots=True)
class Code:
    """A text on show until a moment of the monotonic clock; a pairing code belongs to one number."""

    text: str
    ends: float
    number: str | None = None

    @property
    def live(self) -> bool:
        """Whether a phone would still take it."""
        return time.monotonic() < self.ends


def qr(seconds: float) -> Code:
    """As long and as odd as a real one: the terminal, the camera and the reader must cope with that size."""
    parts = [base64.b64encode(secrets.token_bytes(length)).decode() for length in (64, 32, 32, 32)]
    return Code(f"2@{','.join(parts)},1", time.monotonic() + seconds)


def pairing(number: str, seconds: float) -> Code:
    """Eight characters, kept without the dash that is only shown."""
    return Code("".join(secrets.choice(_ALPHABET) for _ in range(8)), time.monotonic() + seconds, number)


def modules(text: str) -> list[str]:
    """The QR's dark and light modules, row by row, which the page paints on its canvas."""
    # Late: a paired start never needs it.
    import qrcode
    from qrcode.constants import ERROR_CORRECT_L

    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=0)
    code.add_data(text, optimize=0)
    code.make(fit=True)
    return ["".join("1" if dark else "0" for dark in row) for row in code.get_matrix()]
