"""The two encodings that all LevelDB files share: variable-length integers and masked checksums."""

from __future__ import annotations

import google_crc32c

from linda_cli.sessions.storage.damage import Damage

_MASK = 0xA282EAD8


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer at ``at`` and the position behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damage("a length does not read")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def slice_at(data: bytes, at: int) -> tuple[bytes, int]:
    """The length-prefixed bytes at ``at`` and the position behind them."""
    size, at = varint(data, at)
    end = at + size
    if end > len(data):
        raise Damage("a value is longer than what holds it")
    return data[at:end], end


def checksum(data: bytes) -> int:
    """CRC-32C as LevelDB stores it: turned and shifted, since the data may itself hold checksums."""
    plain: int = google_crc32c.value(data)
    return (((plain >> 15) | (plain << 17)) + _MASK) & 0xFFFFFFFF
