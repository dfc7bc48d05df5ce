"""Text that fits the window: tables, and sentences that end at a word."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from linda_cli.console import clean


def columns(rows: Sequence[Sequence[str]], width: int = 0, *, header: bool = False) -> list[str]:
    """Rows with their cells under one another.

    Where they are wider than ``width`` the last cell is wrapped, or, if that leaves too little of it, each row becomes
    its first cell with the others below. ``header``: the first row names the columns, and has no place there.
    """
    if not rows:
        return []
    rows = [[clean(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows if len(row) > index) for index in range(max(map(len, rows)))]
    lines = ["  ".join(cell.ljust(widths[index]) for index, cell in enumerate(row)).rstrip() for row in rows]
    if not width or all(len(line) <= width for line in lines):
        return lines
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if width - before >= _NARROWEST:
        return [line for whole in lines for line in _hanging(whole, before, width)]
    return [line for row in rows[header:] for line in _stacked(row, width)]


_NARROWEST = 24
"""Columns that a wrapped last cell needs to be read with ease."""


def _hanging(whole: str, before: int, width: int) -> list[str]:
    first, rest = whole[:before], whole[before:]
    if len(whole) <= width:
        return [whole]
    parts = textwrap.wrap(rest, width - before, break_on_hyphens=False)
    return [first + parts[0], *(" " * before + part for part in parts[1:])]


def _stacked(row: Sequence[str], width: int) -> list[str]:
    indent = " " * (len(row[0]) - len(row[0].lstrip()) + 2)
    below = "  ".join(cell for cell in row[1:] if cell)
    wrapped = textwrap.wrap(below, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return [row[0].rstrip(), *wrapped]


def fitted(text: str, width: int, command: str) -> str:
    """Each line that is wider than the window wrapped, with a hanging indent.

    A line with a ``command`` to paste is left to the terminal, which copies it whole; so is one with colours, which was
    made to fit.
    """
    lines = text.split("\n")
    return "\n".join(
        one if len(one) <= width or "\x1b" in one or f"{command} " in one else _wrapped(one, width) for one in lines
    )


def _wrapped(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        textwrap.wrap(
            line.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False,
            break_long_words=False,
        )
    )  # fmt: skip
