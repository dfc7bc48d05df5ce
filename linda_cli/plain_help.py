"""Help as plain text: summaries are wrapped and never cut, and nothing is drawn around them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class PlainGroup(TyperGroup):
    """A group whose commands are listed with their whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One entry for each command that is not hidden."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, summary(command)))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def summary(command: Any) -> str:
    """The first paragraph of a command's help, on one line."""
    text = command.short_help or (command.help or "").split("\n\n", 1)[0]
    return " ".join(text.split())
