"""A QR code in a terminal: two modules to a character, black on white whatever the theme."""

from __future__ import annotations

from pathlib import Path

# True black on true white from the fixed part of the 256 colours: a theme cannot change these.
_INK = "\x1b[38;5;16;48;5;231m"
_OFF = "\x1b[0m"
_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def modules(text: str) -> list[list[bool]]:
    """The code with its quiet zone of four modules; True is dark."""
    import qrcode
    from qrcode.constants import ERROR_CORRECT_L

    # A screen has no scratches: the least redundancy gives the largest modules.
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=4)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(one) for one in row] for row in code.get_matrix()]


def lines(text: str, *, colour: bool) -> list[str]:
    """The code as lines of half blocks, a dark module drawn with ink."""
    rows = modules(text)
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    drawn = [
        "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return [f"{_INK}{line}{_OFF}" for line in drawn] if colour else drawn


def write_png(text: str, path: Path) -> None:
    """Write the code as a picture, for the owner's eyes only; whole or not at all."""
    import os

    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(png(text))
    fresh.replace(path)


def png(text: str) -> bytes:
    """The code as a picture, eight pixels to a module."""
    import struct
    import zlib

    scale = 8
    rows = modules(text)
    width = len(rows[0]) * scale
    raw = b"".join((b"\0" + b"".join((b"\0" if dark else b"\xff") * scale for dark in row)) * scale for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows) * scale, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
