"""``linda sandbox``: serve a page that behaves as WhatsApp Web does, or drive its phone."""

from __future__ import annotations

from typing import Any

import typer

from linda_cli.commands.sandbox import faults, link, serve, trouble
from linda_cli.plain_help import PlainGroup


def register(app: typer.Typer) -> None:
    """Declare the verb and what belongs to it."""
    verb = typer.Typer(cls=_ServesByDefault, rich_markup_mode=app.rich_markup_mode, no_args_is_help=False)
    for part in (serve, link, trouble, faults):
        part.declare(verb)
    app.add_typer(verb, name="sandbox", help="WhatsApp Web without a phone: a page for tests, and its phone.")


class _ServesByDefault(PlainGroup):
    """``linda sandbox`` and ``linda sandbox --page-delay 6`` mean ``linda sandbox serve …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)
