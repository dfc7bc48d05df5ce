"""Sizes as people type them."""

from __future__ import annotations

import re

from linda_cli.errors import Misused

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([MG]?)B?", re.IGNORECASE)


def parse_megabytes(text: str) -> int:
    """Megabytes in ``900M``, ``1.5G``; a bare number counts megabytes. Raises ``Misused`` for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or float(match[1]) > 1e6:
        raise Misused(f"{text!r} is not a size of memory: write it as 900M or 1.5G", "linda help start")
    return round(float(match[1]) * (1000 if match[2].upper() == "G" else 1))
