"""A QR code in a terminal: the largest drawing that fits, black on white whatever the theme, and as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

# True black and true white from the fixed part of the 256 colours: a theme cannot change these.
_INK = "\x1b[38;5;16;48;5;231m"
_DARK, _LIGHT = "\x1b[48;5;16m", "\x1b[48;5;231m"
_OFF = "\x1b[0m"
_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}

_QUIET = (4, 2, 1)
"""Widths of the quiet zone, the one that the standard asks for first. Smaller ones are read where it is white."""

_PIXELS = 8

Modules = list[list[bool]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A code as lines for a terminal; ``width`` in columns."""

    lines: tuple[str, ...]
    width: int

    @property
    def height(self) -> int:
        """In lines."""
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Look:
    """What a terminal can show. ``blocks``: its encoding has half blocks. ``size`` None: a log, which has no end."""

    colour: bool
    blocks: bool
    size: os.terminal_size | None


def can_show_blocks(encoding: str | None) -> bool:
    """Whether half blocks can be written in this encoding."""
    try:
        "▀▄█".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def modules(text: str, quiet: int = 4) -> Modules:
    """The code with its quiet zone; True is dark."""
    bare = _bare(text)
    edge = [[False] * (len(bare) + 2 * quiet)] * quiet
    side = [False] * quiet
    return [*edge, *([*side, *row, *side] for row in bare), *edge]


@lru_cache(maxsize=1)
def _bare(text: str) -> tuple[tuple[bool, ...], ...]:
    # It is drawn again with every line that is said above it, and takes a seventh of a second to find.
    return tuple(tuple(bool(one) for one in row) for row in _code(text, 0).get_matrix())


def drawings(text: str, look: Look) -> Iterator[Drawing]:
    """Every way to draw the code there, the best first; none where nothing that can be written is a code."""
    for quiet in _QUIET:
        rows = modules(text, quiet)
        if look.colour and look.blocks:
            yield _inked(rows)
        elif look.colour:
            yield _spaced(rows)
        elif look.blocks:
            yield _both(rows)


def fitting(text: str, look: Look, captions: int) -> Drawing | None:
    """The best drawing that fits with so many lines below it; None where none does."""
    for drawing in drawings(text, look):
        # One column is left free: a line that ends in the last one is wrapped by some terminals.
        if look.size is None or (drawing.width < look.size.columns and drawing.height + captions <= look.size.lines):
            return drawing
    return None


def needed(text: str, look: Look, captions: int) -> tuple[int, int] | None:
    """Columns and lines that the smallest drawing needs; None where there is none."""
    sizes = [(drawing.width + 1, drawing.height + captions) for drawing in drawings(text, look)]
    return sizes[-1] if sizes else None


def write_png(text: str, path: Path) -> None:
    """Write the code as a picture, for the owner's eyes only; whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(png(text))
    fresh.replace(path)


def png(text: str) -> bytes:
    """The code as a picture, eight pixels to a module."""
    import io

    from qrcode.image.pure import PyPNGImage

    picture = io.BytesIO()
    _code(text, _QUIET[0]).make_image(image_factory=PyPNGImage).save(picture)
    return picture.getvalue()


def _code(text: str, quiet: int) -> Any:  # the library has no types
    import qrcode
    from qrcode.constants import ERROR_CORRECT_L

    # A screen has no scratches: the least redundancy gives the largest modules.
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=quiet, box_size=_PIXELS)
    code.add_data(text)
    code.make(fit=True)
    return code


def _halves(rows: Modules, *, inverted: bool = False) -> list[str]:
    """Two modules to a character, a dark one drawn with ink, or a light one where ``inverted``."""
    even = rows if len(rows) % 2 == 0 else [*rows, [False] * len(rows[0])]
    return [
        "".join(
            _BLOCKS[upper is not inverted, lower is not inverted] for upper, lower in zip(first, second, strict=True)
        )
        for first, second in zip(even[::2], even[1::2], strict=True)
    ]


def _inked(rows: Modules) -> Drawing:
    return Drawing(tuple(f"{_INK}{line}{_OFF}" for line in _halves(rows)), len(rows[0]))


def _spaced(rows: Modules) -> Drawing:
    """Two columns to a module, nothing but spaces: for a terminal whose encoding has no blocks."""
    lines = ("".join((_DARK if dark else _LIGHT) + "  " for dark in row) + _OFF for row in rows)
    return Drawing(tuple(lines), 2 * len(rows[0]))


def _both(rows: Modules) -> Drawing:
    """Without colour nobody knows what is behind: once for a light background and once for a dark one, which is common.

    A camera reads the one that is right and passes over the other.
    """
    lines = (*_halves(rows), "", *_halves(rows, inverted=True))
    return Drawing(lines, len(rows[0]))
